"""Every command of docs/formats.md, run on the files that it names."""

import re
import shlex
from pathlib import Path

import pytest

from helpers.command import CHOICES, run_here
from helpers.formats import write_formats

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
BEFORE = "python -m bayescale "
COMMANDS = [
    line.removeprefix(BEFORE)
    for block in re.findall(r"```bash\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formats")
    write_formats(folder)
    return folder


def read_only(words: list[str]) -> list[str]:
    """The words of `check` in place of those of a forecast: the same files, nothing sampled."""
    return ["check", *words[1:]] if words[0] == "forecast" else words


@pytest.mark.parametrize("command", COMMANDS)
def test_every_file_is_understood(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    outcome = run_here(*read_only(shlex.split(command)))
    assert outcome.status == 0, outcome.err
    assert "8 runs" in outcome.out or "--leave-out" in command
    for line in outcome.err.splitlines():
        assert line.startswith("bayescale: ")


@pytest.mark.slow
@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("forecast")])
def test_every_file_is_forecast(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    choices = [word for word in CHOICES if word not in ("--via", "c4")]
    outcome = run_here(*shlex.split(command), *choices, "--draws", "100")
    assert outcome.status in (0, 1), outcome.err
    assert "x the largest fitted compute" in " ".join(outcome.out.split())
    assert "checks of the fit:" in outcome.out


def test_the_page_has_a_command_for_each_format() -> None:
    text = "\n".join(COMMANDS)
    for name in ("tsv", "jsonl", "parquet", "wandb", "chart", "results", "frontier", "experts"):
        assert name in text
