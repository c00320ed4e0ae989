"""Cuts of a ladder, and its runs up to a cut."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescale.data.ladder import Ladder

# Sizes that every series has below the first cut: two sizes cannot tell how fast the loss falls
# with size from where it would end.
MIN_SIZES = 3
# Runs whose compute differs by less are on one side of every cut: reruns differ in their last
# batch.
SAME_COST = 1.02


def cuts(compute: pd.Series, *, first: float, ratio: float) -> list[float]:
    """Largest compute below each cut, rising; the largest run of all is beyond every cut.

    Cuts are found upwards, so a ladder without its largest runs has the same cuts, as far as it
    goes.

    Parameters
    ----------
    compute
        Compute of each run in FLOPs, or another size to cut by.
    first
        The first cut is the first run at or above it.
    ratio
        Least compute of a cut over that of the cut before it.
    """
    ends: list[float] = []
    values = np.sort(compute.to_numpy())
    for value in values:
        if value >= (ends[-1] * ratio if ends else first) and values[-1] > value * SAME_COST:
            ends.append(float(value))
    return ends


def enough_runs(ladder: Ladder, runs: int, size: pd.Series) -> float:
    """The least size of a cut below which every series has `runs` runs, and 3 values of N.

    A series that never has 3 values of N needs all that it has. The result is infinite where a
    series never has enough runs.

    Parameters
    ----------
    ladder
        The runs.
    runs
        Runs that every series needs.
    size
        Compute of each run, or another size to cut by, indexed by run.
    """
    cells = ladder.frame.drop_duplicates(["run", "loss_name"])
    log_params = np.log(cells["params"]).round(1)
    cells = cells.assign(place=cells["run"].map(size), log_params=log_params).sort_values("place")
    least = []
    for _, series in cells.groupby(["corpus", "loss_name"]):
        many = np.arange(len(series)) >= runs - 1
        sizes = (~series["log_params"].duplicated()).cumsum()
        enough = many & (sizes >= min(MIN_SIZES, series["log_params"].nunique()))
        least.append(float(series["place"][enough].min()) if enough.any() else float("inf"))
    return max(least)


def one_measure(ladder: Ladder) -> Ladder:
    """The runs that a fit may see, all with measured FLOPs or all by 6ND.

    So no part of a ladder is measured where the whole is not.
    """
    seen = ladder.with_role("fit", "link")
    return seen if ladder.compute_is_measured else seen.without_flops()


def below(ladder: Ladder, cut: float) -> Ladder:
    """The runs whose compute is not above a cut in FLOPs."""
    return ladder.up_to(flops=cut * SAME_COST)
