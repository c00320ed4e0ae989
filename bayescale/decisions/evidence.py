"""value_of_information(fit, target, candidates) -> Evidence: which small runs to buy first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from bayescale.checks import Status
from bayescale.data.names import paragraph
from bayescale.data.target import Target, as_targets
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.cost import AnyCost
from bayescale.decisions.evsi import (
    UNRELIABLE,
    CandidateValue,
    RefitFigures,
    evsi_by_refitting,
    evsi_by_reweighting,
    refit_figures,
)
from bayescale.decisions.preference import Preference, make_preference
from bayescale.decisions.problem import EvsiProblem
from bayescale.decisions.value import Value
from bayescale.errors import SettingError
from bayescale.fits.executors import Executor, check_executor, run_tasks
from bayescale.fits.fit import fit_tasks
from bayescale.fits.record import Fit, require_fit
from bayescale.inference.nuts import require_draws
from bayescale.runtime import check_seed
from bayescale.validation import as_list, check_progress, require_kind, require_whole

# Simulated outcomes of each candidate: by reweighting, and by refitting.
OUTCOMES = 400
REFITS = 8
# Pareto-smoothed importance sampling fits a tail of at least 5 draws in each half of all draws.
MIN_DRAWS = 50
# What is left of the value after the cost must be more than so many standard errors.
STANDARD_ERRORS = 2.0

type Progress = Callable[[str, float], None]


@dataclass(frozen=True, repr=False)
class Evidence:
    """What candidates are worth before the decision, the best first.

    Parameters
    ----------
    table
        One row per candidate: candidate, cost, evsi (expected value of its sample information),
        evsi_se (its Monte Carlo standard error), evsi_floor (90 % quantile of what Monte Carlo
        error alone gives, for evidence that tells nothing), net (evsi less cost), evpi, narrowing
        (expected share by which the target's 90 % interval becomes narrower), narrowing_per_cost,
        method (``reweighting``; ``refitting`` where weights are unreliable), k (Pareto k of the
        weights, its 90 % quantile over outcomes),
        reliable, note. An estimate is not reliable where weights have k above 0.7, more than a
        quarter of the refits failed a check, or the refit of the lowest or highest outcome did.
    targets, tasks
        Targets and tasks of the forecast that the evidence is about.
    cost, value, preference
        Cost, value and preference that were asked for.
    status
        Gravest status of the checks of the fit.
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
        """The row of the candidate with the largest net value; None where no candidate is worth it.

        The net value must be above two standard errors and above the floor. A value of information
        is never negative, so what Monte Carlo error adds to it is not taken away elsewhere. None
        also where a check of the fit failed.
        """
        if self.status == "fail":
            return None
        least = np.maximum(STANDARD_ERRORS * self.table["evsi_se"], self.table["evsi_floor"])
        worth = self.table[self.table["reliable"] & (self.table["net"] > least)]
        return {str(k): v for k, v in worth.iloc[0].items()} if len(worth) else None

    def __repr__(self) -> str:
        best = "none is worth its cost beyond doubt"
        if self.best:
            best = f"best: {self.best['candidate']}, {self.best['net']:.4g} net"
        return f"Evidence({len(self.table)} candidates; {best}; checks of the fit: {self.status})"

    def _repr_html_(self) -> str:
        table = self.table.to_html(index=False, float_format=lambda v: f"{v:.4g}")
        return paragraph(repr(self)) + table


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
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Evidence:
    """EVSI = E_y max(0, E[u(net) | y]) - max(0, E u(net)) of each candidate, as a certain sum.

    y is what the candidate might show; funding nothing is worth 0. A candidate is valued by
    weighing the posterior's draws (Pareto-smoothed importance sampling), its figures condensed to
    the linear combination that tells most of the targets. A run beyond the ladder tells of the
    errors of law and link too. Where weights have k above 0.7, the candidate is valued by fitting
    again on simulated outcomes.

    Parameters
    ----------
    fit
        A fit of one law.
    target
        The run that is decided on; or several, of which one at most is funded.
    candidates
        What could be bought first. A `Target` is a candidate of one run.
    cost, value, risk_aversion, most_regret, stake
        As in `decide`. A `Cost` prices candidates that have no cost of their own; it leaves out the
        tokens served.
    outcomes
        Simulated outcomes of each candidate by reweighting, two or more.
    refits
        Simulated outcomes of each candidate by refitting, two or more.
    seed
        Seed of everything random.
    executor
        What runs the refits side by side, as in `backtest`; None for this process.
    progress
        Function that is told the candidate, and the share of all work that is done.

    Returns
    -------
    Evidence
        One row per candidate, the best first.

    Raises
    ------
    SettingError
        For a candidate without a cost, a mixture of laws, a fit whose own priors did not come
        through a file, and whatever `decide` refuses.

    Examples
    --------
    >>> import bayescale as bs
    >>> bs.setup(chains=2)
    >>> ladder = bs.load_dataset("ladder2024", tasks=["hellaswag"])
    >>> fit = bs.fit(ladder, law="chinchilla", discrepancy="none", chains=2, draws=100)
    >>> target = bs.Target(7e9, 4e12, flops=1.7e23, name="7B")
    >>> run = bs.Target(7.6e8, 7.6e10, name="760M again")
    >>> value = bs.Threshold(worth=3e6, accuracy=0.8)
    >>> evidence = bs.value_of_information(fit, target, [run], cost=bs.Cost("H100"), value=value)
    >>> evidence.table["candidate"].tolist(), evidence.table["method"].tolist()
    (['760M again'], ['reweighting'])
    """
    chosen = _candidates(candidates)
    _check(fit, outcomes, refits, seed, progress)
    check_executor(executor)
    require_draws(fit.sampler, MIN_DRAWS, "the value of information")
    preference = make_preference(value, risk_aversion, most_regret, stake)
    targets = as_targets(target)
    ask = partial(
        EvsiProblem,
        targets=targets,
        candidates=chosen,
        cost=cost,
        value=value,
        preference=preference,
        seed=seed,
    )
    problem = ask(fit)
    costs = [problem.cost_of(i) for i in range(len(chosen))]
    values = _reweighted(problem, outcomes, progress)
    values |= _refitted(
        problem, values, partial(refit_figures, ask), refits, executor=executor, progress=progress
    )
    rows = [
        _row(candidate.label, costs[i], values[i], problem.remarks(i))
        for i, candidate in enumerate(chosen)
    ]
    table = pd.DataFrame(rows).sort_values(["net", "narrowing"], ascending=False, ignore_index=True)
    return Evidence(
        table=table,
        targets=targets,
        tasks=tuple(map(str, problem.joint.draws.task.values)),
        cost=cost,
        value=value,
        preference=preference,
        status=problem.joint.status,
    )


def _candidates(given: object) -> list[Candidate]:
    """The candidates as such, each Target as a candidate of one run."""
    candidates = [given] if isinstance(given, Candidate) else as_list(given)
    if not candidates:
        raise SettingError(
            "candidates",
            rule="must be one or more",
            got="none",
            way_out="such as [Target(params=1e9, tokens=1e11)]",
        )
    for one in candidates:
        require_kind(
            "candidates",
            one,
            Candidate | Target,
            rule="must be Candidates or Targets",
            way_out="such as [Target(params=1e9, tokens=1e11)]",
        )
    return [c if isinstance(c, Candidate) else Candidate(runs=as_targets(c)) for c in candidates]


def _check(fit: Fit, outcomes: object, refits: object, seed: int, progress: object) -> None:
    """A SettingError for a fit that candidates cannot be valued by, and for wrong arguments."""
    require_fit(fit)
    if fit.is_mixture:
        raise SettingError(
            "fit",
            rule="must be of one law",
            got="a mixture of laws",
            way_out="ask the heaviest of its members",
        )
    fit.settings.require_priors()
    for what, count in (("outcomes", outcomes), ("refits", refits)):
        require_whole(what, count, 2, way_out="leave it out")
    check_seed(seed)
    check_progress(progress)


def _reweighted(
    problem: EvsiProblem, outcomes: int, progress: Progress | None
) -> dict[int, CandidateValue]:
    """Values by reweighting, by index, of the candidates that reweighting can value."""
    values = {}
    for i, candidate in enumerate(problem.candidates):
        if progress is not None:
            progress(candidate.label, i / len(problem.candidates))
        more_items = candidate.items > 1
        # Figures are weighed by a normal density, so other noise needs refits.
        needs_refits = bool(candidate.runs) and problem.fit.noise != "normal"
        if needs_refits and not more_items:
            continue
        one = evsi_by_reweighting(problem, i, outcomes)
        if more_items and (needs_refits or one.k > UNRELIABLE):
            note = "weights with k above 0.7: ask for the runs alone"
            one = replace(one, reliable=False, note=note)
        values[i] = one
    return values


def _refitted(
    problem: EvsiProblem,
    reweighted: dict[int, CandidateValue],
    made_of: Callable[[Fit], RefitFigures | None],
    refits: int,
    *,
    executor: Executor | None,
    progress: Progress | None,
) -> dict[int, CandidateValue]:
    """Values by refitting, by index, of the candidates that reweighting cannot value."""
    indices = []
    for i, candidate in enumerate(problem.candidates):
        unreliable = i in reweighted and reweighted[i].k > UNRELIABLE and candidate.items == 1
        if i not in reweighted or unreliable:
            indices.append(i)
    ladders = [ladder for i in indices for ladder in problem.outcomes(i, refits)]
    labels = [problem.candidates[i].label for i in indices]
    names = [f"{label}, refit {m + 1} of {refits}" for label in labels for m in range(refits)]
    named = {place: (name, made_of) for place, name in enumerate(names)}
    settings, sampler = problem.fit.settings, problem.fit.sampler
    tasks = fit_tasks(settings, sampler, ladders, named, here=executor is None)
    figures: dict[int, RefitFigures | None] = {}

    def keep(place: int, refit: RefitFigures | None) -> None:
        figures[place] = refit
        if progress is not None:
            progress(names[place], len(figures) / len(names))

    run_tasks(tasks, executor, keep)
    values = {}
    for position, i in enumerate(indices):
        places = range(position * refits, (position + 1) * refits)
        one = evsi_by_refitting(problem, [figures[place] for place in places])
        k = reweighted[i].k if i in reweighted else float("nan")
        values[i] = replace(one, k=k)
    return values


def _row(label: str, cost: float, value: CandidateValue, remarks: Sequence[str]) -> dict[str, Any]:
    """The row of one candidate, with its cost and what is left after the cost."""
    notes = [*remarks, value.note] if value.note else list(remarks)
    return {
        "candidate": label,
        "cost": cost,
        "evsi": value.evsi,
        "evsi_se": value.evsi_se,
        "evsi_floor": value.evsi_floor,
        "net": value.evsi - cost,
        "evpi": value.evpi,
        "narrowing": value.narrowing,
        "narrowing_per_cost": value.narrowing / cost if cost > 0 else float("nan"),
        "method": value.method,
        "k": value.k,
        "reliable": value.reliable,
        "note": "; ".join(notes),
    }
