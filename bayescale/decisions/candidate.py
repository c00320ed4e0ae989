"""Candidate: small runs, or more questions per task, that could be bought before the decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bayescale.data.target import Target, as_targets
from bayescale.errors import SettingError
from bayescale.validation import require_kind, require_number


@dataclass(frozen=True)
class Candidate:
    """Evidence that could be bought before the decision.

    Parameters
    ----------
    runs
        Small runs that are trained together. A run with the parameters and tokens of a fitted run
        is a rerun.
    cost
        Cost of the whole candidate, in money; None where a `Cost` prices its runs.
    items
        Factor by which the number of questions of every task grows, asked of every fitted run; 1
        for no further questions.
    name
        Name of the candidate; None for a name made of its runs.

    Raises
    ------
    SettingError
        For a candidate with neither runs nor further questions, a factor below 1, a run with a
        shift, a cost that is negative or not finite, and anything of another type.
    """

    runs: Sequence[Target] = ()
    cost: float | None = None
    items: float = 1.0
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "runs", as_targets(self.runs, "runs of a candidate"))
        items = require_number(
            "items of a candidate",
            self.items,
            lambda x: x >= 1,
            rule="must be 1 or more",
            way_out="4 asks four times as many questions",
        )
        object.__setattr__(self, "items", items)
        require_kind(
            "name of a candidate",
            self.name,
            str | None,
            rule="must be a text, or None",
            way_out="leave it out, and the runs name it",
        )
        if not self.runs and self.items == 1:
            raise SettingError(
                "candidate",
                rule="must have runs, or more items",
                got="neither",
                way_out="such as runs=[Target(...)], or items=4",
            )
        shifted = [run.label for run in self.runs if run.shift]
        if shifted:
            raise SettingError(
                "runs of a candidate",
                rule="must be like the ladder's",
                got=f"{shifted[0]} with a shift",
                way_out="leave shift= to targets",
            )
        if self.cost is not None:
            cost = require_number(
                "cost of a candidate",
                self.cost,
                lambda x: x >= 0,
                rule="must be money, 0 or more",
                way_out="such as cost=2e4",
            )
            object.__setattr__(self, "cost", cost)

    @property
    def label(self) -> str:
        """Its name, or else the names of its runs."""
        items = [f"{self.items:g} x the questions"] if self.items > 1 else []
        return self.name or " + ".join([*(run.label for run in self.runs), *items])
