"""The bars of a fit at a terminal: what each stage does, and when there are none."""

import io
import re
import time
from contextlib import redirect_stderr

import pytest

from bayescale.cli.progress import QUIET, fit_bars, note, progress_bar
from bayescale.inference.nuts import Sampler

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BAR = re.compile(r"sampling (\w+) +(\d+)% \S+ [-:0-9]+ ([a-z][a-z -]*[a-z])")


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return Terminal()


def of_a_fit(stderr: io.StringIO, *, hidden: bool = False) -> str:
    """What both stages show; each report stands for longer than the bars take to be drawn again."""
    sampler = Sampler(draws=400, warmup=400)
    with redirect_stderr(stderr), fit_bars(hidden=hidden, sampler=sampler) as progress:
        for stage, share in (
            ("loss", 0.0),
            ("accuracy", 0.0),
            ("loss", 0.25),
            ("loss", 0.75),
            ("accuracy", 0.5),
            ("loss", 1.0),
        ):
            progress(stage, share)
            time.sleep(0.15)
    return CONTROL.sub("", stderr.getvalue())


class TestFitBars:
    def test_say_what_each_stage_does_and_how_much_is_done(self, terminal: Terminal) -> None:
        told = dict.fromkeys(BAR.findall(of_a_fit(terminal)))
        assert [(share, phase) for stage, share, phase in told if stage == "losses"] == [
            ("0", "finding the modes"),
            ("0", "compiling"),
            ("25", "warm-up"),
            ("75", "sampling"),
            ("100", "done"),
        ]
        assert ("accuracies", "50", "sampling") in told

    def test_time_left_is_shown(self, terminal: Terminal) -> None:
        assert "0:00:0" in of_a_fit(terminal)

    @pytest.mark.slow
    @pytest.mark.parametrize("quiet", [True, False])
    def test_nothing_is_shown_after_quiet_or_where_hidden(
        self, terminal: Terminal, quiet: bool
    ) -> None:
        token = QUIET.set(quiet)
        try:
            of_a_fit(terminal, hidden=not quiet)
            with (
                redirect_stderr(terminal),
                progress_bar(hidden=not quiet, description="forecast", total=None) as update,
            ):
                update("forecast", None)
                if quiet:
                    note("a note")
        finally:
            QUIET.reset(token)
        assert terminal.getvalue() == ""

    def test_nothing_is_shown_where_stderr_is_no_terminal(self) -> None:
        assert of_a_fit(io.StringIO()) == ""


def test_a_note_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    note("two\nlines")
    assert capsys.readouterr().err == "bayescale: two\\nlines\n"
