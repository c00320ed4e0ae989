"""The progress bar of the commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from bayescale.data.names import visible

# Called with a description, and with the amount done or None to leave the amount as it is.
type Update = Callable[[str, float | None], None]


@contextmanager
def progress_bar(
    *, hidden: bool, description: str = "", total: float | None = 1.0
) -> Iterator[Update]:
    """A progress bar on stderr that is removed at the end; yields the function that moves it.

    Parameters
    ----------
    hidden
        Whether to show no bar. There is also none where stderr is not a terminal.
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
    with Progress(
        console=Console(stderr=True),
        transient=True,
        disable=hidden or not sys.stderr.isatty(),
    ) as bar:
        task = bar.add_task(description, total=total)

        def update(text: str, completed: float | None) -> None:
            bar.update(task, description=escape(visible(text)), completed=completed)

        yield update
