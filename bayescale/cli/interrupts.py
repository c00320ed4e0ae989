"""Ctrl-C at the command line: one line on stderr at once, and soon the end, with exit status 130.

Python tells the main thread of a signal only between two steps of Python code, so a compilation
would hold up the answer for half a minute. A thread of its own waits for the signal here.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable

# Exit status after Ctrl-C: 128 plus the number of the signal, 2.
INTERRUPTED = 130
# A command has so many seconds of processor time, and so many of the clock, to remove what it has
# half written. It needs a few milliseconds; a compilation may hold it up, and that is not awaited.
PROCESSOR_SECONDS = 1.5
SECONDS = 5.0
ERASE_LINE, SHOW_CURSOR = "\r\x1b[2K", "\x1b[?25h"


class Interrupts:
    """What Ctrl-C does in the process of a command, from `watch` to the end of the process.

    While code is loaded, the process ends at once: nothing is half written then. While a command
    runs, the main thread gets a KeyboardInterrupt, which removes half-written files on its way.
    The process ends when that is done, at the end of the time for it, or at a second Ctrl-C.
    """

    def __init__(self) -> None:
        self._came = False
        self._command_runs = False
        self._kept = ""
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def watch(self) -> None:
        """Begin to watch for Ctrl-C; not where the parent process had it ignored."""
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            return
        self._signals, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end)
        signal.signal(signal.SIGINT, self._interrupt_main_thread)
        sys.unraisablehook = _show_unraisable
        self._watcher.start()

    def command_begins(self, kept: str) -> None:
        """From now on, Ctrl-C is a KeyboardInterrupt first.

        Parameters
        ----------
        kept
            What the command keeps of its work when it is interrupted; empty for nothing.
        """
        self._kept = kept
        self._command_runs = True

    def until_the_end(self, run: Callable[[], int | None]) -> int | None:
        """The exit status that `run` returns; after Ctrl-C, the process ends here.

        Parameters
        ----------
        run
            Function that runs a command.
        """
        try:
            return run()
        finally:
            self._command_runs = False
            if self._came:
                # What came out is not shown: C code makes other errors of a KeyboardInterrupt.
                self._watcher.join()

    def _interrupt_main_thread(self, *_: object) -> None:
        """Raise KeyboardInterrupt in a command, once; else leave the end to the watcher."""
        if self._command_runs and not self._came:
            self._came = True
            raise KeyboardInterrupt
        self._watcher.join()

    def _watch(self) -> None:
        """Wait for Ctrl-C, say so, and end the process."""
        os.read(self._signals, 1)
        kept = f"; {self._kept}" if self._kept else ""
        _say(f"bayescale: interrupted{kept}\n")
        clock, processor = time.monotonic(), time.process_time()
        while (
            self._command_runs
            and time.monotonic() - clock < SECONDS
            and time.process_time() - processor < PROCESSOR_SECONDS
        ):
            again, _, _ = select.select([self._signals], [], [], 0.02)
            if again:
                break
        # A progress bar hides the cursor of the terminal.
        _say(SHOW_CURSOR if os.isatty(2) else "")
        os._exit(INTERRUPTED)


def _say(text: str) -> None:
    """Write to stderr in place of the progress bar, past the locks of `sys.stderr`."""
    # Where stderr is closed, there is nobody to tell, and the process still has to end.
    with contextlib.suppress(OSError):
        os.write(2, (ERASE_LINE * os.isatty(2) + text).encode())


def _show_unraisable(what: sys.UnraisableHookArgs) -> None:
    """Show an error that Python cannot raise, but no KeyboardInterrupt in a callback of C code."""
    if not isinstance(what.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(what)
