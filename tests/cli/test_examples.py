"""Every help ends with examples, and the examples work."""

import shlex
import shutil
from pathlib import Path

import pytest

from bayescale.cli.commands import COMMANDS
from bayescale.cli.examples import EXAMPLES
from bayescale.data.datasets import load_dataset
from helpers.command import Files, run_here
from helpers.formats import write_formats

# Examples that sample, the commands that have few draws as an option, and those that have not.
FEW_DRAWS = ["--draws", "30", "--chains", "2"]
# A backtest and a whole paper take minutes: tests/cli/test_backtest.py runs the command on a
# smaller ladder, and tests/papers has the analyses.
LONG = ("backtest", "reproduce")
LINES = [line for name, lines in EXAMPLES.items() if name not in LONG for line in lines]


def is_quick(line: str) -> bool:
    """Whether the example neither samples nor forecasts."""
    return line.split()[0] in ("datasets", "check", "convert")


@pytest.fixture
def folder(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the tables that the examples name, and the working folder of the test."""
    # Copies, because an output follows links.
    shutil.copy(files.runs, tmp_path / "runs.csv")
    shutil.copy(files.tasks, tmp_path / "tasks.csv")
    (tmp_path / "made").mkdir()
    write_formats(tmp_path / "made")
    for name in ("wandb.csv", "results"):
        (tmp_path / name).symlink_to(tmp_path / "made" / name)
    new = load_dataset("ladder2024").where(run="1B-10xC", task=["piqa", "mmlu", "c4"]).frame
    new.assign(run="1B-new").to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_ends_with_its_examples(command: str) -> None:
    outcome = run_here(command, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    text = " ".join(outcome.out.split())
    _, _, end = text.rpartition("Examples")
    assert end.split() == " ".join(f"bayescale {line}" for line in EXAMPLES[command]).split()


def test_no_example_is_of_a_command_that_is_gone() -> None:
    assert sorted(EXAMPLES) == sorted(COMMANDS)


@pytest.mark.parametrize("line", [line for line in LINES if is_quick(line)])
@pytest.mark.usefixtures("folder")
def test_quick_examples_work(line: str) -> None:
    outcome = run_here(*shlex.split(line))
    assert outcome.status in (0, 1), outcome.err
    assert outcome.out
    # What convert guesses is told on stderr; no other example has anything to tell.
    assert bool(outcome.err) == line.startswith("convert")


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in LINES if not is_quick(line)])
def test_examples_work(line: str, saved: Path, folder: Path) -> None:
    shutil.copy(saved, folder / "ladder.fit")
    # The saved fit has few draws already. The folder of the released checkpoints is not at hand.
    has_draws = "--fit" not in line and not line.startswith("simulate")
    outcome = run_here(*shlex.split(line), *(FEW_DRAWS if has_draws else []))
    assert outcome.status in (0, 1), outcome.err
    assert outcome.out
    # What convert guesses is told on stderr; no other example has anything to tell.
    assert bool(outcome.err) == line.startswith("convert")
    written = {"--save": "ladder.fit", "--output": "report.html"}
    for option, name in written.items():
        assert option not in line or (folder / name).stat().st_size


@pytest.mark.parametrize("command", ["decide", "report", "value", "forecast"])
def test_options_stand_in_panels_and_not_in_one_list(command: str) -> None:
    out = run_here(command, "--help").out
    panels: dict[str, int] = {}
    for line in out.splitlines():
        if line.startswith("╭─"):
            panel = line.strip("╭─╮ ")
            panels[panel] = 0
        elif line.startswith("│ --"):
            panels[panel] += 1
    assert {"Runs", "Target", "Sampler", "Output"} < set(panels)
    assert panels["Options"] == 1, "--help alone"
    assert max(panels.values()) <= 9


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_the_commands_shows_one_example_of_each(command: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
    section = page.split(f"\n## {command}\n")[1].split("\n## ")[0]
    assert any(f"bayescale {line}\n" in section for line in EXAMPLES[command])
