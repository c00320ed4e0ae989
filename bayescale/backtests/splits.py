"""The splits of a backtest: what is fitted and what is forecast at each cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from bayescale.backtests.cuts import SAME_COST, enough_runs, one_measure
from bayescale.backtests.cuts import cuts as cuts_of
from bayescale.data.ladder import Ladder
from bayescale.data.target import Target, six_nd
from bayescale.errors import DataError, SettingError
from bayescale.fits.record import Fit
from bayescale.validation import require_positives

# Roles of finished runs. A run that only a link may see need not be finished.
FINISHED = ("fit", "held_out", "target")
By = Literal["flops", "params", "tokens"]
# The default cuts: runs of every series below the first one, least ratio of compute from one cut to
# the next, and their largest number.
FIRST_RUNS = 8
MIN_RATIO = 1.5
MAX_CUTS = 8


@dataclass(frozen=True)
class Split:
    """One cut of a ladder.

    Parameters
    ----------
    ladder
        The whole ladder, with its outcomes.
    by
        What the cuts are of.
    cut
        The largest size that is fitted.
    size
        What the cuts are of, indexed by run.
    seed
        Seed of the forecasts.
    """

    ladder: Ladder
    by: str
    cut: float
    size: pd.Series
    seed: int

    @property
    def fitted(self) -> Ladder:
        """The runs that a fit may see, up to the cut."""
        return one_measure(self.ladder).up_to(**{self.by: self.cut * SAME_COST})

    def targets(self, fit: Fit) -> list[Target]:
        """The finished runs beyond the cut whose corpus the fit knows."""
        beyond = set(self.size.index[self.size > self.cut * SAME_COST])
        corpora = fit.loss_data.groups.corpora
        return [
            target
            for target in self.ladder.targets(*FINISHED)
            if target.label in beyond and target.corpus in corpora
        ]


def default_cuts(ladder: Ladder, by: By = "flops") -> list[float]:
    """Cuts from 8 runs of every series upwards, at least 1.5 times apart.

    The last one is the whole ladder, where larger runs are finished.

    Raises
    ------
    DataError
        Where the ladder is too small for a single cut.
    """
    fitted = ladder.with_role("fit")
    size = size_of(ladder, by)[fitted.runs.index]
    first = enough_runs(fitted, FIRST_RUNS, size)
    last = float(size.max())
    least = MIN_RATIO if by == "flops" else SAME_COST
    ratio = max(least, (last / first) ** (1 / (MAX_CUTS - 1)))
    cuts = cuts_of(size, first=first, ratio=ratio)
    if (size_of(ladder.with_role(*FINISHED), by) > last * SAME_COST).any():
        cuts.append(last)
    if not cuts:
        raise DataError(
            "ladder to backtest",
            rule=f"must have {FIRST_RUNS} fitted runs of every series and finished larger ones",
            got="fewer",
            way_out="give cuts=, or add runs",
        )
    return cuts


def size_of(ladder: Ladder, by: str) -> pd.Series:
    """What the cuts are of, indexed by run."""
    runs = ladder.runs
    if by == "flops":
        return ladder.compute().fillna(six_nd(runs["params"], runs["tokens"]))
    return runs[by]


def check_cuts(ladder: Ladder, size: pd.Series, by: str, given: Sequence[float]) -> list[float]:
    """The cuts in order; of cuts that leave the same runs below, the lowest."""
    cuts = require_positives("cuts", given, way_out="such as cuts=[1e20, 1e21]")
    fitted = size[ladder.runs["role"].isin(["fit"])]
    for cut in cuts:
        if not (fitted <= cut * SAME_COST).any() or not (size > cut * SAME_COST).any():
            raise SettingError(
                "cuts",
                rule=f"must leave runs on both sides of {by}",
                got=f"{cut:g}",
                way_out=f"between {fitted.min():.3g} and {size.max():.3g}",
            )
    runs_below = {int((fitted <= cut * SAME_COST).sum()): cut for cut in sorted(cuts, reverse=True)}
    return sorted(runs_below.values())
