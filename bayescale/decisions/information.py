"""The value of seeing an outcome: weights of the draws given each outcome, EVSI and EVPI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from bayescale.decisions.preference import Preference

BOOTSTRAPS = 30
# Random orders of which the floor is a quantile: what Monte Carlo error alone gives.
SHUFFLES = 30
FLOOR = 0.9


class Prospect(NamedTuple):
    """Each target after each outcome; the outcomes are even quantiles in their order.

    Parameters
    ----------
    utility
        Expected utility, shape (outcomes, targets).
    regret
        P(net value < 0), shape (outcomes, targets).
    perfect
        Expected utility of choosing with every net value known.
    """

    utility: np.ndarray
    regret: np.ndarray
    perfect: float


class Information(NamedTuple):
    """Value of information as certain sums of money.

    Parameters
    ----------
    sample
        EVSI, the expected value of sample information.
    standard_error
        Its standard error, as far as it comes from the number of outcomes.
    perfect
        EVPI, the expected value of perfect information.
    """

    sample: float
    standard_error: float
    perfect: float


def information(given: Prospect, preference: Preference) -> Information:
    """EVSI = mean_m max(0, max_t g_mt) - max(0, max_t mean_m g_mt), EVPI = perfect - the latter.

    g is the expected utility of each outcome m and target t. Funding nothing is worth 0. A target
    whose probability of regret is above the largest that is accepted is not funded. Evidence that
    could only forbid a run is worth nothing. Utilities are averages over the same draws by the same
    weights, so 0 <= EVSI <= EVPI holds exactly. The standard error is that of a systematic sample,
    from differences of neighbours (Wolter 2007, Introduction to Variance Estimation, chapter 8); it
    is nan for a single outcome.

    Parameters
    ----------
    given
        Each target after each outcome.
    preference
        Utility, and the largest probability of regret that is accepted.
    """
    mean = given.utility.mean(0)
    accepted = given.regret.mean(0) <= preference.most_regret
    now = np.where(accepted, mean, -np.inf)
    best = int(now.argmax())
    always = given.utility[:, best] if now[best] > 0 else np.zeros(len(given.utility))
    allowed = np.where(given.regret <= preference.most_regret, given.utility, -np.inf)
    # The mean of the gain is never negative without a cap on regret.
    gain = np.maximum(allowed.max(1), 0.0) - always
    before = float(always.mean())
    sample = max(0.0, float(gain.mean()))
    error = float("nan")
    if len(gain) > 1:
        error = float(np.sqrt((np.diff(gain) ** 2).mean() / (2 * len(gain))))
    certain = preference.certain_of(before)
    worth = preference.certain_of(before + sample) - certain
    return Information(
        sample=worth,
        standard_error=preference.certain_of(before + sample + error) - certain - worth,
        perfect=preference.certain_of(given.perfect) - certain,
    )


def prospect(weights: np.ndarray, net: np.ndarray, preference: Preference) -> Prospect:
    """Expected utility and probability of regret after each outcome, by weighing the draws.

    Parameters
    ----------
    weights
        Weight of each draw given each outcome, shape (draws, outcomes).
    net
        Net values, shape (draws, targets).
    preference
        Utility.
    """
    best = preference.utility(np.maximum(net.max(1), 0.0))
    return Prospect(
        utility=weights.T @ preference.utility(net),
        regret=weights.T @ (net < 0),
        perfect=float(weights.mean(1) @ best),
    )


def bootstrap_error(
    weights: np.ndarray, net: np.ndarray, preference: Preference, rng: np.random.Generator
) -> float:
    """Standard error of the EVSI as far as it comes from the draws, by a bootstrap over them."""
    values = []
    for _ in range(BOOTSTRAPS):
        again = rng.integers(len(net), size=len(net))
        drawn = weights[again]
        given = prospect(drawn / drawn.sum(0), net[again], preference)
        values.append(information(given, preference).sample)
    return float(np.std(values))


def shuffled(
    weights: np.ndarray, net: np.ndarray, preference: Preference, rng: np.random.Generator
) -> float:
    """90 % quantile of the EVSI of outcomes that tell nothing: what Monte Carlo error alone gives.

    The net values stand in a random order.
    """
    values = []
    for _ in range(SHUFFLES):
        given = prospect(weights, rng.permutation(net), preference)
        values.append(information(given, preference).sample)
    return float(np.quantile(values, FLOOR))


def refitting_floor(
    utility: np.ndarray,
    regret: np.ndarray,
    covariances: Sequence[np.ndarray],
    preference: Preference,
    rng: np.random.Generator,
) -> float:
    """90 % quantile of the EVSI of refits that differ by their Monte Carlo error alone.

    Parameters
    ----------
    utility
        Expected utility of every refit, shape (targets,).
    regret
        Probability of regret of every refit, shape (targets,).
    covariances
        Covariance of the Monte Carlo error of each refit, shape (targets, targets).
    preference
        Utility.
    rng
        Source of the errors.
    """
    values = []
    for _ in range(SHUFFLES):
        noisy = np.array(
            [rng.multivariate_normal(utility, error, method="eigh") for error in covariances]
        )
        given = Prospect(noisy, np.broadcast_to(regret, noisy.shape), float("nan"))
        values.append(information(given, preference).sample)
    return float(np.quantile(values, FLOOR))


def weights_given(log_likelihood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """w_jm ~ p(y_m | theta_j), Pareto-smoothed (Vehtari et al. 2024, JMLR 25), and k of each m.

    Parameters
    ----------
    log_likelihood
        ln p of outcome m under draw j, shape (draws, outcomes).

    Returns
    -------
    tuple of numpy.ndarray
        Weights, shape (draws, outcomes), the sum of each column 1; and Pareto k, shape (outcomes,).
    """
    # A second of loading that only this function needs.
    from arviz_stats.base import array_stats

    # psislw takes minus the logarithm of a weight, as leave-one-out has it.
    log_weights, k = array_stats.psislw(-log_likelihood.T)
    return softmax(log_weights, axis=1).T, np.asarray(k)


def width_given(x: np.ndarray, weights: np.ndarray, tails: tuple[float, float]) -> np.ndarray:
    """Width of the equal-tailed interval of x given each outcome, shape (outcomes,).

    Parameters
    ----------
    x
        Draws, shape (draws,).
    weights
        Weight of each draw given each outcome, shape (draws, outcomes).
    tails
        Probabilities at the ends of the interval.
    """
    order = np.argsort(x)
    rising = x[order]
    cumulative = np.cumsum(weights[order], axis=0)
    last = len(x) - 1
    lower, upper = (rising[np.minimum((cumulative < tail).sum(0), last)] for tail in tails)
    return upper - lower


def log_likelihood(
    mean: np.ndarray, sd: np.ndarray, outcomes: int, rng: np.random.Generator
) -> np.ndarray:
    """ln p(t_m | theta_j), t ~ Normal(mean_j, sd_j^2), shape (draws, outcomes).

    The outcomes are even quantiles of all t that were drawn.

    Parameters
    ----------
    mean, sd
        Mean and sd of t given each draw, shape (draws,).
    outcomes
        Number of outcomes, as far as there are draws.
    rng
        Source of t.
    """
    # scipy.stats takes half a second to load.
    from scipy.stats import norm

    t = np.sort(mean + sd * rng.standard_normal(len(mean)))
    even = t[even_quantiles(min(outcomes, len(t)), len(t))]
    return norm.logpdf(even, mean[:, None], sd[:, None])


def even_quantiles(count: int, size: int) -> np.ndarray:
    """Indices of `count` even quantiles of `size` sorted values: (m + 1/2) size / count."""
    return ((np.arange(count) + 0.5) / count * size).astype(int)
