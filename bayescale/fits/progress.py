"""progress_line(): the progress of a fit as one line of text, for a notebook or a script."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# Words for the stages of a fit.
STAGES = {"loss": "losses", "accuracy": "accuracies"}


def progress_line() -> Callable[[str, float], None]:
    """The share that is done and the time left of each stage, as one line that is written anew.

    Pass it to `fit` or `update`. The line needs no terminal and no widget.

    Returns
    -------
    function
        The `progress` of one call of `fit` or `update`.

    Examples
    --------
    >>> import bayescale as bs
    >>> progress = bs.progress_line()
    >>> progress("loss", 1.0)  # doctest: +NORMALIZE_WHITESPACE
    losses: done
    """
    lock = threading.Lock()
    first: dict[str, tuple[float, float]] = {}
    texts: dict[str, str] = {}
    width = 0

    def progress(stage: str, share: float) -> None:
        nonlocal width
        # The stages have a thread each.
        with lock:
            now = time.perf_counter()
            if share == 0:
                first.pop(stage, None)
            else:
                first.setdefault(stage, (now, share))
            texts[stage] = f"{STAGES.get(stage, stage)}: {_text(share, now, first.get(stage))}"
            line = "; ".join(texts.values())
            # Blanks cover what is left of a longer line.
            print(f"\r{line:<{width}}", end="", flush=True)
            width = max(width, len(line))

    return progress


def _text(share: float, now: float, first: tuple[float, float] | None) -> str:
    """What a stage does: the rate since its first block of iterations gives the time left."""
    if share >= 1:
        return "done"
    if first is None:
        return "compiling"
    began, before = first
    if share == before:
        return f"{100 * share:.0f} %"
    left = (now - began) * (1 - share) / (share - before)
    return f"{100 * share:.0f} %, {left:.0f} s left"
