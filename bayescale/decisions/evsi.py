"""The expected value of sample information of one candidate, by two estimators.

`evsi_by_reweighting` weighs the draws of the posterior by each outcome. `evsi_by_refitting` fits
again with each outcome added, where those weights are unreliable.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from bayescale.decisions.figures import combination, condensed
from bayescale.decisions.information import (
    Prospect,
    bootstrap_error,
    information,
    log_likelihood,
    prospect,
    refitting_floor,
    shuffled,
    weights_given,
    width_given,
)
from bayescale.decisions.problem import EvsiProblem
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.runtime import OlderStream, random_generator
from bayescale.validation import check_prob

# Pareto k above which weights are unreliable.
UNRELIABLE = 0.7
# Quantile of Pareto k over the outcomes that stands for all of them.
K_QUANTILE = 0.9
# Largest share of refits whose checks may fail.
MAX_FAILED_SHARE = 0.25
# Probability of the interval that a candidate narrows.
PROB = 0.9


@dataclass(frozen=True)
class CandidateValue:
    """What one candidate would teach.

    Parameters
    ----------
    evsi
        Expected value of its sample information, in money.
    evsi_se
        Monte Carlo standard error of `evsi`.
    evsi_floor
        90 % quantile of what Monte Carlo error alone gives, for evidence that tells nothing.
    evpi
        Expected value of perfect information, in money.
    narrowing
        Expected share by which the target's 90 % interval becomes narrower.
    method
        ``reweighting`` or ``refitting``.
    k
        Pareto k of the weights, its 90 % quantile over the outcomes and the larger of the two
        halves; nan for refits.
    reliable
        Whether the estimate can be relied on.
    note
        What a reader must know, in words.
    """

    evsi: float
    evsi_se: float
    evsi_floor: float
    evpi: float
    narrowing: float
    method: Literal["reweighting", "refitting"]
    k: float
    reliable: bool
    note: str = ""


class _Half(NamedTuple):
    """The estimate on one half of the draws."""

    sample: float
    error: float
    floor: float
    perfect: float
    width_ratio: float
    k: float


def evsi_by_reweighting(problem: EvsiProblem, i: int, outcomes: int) -> CandidateValue:
    """EVSI of the i-th candidate from weights of the draws given each outcome.

    It is the mean of two halves of the draws. Each half is weighed by the combination of figures
    that was found on the other half.

    Parameters
    ----------
    problem
        The decision problem.
    i
        Index of the candidate.
    outcomes
        Number of simulated outcomes.
    """
    halves = [_half(problem, i, outcomes, k) for k in (0, 1)]
    mean = _Half(*map(float, np.mean(halves, 0)))
    k = max(half.k for half in halves)
    return CandidateValue(
        evsi=mean.sample,
        evsi_se=float(np.hypot(halves[0].error, halves[1].error) / 2),
        evsi_floor=mean.floor,
        evpi=mean.perfect,
        narrowing=1 - mean.width_ratio,
        method="reweighting",
        k=k,
        reliable=bool(np.isfinite(mean.sample)) and not k > UNRELIABLE,
    )


def _half(problem: EvsiProblem, i: int, outcomes: int, k: int) -> _Half:
    """The combination is found on the draws k, k + 2, ... and used on the others."""
    halves: tuple[OlderStream, ...] = ("evidence, first half", "evidence, second half")
    rng = random_generator(problem.seed, halves[k])
    found_on, used_on = slice(k, None, 2), slice(1 - k, None, 2)
    figures = problem.figures(i)
    draws = problem.of_targets(problem.joint)
    net = problem.net(draws)[used_on]
    accuracy = problem.accuracy(draws)
    w = combination(figures.of(found_on), accuracy[found_on], rng)
    mean, sd = condensed(figures.of(used_on), w)
    weights, pareto_k = weights_given(log_likelihood(mean, sd, outcomes, rng))
    preference = problem.preference
    value = information(prospect(weights, net, preference), preference)
    error = np.hypot(value.standard_error, bootstrap_error(weights, net, preference, rng))
    return _Half(
        sample=value.sample,
        error=error,
        floor=shuffled(weights, net, preference, rng),
        perfect=value.perfect,
        width_ratio=_width_ratio(accuracy[used_on], weights),
        k=float(np.quantile(pareto_k, K_QUANTILE)),
    )


def _width_ratio(accuracy: np.ndarray, weights: np.ndarray) -> float:
    """Mean over targets of the expected width of the interval, relative to the width before."""
    tails = check_prob(PROB)
    even = weights.mean(1, keepdims=True)
    ratios = [
        width_given(x, weights, tails).mean() / width_given(x, even, tails)[0] for x in accuracy.T
    ]
    return float(np.mean(ratios))


@dataclass
class _Refits:
    """Figures of the refits whose checks did not fail, and which ones failed."""

    utility: list[np.ndarray] = field(default_factory=list)
    regret: list[np.ndarray] = field(default_factory=list)
    perfect: list[float] = field(default_factory=list)
    error: list[np.ndarray] = field(default_factory=list)
    width: list[np.ndarray] = field(default_factory=list)
    failed: list[bool] = field(default_factory=list)

    def add(self, problem: EvsiProblem, fit: Fit) -> None:
        """Forecast the targets by one refit, and add its figures."""
        self.failed.append(fit.status == "fail")
        if self.failed[-1]:
            return
        draws = problem.of_targets(forecast(fit, list(problem.targets), seed=problem.seed))
        net = problem.net(draws)
        utility = problem.preference.utility(net)
        best = problem.preference.utility(np.maximum(net.max(1), 0.0))
        self.utility.append(utility.mean(0))
        self.regret.append((net < 0).mean(0))
        self.perfect.append(best.mean())
        self.error.append(np.atleast_2d(np.cov(utility.T)) / len(utility))
        self.width.append(_widths(problem.accuracy(draws)))

    @property
    def note(self) -> str:
        """Which refits were left out."""
        numbers = [str(m + 1) for m in np.flatnonzero(self.failed)]
        if not numbers:
            return ""
        return (
            f"{len(numbers)} of {len(self.failed)} fits left out "
            f"(no. {', '.join(numbers)} from the lowest outcome): a check failed"
        )

    @property
    def reliable(self) -> bool:
        """Whether few refits failed, and neither that of the lowest nor of the highest outcome."""
        few = sum(self.failed) <= MAX_FAILED_SHARE * len(self.failed)
        return few and not self.failed[0] and not self.failed[-1]


def evsi_by_refitting(problem: EvsiProblem, fits: Iterable[Fit]) -> CandidateValue:
    """EVSI of one candidate from fits with its outcomes added.

    Parameters
    ----------
    problem
        The decision problem.
    fits
        One fit per outcome, from the lowest outcome to the highest.
    """
    refits = _Refits()
    for fit in fits:
        refits.add(problem, fit)
    nan = float("nan")
    if not refits.utility:
        return CandidateValue(
            evsi=nan,
            evsi_se=nan,
            evsi_floor=nan,
            evpi=nan,
            narrowing=nan,
            method="refitting",
            k=nan,
            reliable=False,
            note=refits.note,
        )
    preference = problem.preference
    utility, regret = np.array(refits.utility), np.array(refits.regret)
    given = Prospect(utility, regret, float(np.mean(refits.perfect)))
    value = information(given, preference)
    floor = refitting_floor(
        np.mean(utility, 0),
        np.mean(regret, 0),
        refits.error,
        preference,
        random_generator(problem.seed, "refits"),
    )
    before = _widths(problem.accuracy(problem.of_targets(problem.joint)))
    return CandidateValue(
        evsi=value.sample,
        evsi_se=value.standard_error,
        evsi_floor=floor,
        evpi=value.perfect,
        narrowing=1 - float(np.mean(np.mean(refits.width, 0) / before)),
        method="refitting",
        k=nan,
        reliable=refits.reliable,
        note=refits.note,
    )


def _widths(accuracy: np.ndarray) -> np.ndarray:
    """Width of the interval of each target, shape (targets,)."""
    return np.diff(np.quantile(accuracy, check_prob(PROB), axis=0), axis=0)[0]
