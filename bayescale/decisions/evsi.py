"""The expected value of sample information of one candidate, by two estimators.

`evsi_by_reweighting` weighs the draws of the posterior by each outcome. `evsi_by_refitting` fits
again with each outcome added, where those weights are unreliable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


class RefitFigures(NamedTuple):
    """What one refit says of the targets; None where a check of the refit failed.

    Parameters
    ----------
    utility
        Expected utility of the net value of each target, shape (targets,).
    regret
        Probability of a loss of money by each target, shape (targets,).
    perfect
        Expected utility of the best target, or of none.
    error
        Covariance of the means in `utility`, shape (targets, targets).
    width
        Width of the interval of each target, shape (targets,).
    """

    utility: np.ndarray
    regret: np.ndarray
    perfect: float
    error: np.ndarray
    width: np.ndarray


def refit_figures(ask: Callable[[Fit], EvsiProblem], fit: Fit) -> RefitFigures | None:
    """Forecast the targets by one refit, and summarise it.

    Parameters
    ----------
    ask
        Function from a fit to the decision problem that it is asked.
    fit
        A fit with one outcome of a candidate added.
    """
    if fit.status == "fail":
        return None
    problem = ask(fit)
    draws = problem.of_targets(forecast(fit, list(problem.targets), seed=problem.seed))
    net = problem.net(draws)
    utility = problem.preference.utility(net)
    return RefitFigures(
        utility=utility.mean(0),
        regret=(net < 0).mean(0),
        perfect=problem.preference.utility(np.maximum(net.max(1), 0.0)).mean(),
        error=np.atleast_2d(np.cov(utility.T)) / len(utility),
        width=_widths(problem.accuracy(draws)),
    )


def evsi_by_refitting(
    problem: EvsiProblem, refits: Sequence[RefitFigures | None]
) -> CandidateValue:
    """EVSI of one candidate from fits with its outcomes added.

    Parameters
    ----------
    problem
        The decision problem.
    refits
        The figures of one fit per outcome, from the lowest outcome to the highest.
    """
    nan = float("nan")
    used = [refit for refit in refits if refit is not None]
    if not used:
        return CandidateValue(
            evsi=nan,
            evsi_se=nan,
            evsi_floor=nan,
            evpi=nan,
            narrowing=nan,
            method="refitting",
            k=nan,
            reliable=False,
            note=_left_out(refits),
        )
    preference = problem.preference
    utility, regret, perfect, error, width = map(list, zip(*used, strict=True))
    given = Prospect(np.array(utility), np.array(regret), float(np.mean(perfect)))
    value = information(given, preference)
    floor = refitting_floor(
        np.mean(utility, 0),
        np.mean(regret, 0),
        error,
        preference,
        random_generator(problem.seed, "refits"),
    )
    before = _widths(problem.accuracy(problem.of_targets(problem.joint)))
    # Few refits may fail, and neither that of the lowest nor that of the highest outcome.
    few = len(refits) - len(used) <= MAX_FAILED_SHARE * len(refits)
    return CandidateValue(
        evsi=value.sample,
        evsi_se=value.standard_error,
        evsi_floor=floor,
        evpi=value.perfect,
        narrowing=1 - float(np.mean(np.mean(width, 0) / before)),
        method="refitting",
        k=nan,
        reliable=few and refits[0] is not None and refits[-1] is not None,
        note=_left_out(refits),
    )


def _left_out(refits: Sequence[RefitFigures | None]) -> str:
    """Which refits were left out."""
    numbers = [str(m + 1) for m, refit in enumerate(refits) if refit is None]
    if not numbers:
        return ""
    return (
        f"{len(numbers)} of {len(refits)} fits left out "
        f"(no. {', '.join(numbers)} from the lowest outcome): a check failed"
    )


def _widths(accuracy: np.ndarray) -> np.ndarray:
    """Width of the interval of each target, shape (targets,)."""
    return np.diff(np.quantile(accuracy, check_prob(PROB), axis=0), axis=0)[0]
