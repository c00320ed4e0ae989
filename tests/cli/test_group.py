"""What the command line does before any command: --version, --quiet, completion."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from helpers.command import run_here, run_table


class TestVersion:
    def test_names_every_version_that_matters(self) -> None:
        outcome = run_here("--version")
        assert (outcome.status, outcome.err) == (0, "")
        lines = dict(line.split() for line in outcome.out.splitlines())
        names = ["bayescale", "python", "jax", "jaxlib", "numpyro", "arviz", "numpy", "pandas"]
        assert list(lines) == names
        assert lines.pop("python") == ".".join(map(str, sys.version_info[:3]))
        assert lines == {name: version(name) for name in lines}


class TestQuiet:
    def test_notes_are_left_out_and_the_answer_is_the_same(self, tmp_path: Path) -> None:
        path = tmp_path / "runs.csv"
        run_table().drop(columns="accuracy").assign(flop=1e20).to_csv(path, index=False)
        loud, quiet = run_here("check", path), run_here("--quiet", "check", path)
        assert "Guessed flops from 'flop'" in loud.err
        assert quiet.err == ""
        assert quiet.out == loud.out

    def test_errors_are_told_all_the_same(self) -> None:
        outcome = run_here("--quiet", "forecast", "nowhere.csv")
        assert outcome.status == 2
        assert "must exist" in outcome.err


@pytest.mark.slow
def test_completion_completes_the_commands() -> None:
    environment = {
        "_BAYESCALE_COMPLETE": "complete_bash",
        "COMP_WORDS": "bayescale fro",
        "COMP_CWORD": "1",
    }
    code = "import sys; sys.argv = ['bayescale']; from bayescale.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout.split() == ["frontier"]
