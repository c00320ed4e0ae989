"""The command line, `python -m bayescale`: each command calls the library and prints the result.

Exit status: 0 on success; 1 where a check of the sampler failed, or where a reproduced figure
differs from the paper's; 2 on bad input; 130 after Ctrl-C.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from functools import partial

from bayescale.cli.interrupts import Interrupts

# Start of Python in this process, on the clock of `time.perf_counter`. The time before this file
# was loaded is processor time, because the process may have started earlier, as a shell.
STARTED = time.perf_counter() - time.process_time()


def load(place: str) -> Callable[..., int | None]:
    """The function at a place, such as ``bayescale.cli.data:check``.

    Its module is loaded now: that takes seconds, so it waits until Ctrl-C is watched for, and
    until the command is known.
    """
    module, _, function = place.partition(":")
    return getattr(importlib.import_module(module), function)


def main() -> None:
    """Run the command line; Ctrl-C ends the process from here on (see `Interrupts`).

    Raises
    ------
    SystemExit
        With the exit status of the command.
    """
    interrupts = Interrupts()
    interrupts.watch()
    run_command = load("bayescale.cli.group:run_command")
    sys.exit(interrupts.until_the_end(partial(run_command, interrupts=interrupts)))
