"""What the commands print on stderr beside the answer: progress bars and notes, and --quiet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from bayescale.data.names import visible
from bayescale.fits.progress import STAGES

if TYPE_CHECKING:
    from bayescale.inference.nuts import Sampler

# Called with a description, and with the amount done or None to leave the amount as it is.
type Update = Callable[[str, float | None], None]

# Value of --quiet of the command that runs.
QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


def note(text: object) -> None:
    """Print one line on stderr, unless --quiet was given.

    Parameters
    ----------
    text
        Any object; its `str` is shown, each control character as its escape.
    """
    if not QUIET.get():
        print(f"bayescale: {visible(text)}", file=sys.stderr)


@contextmanager
def progress_bar(
    *, hidden: bool, description: str = "", total: float | None = 1.0
) -> Iterator[Update]:
    """A progress bar on stderr that is removed at the end; yields the function that moves it.

    Parameters
    ----------
    hidden
        Whether to show no bar. There is also none after --quiet, and where stderr is not a
        terminal.
    description
        Text in front of the bar before the first update.
    total
        Amount of work at which the bar is full; None for an unknown amount.

    Yields
    ------
    Update
        Function of a description and the amount done (None leaves the amount as it is). Names in
        the description are shown as they are: nothing in them is read as markup.
    """
    with _bars(hidden) as bars:
        task = bars.add_task(description, total=total, phase="")

        def update(text: str, completed: float | None) -> None:
            bars.update(task, description=escape(visible(text)), completed=completed)

        yield update


@contextmanager
def fit_bars(*, hidden: bool, sampler: Sampler) -> Iterator[Callable[[str, float], None]]:
    """One bar per stage of a fit, with the time left and what is being done.

    Parameters
    ----------
    hidden
        As in `progress_bar`.
    sampler
        Settings of the sampler, whose warm-up is told apart.

    Yields
    ------
    function
        The `progress` of `bayescale.fit`.
    """
    warmup = sampler.warmup / (sampler.warmup + sampler.draws)
    with _bars(hidden) as bars:
        # The bar of the losses is there from the start, because finding the modes takes seconds. A
        # ladder without accuracies has no second bar.
        tasks = {"loss": bars.add_task("sampling losses", total=1.0, phase="finding the modes")}

        def progress(stage: str, share: float) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(f"sampling {STAGES[stage]}", total=1.0, phase="")
            if share == 0:
                # The next fit of a mixture, or a second attempt with smaller steps: without it the
                # time left would be that of the attempt before.
                bars.reset(tasks[stage])
            bars.update(tasks[stage], completed=share, phase=_phase(share, warmup))

        yield progress


def _phase(share: float, warmup: float) -> str:
    """What a stage does once this share of its iterations is done."""
    if share == 0:
        return "compiling"
    if share < warmup:
        return "warm-up"
    return "sampling" if share < 1 else "done"


def _bars(hidden: bool) -> Progress:
    """Bars on stderr that are removed at the end."""
    return Progress(
        TextColumn("{task.description}"),
        TaskProgressColumn(),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[phase]}"),
        console=Console(stderr=True),
        transient=True,
        disable=hidden or QUIET.get() or not sys.stderr.isatty(),
    )
