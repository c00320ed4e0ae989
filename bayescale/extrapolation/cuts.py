"""The ladder as it stood at earlier cuts: its runs up to a compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from bayescale.data.ladder import Ladder

SIZES = 3  # of every series below the first cut
# runs whose compute differs by less are on one side of every cut: reruns differ in their last batch
SAME_COST = 1.02


def cuts(compute: pd.Series, *, first: float, ratio: float) -> list[float]:
    """Compute of the dearest run below each cut: from the first run at or above `first`, each at
    least `ratio` times the one before, never the dearest of all.

    They are found upwards, so those of a ladder without its dearest runs are those of the whole
    ladder, as far as they go.
    """
    ends: list[float] = []
    values = np.sort(compute.to_numpy())
    for value in values:
        if value >= (ends[-1] * ratio if ends else first) and values[-1] > value * SAME_COST:
            ends.append(float(value))
    return ends


def enough_runs(ladder: Ladder, runs: int, places: pd.Series) -> float:
    """The compute (or whatever `places` says of each run) up to which every series has that many
    runs, and 3 sizes where it ever has; infinite without.

    Two sizes cannot tell how fast the loss falls with size from where it would end.
    """
    cells = ladder.frame.drop_duplicates(["run", "loss_name"])
    size = np.log(cells["params"]).round(1)
    cells = cells.assign(place=cells["run"].map(places), size=size).sort_values("place")
    reached = []
    for _, cell in cells.groupby(["corpus", "loss_name"]):
        enough = (np.arange(len(cell)) >= runs - 1) & (
            (~cell["size"].duplicated()).cumsum() >= min(SIZES, cell["size"].nunique())
        )
        reached.append(float(cell["place"][enough].min()) if enough.any() else float("inf"))
    return max(reached)


def one_measure(ladder: Ladder) -> Ladder:
    """The runs that a fit may see, all with measured FLOPs or all by 6ND, so that no part of them
    is measured where the whole is not.
    """
    seen = ladder.with_role("fit", "link")
    return (
        seen if ladder.compute_is_measured else replace(seen, _rows=seen.frame.assign(flops=np.nan))
    )


def below(ladder: Ladder, cut: float) -> Ladder:
    """The runs that cost no more than `cut`."""
    return ladder.up_to(flops=cut * SAME_COST)
