"""Stopping a fit that is under way: Ctrl-C at the terminal, and an error in the caller's own
progress function.
"""

import os
import pty
import re
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


class Mine(Exception):  # noqa: N818 (no error of the library's)
    """What a caller's progress function raises."""


class TestProgress:
    @pytest.mark.parametrize("where", ["loss", pytest.param("accuracy", marks=pytest.mark.slow)])
    def test_its_exception_stops_both_steps_and_reaches_the_caller(self, where: str) -> None:
        blocks, error, threads = 200_400 // 100, Mine("enough"), threading.active_count()
        told: list[str] = []

        def progress(step: str, share: float) -> None:
            assert 0 < share <= 1
            told.append(step)
            if step == where:
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
        assert told.count(where) == 1
        assert len(told) < blocks
        assert threading.active_count() == threads
