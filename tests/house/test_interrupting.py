"""Stopping a command at any moment, a fit that is under way at a terminal, and a fit by an error
in the caller's own progress function.
"""

import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bayescale.fits.fit import fit
from helpers.command import CHOICES, run_table
from helpers.fits import small

# seconds: the first where the programs are not in the compilation cache yet, the second whatever
# happens
STARTS, STOPS = 300.0, 30.0
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
UNDER_WAY = re.compile(r"sampling \S+ +[1-9]\d*%")


# Ctrl-C: seconds until the line, and seconds of processor time until the end
SOON, LITTLE = 1.0, 5.0
MOMENTS = 20


class Terminal:
    """What the standard error of a process shows at a terminal."""

    def __init__(self) -> None:
        self._master, self.slave = pty.openpty()
        self._bytes = b""

    def read(self, seconds: float) -> bool:
        """Take what comes within `seconds`; False where the other end is closed."""
        if not select.select([self._master], [], [], seconds)[0]:
            return True
        try:
            some = os.read(self._master, 4096)
        except OSError:  # how Linux says that the other end is closed
            return False
        self._bytes += some
        return bool(some)

    @property
    def text(self) -> str:
        return CONTROL.sub("", self._bytes.decode(errors="replace"))

    @property
    def messages(self) -> list[str]:
        """Its lines without the progress bar's."""
        return [
            line
            for line in re.split(r"[\r\n]+", self.text)
            if line.strip() and not line.startswith("sampling")
        ]

    def close(self) -> None:
        os.close(self._master)


class Stopped(NamedTuple):
    """A command after its Ctrl-C; `listing` is the folder that it was to write to."""

    status: int
    seconds: float
    messages: list[str]
    text: str
    out: str
    listing: dict[str, str]


def stop_when_under_way(
    process: subprocess.Popen[str], terminal: Terminal, folder: Path
) -> Stopped:
    deadline = time.monotonic() + STARTS
    while not UNDER_WAY.search(terminal.text):
        assert terminal.read(1.0), f"it ended by itself: {terminal.text}"
        assert time.monotonic() < deadline, f"it never began to sample: {terminal.text}"
    assert process.poll() is None
    began = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    while terminal.read(1.0) and time.monotonic() < began + STOPS:
        pass
    out, _ = process.communicate(timeout=STOPS)
    seconds = time.monotonic() - began
    listing = {p.name: p.read_text(errors="replace") for p in folder.iterdir()}
    return Stopped(process.returncode, seconds, terminal.messages, terminal.text, out, listing)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stopped]:
    """Ctrl-C in the middle of sampling, where an older table is already there and a fit is not."""
    folder, terminal = tmp_path_factory.mktemp("out"), Terminal()
    (folder / "old.csv").write_text("an older table")
    runs, tasks = folder.with_suffix(".csv"), folder.with_suffix(".tasks")
    run_table().to_csv(runs, index=False)
    tasks.write_text("task,chance,items\npiqa,0.5,1838\nmmlu,0.25,2000\n")
    outputs = ["--csv", folder / "old.csv", "--save", folder / "new.fit", "--plot"]
    options = ["--tasks", tasks, *CHOICES, "--draws", 30000, *outputs, folder / "new.png"]
    command = [sys.executable, "-m", "bayescale", "forecast", runs, *options]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    # a child inherits an ignored Ctrl-C, as of tests that run in the background
    mine = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=terminal.slave,
        text=True,
        env=environment,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, mine)
    os.close(terminal.slave)
    try:
        yield stop_when_under_way(process, terminal, folder)
    finally:
        process.kill()
        process.communicate()
        terminal.close()


@pytest.mark.slow
class TestInterruptedCommand:
    def test_ends_soon_with_the_status_of_an_interrupt(self, stopped: Stopped) -> None:
        assert stopped.status == 130
        assert stopped.seconds < STOPS

    def test_says_so_in_one_line(self, stopped: Stopped) -> None:
        assert stopped.messages == ["bayescale: interrupted"]

    def test_shows_no_traceback_and_no_forecast(self, stopped: Stopped) -> None:
        assert "Traceback" not in stopped.text
        assert "Error" not in stopped.text
        assert stopped.out == ""

    def test_leaves_the_folder_as_it_was(self, stopped: Stopped) -> None:
        assert stopped.listing == {"old.csv": "an older table"}


# The command as its script starts it; the first line says that Python has found the command. What
# it does before, it does for every package.
SCRIPT = "from bayescale.cli import main; print(flush=True); main()"


class Moment(NamedTuple):
    """A command after Ctrl-C at one moment; `processor` is what it took from then on."""

    status: int
    line_after: float
    processor: float
    err: str
    listing: list[str]


def start_forecast(folder: Path) -> subprocess.Popen[bytes]:
    """The command forecast with its defaults, when it begins to import."""
    outputs = ["--csv", folder / "new.csv", "--save", folder / "new.fit"]
    mine = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "forecast", *map(str, outputs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    signal.signal(signal.SIGINT, mine)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """Processor time of a running process so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_seconds() -> float:
    """Processor time of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def interrupt_after(seconds: float, folder: Path) -> Moment:
    others = children_seconds()
    with start_forecast(folder) as process:
        assert process.stderr is not None
        try:
            time.sleep(seconds)
            if process.poll() is not None:
                pytest.skip("the command was faster this time")
            until_then, began = processor_seconds(process), time.monotonic()
            process.send_signal(signal.SIGINT)
            first = process.stderr.readline()
            line_after = time.monotonic() - began
            _, rest = process.communicate(timeout=STOPS)
        finally:
            process.kill()
    return Moment(
        status=process.returncode,
        line_after=line_after,
        processor=children_seconds() - others - until_then,
        err=(first + rest).decode(),
        listing=[path.name for path in folder.iterdir()],
    )


def check_moment(moment: Moment) -> None:
    assert (moment.status, moment.err) == (130, "bayescale: interrupted\n")
    assert moment.line_after < SOON
    assert moment.processor < LITTLE
    # A moment after the answer may find a file, which is a whole one: no temporary ones stay.
    assert set(moment.listing) <= {"new.csv", "new.fit"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds from the first import to the end."""
    process, began = start_forecast(tmp_path_factory.mktemp("whole")), time.monotonic()
    process.communicate(timeout=STARTS)
    assert process.returncode in (0, 1)
    return time.monotonic() - began


class TestAnyMoment:
    @pytest.mark.parametrize(
        "seconds", [0.5, *(pytest.param(s, marks=pytest.mark.slow) for s in (2.0, 8.0))]
    )
    def test_the_forecast_command_stops(self, seconds: float, tmp_path: Path) -> None:
        check_moment(interrupt_after(seconds, tmp_path))

    @pytest.mark.slow
    @pytest.mark.parametrize("number", range(MOMENTS))
    def test_the_forecast_command_stops_from_its_first_import_to_its_end(
        self, number: int, whole: float, tmp_path: Path
    ) -> None:
        check_moment(interrupt_after(0.05 * (whole / 0.05) ** (number / MOMENTS), tmp_path))


class Mine(Exception):  # noqa: N818 (no error of the library's)
    """What a caller's progress function raises."""


class TestProgress:
    @pytest.mark.parametrize("where", ["loss", "accuracy"])
    @pytest.mark.slow
    def test_its_exception_stops_both_steps_and_reaches_the_caller(self, where: str) -> None:
        blocks, error, threads = 200_400 // 100, Mine("enough"), threading.active_count()
        told: list[str] = []

        def progress(step: str, share: float) -> None:
            assert 0 <= share <= 1
            told.append(step)
            # The first call comes before anything is sampled.
            if step == where and share > 0:
                raise error

        with pytest.raises(Mine) as caught:
            fit(
                small(),
                pooling="none",
                discrepancy="none",
                chains=2,
                draws=200_000,
                progress=progress,
            )
        assert caught.value is error
        assert told.count(where) == 2
        assert len(told) < blocks
        assert threading.active_count() == threads
