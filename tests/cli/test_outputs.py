"""The end of a command: the answer first, then the files, whatever fails."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from bayescale.cli import forecast as command
from bayescale.cli import group
from bayescale.cli.outputs import deliver
from bayescale.errors import FileError
from helpers.command import CHOICES, Files, Outcome, parse, run_here


def writer(text: str) -> object:
    return lambda path: path.write_text(text)


def failing(name: str) -> object:
    def fail(path: Path) -> None:
        raise FileError(f"file {name}", rule="must be written", got=str(path), way_out="wait")

    return fail


class TestDeliver:
    def test_the_answer_comes_first(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        seen = []

        def write(path: Path) -> None:
            seen.append(capsys.readouterr().out)
            path.write_text("table")

        deliver(lambda: print("answer"), (tmp_path / "a", write), (None, failing("unasked")))
        assert seen == ["answer\n"]
        assert (tmp_path / "a").read_text() == "table"

    def test_one_that_fails_keeps_nothing_else_from_the_user(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        files = [
            (tmp_path / "a", failing("one")),
            (tmp_path / "b", writer("table")),
            (tmp_path / "c", failing("two")),
        ]
        with pytest.raises(FileError, match="file two"):
            deliver(lambda: print("answer"), *files)
        printed = capsys.readouterr()
        assert printed.out == "answer\n"
        assert printed.err.startswith("bayescale: file one: must be written")
        assert (tmp_path / "b").read_text() == "table"

    def test_files_are_written_where_nothing_can_be_printed(self, tmp_path: Path) -> None:
        script = (
            "import sys, pathlib; from bayescale.cli.outputs import deliver\n"
            "try:\n"
            "    deliver(lambda: print('answer'), (pathlib.Path(sys.argv[1]), "
            "lambda path: path.write_text('table')))\n"
            "except Exception as error: print(error, file=sys.stderr)"
        )
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-c", script, str(tmp_path / "a")],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert (tmp_path / "a").read_text() == "table"
        assert (done.returncode, done.stderr.count("\n")) == (0, 1)
        assert "the standard output: must take the whole answer; got No space left" in done.stderr


def forecast_with(files: Files, *words: object) -> Outcome:
    asked = [*CHOICES, "--targets", "code-8", "--draws", 20]
    return run_here("forecast", files.runs, "--tasks", files.tasks, *asked, *words)


class TestCommands:
    def test_a_warning_is_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def warn(*_: object, **__: object) -> int:
            warnings.warn("first\nsecond", RuntimeWarning, stacklevel=1)
            return 0

        monkeypatch.setattr(group, "app", warn)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            assert run_here() == Outcome(0, "", "bayescale: first\\nsecond\n")

    @pytest.mark.slow
    def test_a_full_disk_is_one_line_after_the_answer(self, files: Files, tmp_path: Path) -> None:
        outputs = ["--csv", "/dev/full", "--save", tmp_path / "a.fit"]
        done = forecast_with(files, "--json", *outputs)
        assert done.status == 2
        assert [target["name"] for target in parse(done.out)["targets"]] == ["code-8"]
        assert done.err.startswith("bayescale: file '/dev/full': must be written whole; got No sp")
        assert done.err.count("\n") == 1
        assert [path.name for path in tmp_path.iterdir()] == ["a.fit"], "written all the same"

    @pytest.mark.slow
    def test_so_is_a_folder_that_went_away_meanwhile(
        self, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, made = tmp_path / "out", command.make_forecast
        folder.mkdir()
        monkeypatch.setattr(
            command, "make_forecast", lambda *a, **k: (folder.rmdir(), made(*a, **k))[1]
        )
        done = forecast_with(files, "--csv", folder / "a.csv", "--plot", folder / "a.png")
        assert done.status == 2
        assert "code-8" in done.out
        lines = done.err.splitlines()
        assert [line.split(": ")[1] for line in lines] == [
            f"file {str(folder / name)!r}" for name in ("a.csv", "a.png")
        ]

    @pytest.mark.slow
    def test_a_link_and_a_device_stay_what_they_are(self, files: Files, tmp_path: Path) -> None:
        (tmp_path / "there").mkdir()
        (tmp_path / "link.csv").symlink_to("there/a.csv")
        done = forecast_with(files, "--csv", tmp_path / "link.csv", "--save", "/dev/null")
        assert done.err == ""
        assert (tmp_path / "link.csv").is_symlink()
        assert "code-8" in (tmp_path / "there" / "a.csv").read_text()
        assert Path("/dev/null").is_char_device()
