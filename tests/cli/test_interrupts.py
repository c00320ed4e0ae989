"""Ctrl-C in a small process that stands for a command: the line, the end, and what is undone."""

import signal
import subprocess
import sys
import time
from typing import NamedTuple

import pytest

from bayescale.cli.group import run_command
from bayescale.cli.interrupts import PROCESSOR_SECONDS, SECONDS, Interrupts

LINE = "bayescale: interrupted\n"
BEGIN = """
import atexit, os, sys, time
from bayescale.cli.interrupts import Interrupts
interrupts = Interrupts()
interrupts.watch()
def ready():
    print("ready", flush=True)
def pause():
    ready()
    time.sleep(60)
"""
RUN = "sys.exit(interrupts.until_the_end(command))"


class Ended(NamedTuple):
    """A process after its Ctrl-C."""

    status: int
    seconds: float
    out: str
    err: str


def interrupted(code: str, *, again: bool = False) -> Ended:
    """The end of a process that was interrupted when it was ready, once or twice."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    if again:
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return Ended(process.returncode, time.monotonic() - began, out, err)


def command(body: str, kept: str = "") -> str:
    """Code that runs a command with this body."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"def command():\n    interrupts.command_begins({kept!r})\n{lines}{RUN}\n"


class TestCommand:
    def test_undoes_what_it_has_half_done(self) -> None:
        body = "try:\n    pause()\nfinally:\n    print('undone', flush=True)"
        ended = interrupted(command(body))
        assert (ended.status, ended.out, ended.err) == (130, "undone\n", LINE)
        assert ended.seconds < SECONDS

    def test_says_what_it_keeps(self) -> None:
        ended = interrupted(command("pause()", kept="the finished cuts are kept"))
        assert ended.err == "bayescale: interrupted; the finished cuts are kept\n"

    def test_ends_though_it_goes_on_computing(self) -> None:
        spin = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
        ended = interrupted(command(f"ready()\n{spin}"))
        assert (ended.status, ended.err) == (130, LINE)

    @pytest.mark.slow
    def test_ends_though_it_goes_on_waiting(self) -> None:
        body = "try:\n    pause()\nexcept KeyboardInterrupt:\n    time.sleep(60)"
        ended = interrupted(command(body))
        assert (ended.status, ended.err) == (130, LINE)
        assert SECONDS <= ended.seconds < SECONDS + 5

    def test_ends_at_once_after_a_second_time(self) -> None:
        body = "try:\n    pause()\nexcept KeyboardInterrupt:\n    time.sleep(60)"
        ended = interrupted(command(body), again=True)
        assert (ended.status, ended.err) == (130, LINE)
        assert ended.seconds < SECONDS

    def test_shows_no_other_error_that_c_code_makes_of_it(self) -> None:
        body = "try:\n    pause()\nexcept KeyboardInterrupt:\n    raise ImportError('half loaded')"
        ended = interrupted(command(body))
        assert (ended.status, ended.err) == (130, LINE)

    @pytest.mark.slow
    def test_shows_nothing_of_a_callback_that_swallows_it(self) -> None:
        body = (
            "class Callback:\n    def __del__(self):\n        pause()\nCallback()\ntime.sleep(60)"
        )
        ended = interrupted(command(body))
        assert (ended.status, ended.err) == (130, LINE)

    def test_own_errors_are_shown_as_ever(self) -> None:
        body = "class Callback:\n    def __del__(self):\n        1 / 0\nCallback()\npause()"
        assert "ZeroDivisionError" in interrupted(command(body)).err


class TestBeforeAndAfter:
    def test_a_process_that_loads_code_ends_at_once(self) -> None:
        ended = interrupted(f"def command(): pause()\n{RUN}")
        assert (ended.status, ended.err) == (130, LINE)
        assert ended.seconds < SECONDS

    def test_a_process_that_is_about_to_end_says_so_too(self) -> None:
        ended = interrupted(f"atexit.register(pause)\n{command('return 0')}")
        assert (ended.status, ended.err) == (130, LINE)

    def test_a_closed_stderr_does_not_keep_it_from_ending(self) -> None:
        ended = interrupted(f"os.close(2)\n{command('pause()')}")
        assert ended.status == 130

    def test_where_the_parent_ignores_it_the_command_does(self) -> None:
        code = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + BEGIN
        body = "os.kill(os.getpid(), 2)\ntime.sleep(0.2)\nreturn 0"
        done = subprocess.run(
            [sys.executable, "-c", code + command(body)], capture_output=True, text=True, check=True
        )
        assert done.stderr == ""


def test_in_a_session_of_python_importing_and_running_leave_it_an_ordinary_interrupt() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert run_command(["check", "--help"]) == 0
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["backtest", "--help"],
            ["the finished cuts are kept, and the same command resumes from them"],
        ),
        (["check", "--help"], [""]),
        (["--help"], []),
    ],
)
def test_a_command_begins_once_its_code_is_loaded(
    words: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    kept = []

    class Told(Interrupts):
        def command_begins(self, what: str) -> None:
            kept.append(what)

    assert run_command(words, Told()) == 0
    assert kept == expected
    assert "Usage" in capsys.readouterr().out


def test_the_time_to_undo_things_leaves_room_below_5_seconds_of_processor_time() -> None:
    assert PROCESSOR_SECONDS < SECONDS <= 5
