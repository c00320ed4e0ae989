"""What an outcome would teach: weights of the posterior's draws given each outcome that might be
seen, and the value of seeing it.

The many figures of a candidate (losses and scores of its runs) are condensed to the one linear
combination that tells most of the targets, so that the weights stay even. What is thrown away makes
the value of the candidate no larger than it is (Bayes linear: Goldstein and Wooff 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import softmax
from scipy.stats import norm

from bayescale.decisions.preference import Preference

BOOTSTRAPS, SHUFFLES, FLOOR = 30, 30, 0.9


class Prospect(NamedTuple):
    """What whoever decides would think of each target after each outcome, outcomes being even
    quantiles in their order.

    Parameters
    ----------
    utility, regret
        Expected utility, and P(net value < 0): shape (outcomes, targets).
    perfect
        Expected utility of choosing with every net value known.
    """

    utility: np.ndarray
    regret: np.ndarray
    perfect: float


class Information(NamedTuple):
    """Expected value of sample and of perfect information, in money, and the standard error of the
    former that outcomes leave.
    """

    sample: float
    standard_error: float
    perfect: float


def information(given: Prospect, preference: Preference) -> Information:
    """EVSI = mean_m max(0, max_t g_mt) - max(0, max_t mean_m g_mt), g the expected utility of each
    outcome and target; EVPI = perfect - the latter.

    Funding nothing is worth 0, and a target whose regret is likelier than whoever decides puts up
    with is not funded; where evidence would do no more than forbid, it is worth nothing. All are
    certain sums. Utilities being averages over the same draws by the same weights, 0 <= EVSI <=
    EVPI hold exactly. The standard error is that of a systematic sample, from differences of
    neighbours (Wolter 2007, Introduction to Variance Estimation, chapter 8); nan of a single
    outcome.
    """
    mean, allowed = given.utility.mean(0), given.regret <= preference.most_regret
    now = np.where(given.regret.mean(0) <= preference.most_regret, mean, -np.inf)
    best = int(now.argmax())
    always = given.utility[:, best] if now[best] > 0 else np.zeros(len(given.utility))
    # its mean is never negative without a cap on regret
    gain = np.maximum(np.where(allowed, given.utility, -np.inf).max(1), 0.0) - always
    before, sample = float(always.mean()), max(0.0, float(gain.mean()))
    error = (
        float(np.sqrt((np.diff(gain) ** 2).mean() / (2 * len(gain))))
        if len(gain) > 1
        else float("nan")
    )
    certain = preference.certain_of(before)
    worth = preference.certain_of(before + sample) - certain
    return Information(
        worth,
        preference.certain_of(before + sample + error) - certain - worth,
        preference.certain_of(given.perfect) - certain,
    )


def prospect(weights: np.ndarray, net: np.ndarray, preference: Preference) -> Prospect:
    """From weights of the draws given each outcome, (draws, outcomes), and net values, (draws,
    targets).
    """
    best = preference.utility(np.maximum(net.max(1), 0.0))
    return Prospect(
        weights.T @ preference.utility(net), weights.T @ (net < 0), float(weights.mean(1) @ best)
    )


def bootstrap_error(
    weights: np.ndarray, net: np.ndarray, preference: Preference, rng: np.random.Generator
) -> float:
    """Standard error of the EVSI that the draws leave: its sd over draws drawn again with their
    weights.
    """
    found = []
    for _ in range(BOOTSTRAPS):
        again = rng.integers(len(net), size=len(net))
        mine = weights[again]
        found.append(
            information(prospect(mine / mine.sum(0), net[again], preference), preference).sample
        )
    return float(np.std(found))


def shuffled(
    weights: np.ndarray, net: np.ndarray, preference: Preference, rng: np.random.Generator
) -> float:
    """EVSI that Monte Carlo error alone comes to: of outcomes that tell nothing, the net values in
    a random order; its 90 % quantile.
    """
    return float(
        np.quantile(
            [
                information(prospect(weights, rng.permutation(net), preference), preference).sample
                for _ in range(SHUFFLES)
            ],
            FLOOR,
        )
    )


def refitting_floor(
    utility: np.ndarray,
    regret: np.ndarray,
    covariances: Sequence[np.ndarray],
    preference: Preference,
    rng: np.random.Generator,
) -> float:
    """The same of refits whose expected utilities, (targets,), differ by no more than their Monte
    Carlo error, of these covariances.
    """
    found = []
    for _ in range(SHUFFLES):
        noisy = np.array(
            [rng.multivariate_normal(utility, of, method="eigh") for of in covariances]
        )
        found.append(
            information(
                Prospect(noisy, np.broadcast_to(regret, noisy.shape), float("nan")), preference
            ).sample
        )
    return float(np.quantile(found, FLOOR))


def weights_given(log_likelihood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """w_jm ~ p(y_m | theta_j), Pareto-smoothed (Vehtari et al. 2024, JMLR 25), columns of sum 1;
    and the k of each column.

    Parameters
    ----------
    log_likelihood
        Of outcome m under draw j, shape (draws, outcomes).
    """
    from arviz_stats.base import array_stats  # a second of loading that only this needs

    # it takes minus the logarithm of a weight, as leave-one-out has it
    log_weights, k = array_stats.psislw(-log_likelihood.T)
    return softmax(log_weights, axis=1).T, np.asarray(k)


def width_given(x: np.ndarray, weights: np.ndarray, tails: tuple[float, float]) -> np.ndarray:
    """Width of the equal-tailed interval of x, shape (draws,), by each column of the weights."""
    order = np.argsort(x)
    cumulative = np.cumsum(weights[order], axis=0)
    lower, upper = (x[order][np.minimum((cumulative < tail).sum(0), len(x) - 1)] for tail in tails)
    return upper - lower


def log_likelihood(
    mean: np.ndarray, sd: np.ndarray, outcomes: int, rng: np.random.Generator
) -> np.ndarray:
    """Ln p(t_m | theta_j), t ~ Normal(mean_j, sd_j^2), of outcomes that are even quantiles of all t
    drawn: shape (draws, outcomes).
    """
    t = np.sort(mean + sd * rng.standard_normal(len(mean)))
    count = min(outcomes, len(t))
    even = t[((np.arange(count) + 0.5) / count * len(t)).astype(int)]
    return norm.logpdf(even, mean[:, None], sd[:, None])
