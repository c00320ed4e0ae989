"""Candidate: small runs, or more items, that could be bought before the decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayescale.data.target import Target
from bayescale.errors import SettingError


@dataclass(frozen=True)
class Candidate:
    """Evidence that could be bought.

    Parameters
    ----------
    runs
        Small runs, trained together; a run of the size and tokens of one that there is, is a rerun.
    cost
        Of all of it, in money; None where a `Cost` says what its runs cost.
    items
        How many times as many questions every task is to have, asked of every fitted run; 1 for no
        more.
    name
        Made up from its runs where there is none.
    """

    runs: Sequence[Target] = ()
    cost: float | None = None
    items: float = 1.0
    name: str | None = None

    def __post_init__(self) -> None:
        if not self.runs and self.items == 1:
            raise SettingError(
                "candidate",
                rule="must have runs, or more items",
                got="neither",
                way_out="such as runs=[Target(...)], or items=4",
            )
        if not np.isfinite(self.items) or self.items < 1:
            raise SettingError(
                "items of a candidate",
                rule="must be 1 or more",
                got=repr(self.items),
                way_out="4 asks four times as many questions",
            )
        widened = [run.label for run in self.runs if run.shift]
        if widened:
            raise SettingError(
                "runs of a candidate",
                rule="must be like the ladder's",
                got=f"{widened[0]} with a shift",
                way_out="leave shift= to targets",
            )
        if self.cost is not None and not (np.isfinite(self.cost) and self.cost >= 0):
            raise SettingError(
                "cost of a candidate",
                rule="must be money, 0 or more",
                got=repr(self.cost),
                way_out="such as cost=2e4",
            )

    @property
    def label(self) -> str:
        """Its name, or its runs'."""
        more = [f"{self.items:g} x the questions"] if self.items > 1 else []
        return self.name or " + ".join([*(t.label for t in self.runs), *more])
