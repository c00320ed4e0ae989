"""value_of_information(fit, target, candidates) -> Evidence: which small runs are worth buying
before the large one is decided on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale.checks import Status
from bayescale.data.names import paragraph
from bayescale.data.target import Target
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.cost import AnyCost
from bayescale.decisions.evsi import UNRELIABLE, Question
from bayescale.decisions.preference import Preference, make_preference
from bayescale.decisions.value import Value
from bayescale.errors import SettingError
from bayescale.fits.fit import Fitter
from bayescale.fits.record import Fit
from bayescale.fits.settings import Settings
from bayescale.models.inputs import AUTO
from bayescale.models.links import get_link

OUTCOMES, REFITS = 400, 8
COLUMNS = (
    "candidate",
    "cost",
    "evsi",
    "evsi_se",
    "evsi_floor",
    "net",
    "evpi",
    "narrowing",
    "narrowing_per_cost",
    "method",
    "k",
    "reliable",
    "note",
)


@dataclass(frozen=True, repr=False)
class Evidence:
    """What candidates are worth before the decision, the best first.

    Parameters
    ----------
    table
        One row a candidate: cost, evsi (expected value of its sample information), evsi_se (its
        Monte Carlo error), evsi_floor (what Monte Carlo error alone comes to, of evidence that
        tells nothing: its 90 % quantile), net (evsi - cost), evpi, narrowing (expected share by
        which the target's 90 % interval becomes narrower), narrowing_per_cost, method
        (``reweighting``, or ``refitting`` for runs beyond the ladder's frontier and where weights
        are unreliable), k (of the weights, its 90 % quantile over outcomes), reliable (not where
        weights have k above 0.7, or more than a quarter of the fits failed a check, or that of the
        lowest or highest outcome), note.
    targets, tasks
        Of the forecast that it is about.
    cost, value, preference
        As given.
    status
        Of the fit.
    """

    table: pd.DataFrame
    targets: tuple[Target, ...]
    tasks: tuple[str, ...]
    cost: AnyCost
    value: Value
    preference: Preference
    status: Status

    @property
    def best(self) -> dict[str, Any] | None:
        """The row of the candidate that is worth most beyond its cost; None where none is,
        reliably, or a check of the fit failed.

        What is left after the cost must be more than two standard errors, and more than Monte Carlo
        error alone comes to: a value of information is never negative, so that what Monte Carlo
        error adds to it is not taken away elsewhere.
        """
        if self.status in ("fail", "not run"):
            return None
        beyond = np.maximum(2 * self.table["evsi_se"], self.table["evsi_floor"])
        worth = self.table[self.table["reliable"] & (self.table["net"] > beyond)]
        return {str(k): v for k, v in worth.iloc[0].items()} if len(worth) else None

    def __repr__(self) -> str:
        best = (
            f"best: {self.best['candidate']}, {self.best['net']:.4g} net"
            if self.best
            else "none is worth its cost beyond doubt"
        )
        return f"Evidence({len(self.table)} candidates; {best}; checks of the fit: {self.status})"

    def _repr_html_(self) -> str:
        return paragraph(repr(self)) + self.table.to_html(
            index=False, float_format=lambda v: f"{v:.4g}"
        )


def value_of_information(
    fit: Fit,
    target: Target | Sequence[Target],
    candidates: Sequence[Candidate | Target],
    *,
    cost: AnyCost,
    value: Value,
    risk_aversion: float = 0.0,
    most_regret: float = 1.0,
    stake: float | None = None,
    outcomes: int = OUTCOMES,
    refits: int = REFITS,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> Evidence:
    """EVSI of each candidate = E_y max(0, E[u(net) | y]) - max(0, E u(net)), as certain sums, over
    what it might show; fund nothing is worth 0.

    Candidates at or below the ladder's frontier by weighing the posterior's draws (Pareto-smoothed
    importance sampling), their figures condensed to the linear combination that tells most of the
    targets; candidates beyond it, and those whose weights have k above 0.7, by fitting again on
    simulated outcomes, because a run beyond the frontier moves the anchor of the discrepancy. What
    the ladder's past would say with the runs added is left out of the weights.

    Parameters
    ----------
    fit
        Of one law.
    target
        What is to be decided on: one, or several of which one at most is funded.
    candidates
        What could be bought first; a `Target` is a candidate of one run.
    cost, value, risk_aversion, most_regret, stake
        As in `decide`; a `Cost` gives candidates without a cost theirs, without the tokens that
        nobody serves by them.
    outcomes, refits
        Simulated outcomes of each candidate, by the one method and by the other: two or more.
    seed
        Of everything random.
    progress
        Told the candidate, and the share of all done.

    Raises
    ------
    SettingError
        For a candidate without a cost, a mixture of laws, a fit whose own priors did not come
        through a file, and whatever `decide` refuses.
    """
    if not candidates:
        raise SettingError(
            "candidates",
            rule="must be one or more",
            got="none",
            way_out="such as [Target(params=1e9, tokens=1e11)]",
        )
    if fit.members and fit.via != AUTO:
        raise SettingError(
            "fit",
            rule="must be of one law",
            got="a mixture of laws",
            way_out="ask the heaviest of its members",
        )
    if fit.priors is None:
        raise SettingError(
            "priors of the fit",
            rule="must be known to fit again",
            got="your own, which are not saved",
            way_out="fit anew with priors=",
        )
    if min(outcomes, refits) < 2:
        raise SettingError(
            "outcomes and refits",
            rule="must be 2 or more",
            got=f"{outcomes} and {refits}",
            way_out="leave them out",
        )
    chosen = [c if isinstance(c, Candidate) else Candidate(runs=(c,)) for c in candidates]
    preference = make_preference(value, risk_aversion, most_regret, stake)
    asked = Question(
        fit,
        [target] if isinstance(target, Target) else list(target),
        chosen,
        cost,
        value,
        preference,
        seed,
    )
    spent, rows = [asked.cost_of(i) for i in range(len(chosen))], {}
    for i, candidate in enumerate(chosen):
        if progress is not None:
            progress(candidate.label, i / len(chosen))
        beyond = asked.beyond(i) or (bool(candidate.runs) and fit.noise != "normal")
        if not beyond or candidate.items > 1:
            rows[i] = asked.by_weights(i, outcomes)
            if candidate.items > 1 and (beyond or rows[i]["k"] > UNRELIABLE):
                rows[i] |= {
                    "reliable": False,
                    "note": "runs beyond the frontier, or weights with k above 0.7: ask for the runs alone",
                }
    again = [
        i
        for i in range(len(chosen))
        if i not in rows or (rows[i]["k"] > UNRELIABLE and chosen[i].items == 1)
    ]
    settings = Settings(
        fit.law,
        fit.link or get_link(fit.ladder.link),
        fit.via,
        fit.pooling,
        fit.discrepancy.kind,
        fit.noise,
        fit.blocks,
        fit.priors,
    )
    fitter = Fitter(
        settings, fit.sampler, [ladder for i in again for ladder in asked.outcomes(i, refits)]
    )
    for k, i in enumerate(again):
        rows[i] = asked.by_fits(
            _refitted(fitter, chosen[i].label, k * refits, refits, progress)
        ) | {"k": rows[i]["k"] if i in rows else float("nan")}
    for i, row in rows.items():
        row["note"] = "; ".join([*asked.remarks(i), *filter(None, [row["note"]])])
    table = pd.DataFrame([_priced(chosen[i].label, spent[i], rows[i]) for i in range(len(chosen))])
    tasks = tuple(map(str, asked.made.draws.task.values))
    return Evidence(
        table.sort_values(["net", "narrowing"], ascending=False, ignore_index=True),
        tuple(asked.targets),
        tasks,
        cost,
        value,
        preference,
        fit.status,
    )


def _refitted(
    fitter: Fitter,
    label: str,
    first: int,
    count: int,
    progress: Callable[[str, float], None] | None,
) -> Iterator[Fit]:
    for m in range(count):
        if progress is not None:
            progress(f"{label}, refit {m + 1} of {count}", (first + m) / len(fitter.ladders))
        yield fitter.fit(first + m)


def _priced(label: str, cost: float, row: dict[str, Any]) -> dict[str, Any]:
    """With the cost, and what is left after it."""
    per_cost = row["narrowing"] / cost if cost > 0 else float("nan")
    priced = {
        "candidate": label,
        "cost": cost,
        **row,
        "net": row["evsi"] - cost,
        "narrowing_per_cost": per_cost,
    }
    return {name: priced[name] for name in COLUMNS}
