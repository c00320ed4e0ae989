"""Scores of any draws against what came out: coverage, CRPS, interval score."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescale.validation import check_prob


def score(draws: np.ndarray, actual: np.ndarray, prob: float = 0.9) -> pd.DataFrame:
    """One row a case: median, lower, upper, actual, error, inside, crps, interval_score.

    crps = E|X - y| - E|X - X'| / 2; interval_score = (upper - lower) + 2 / (1 - prob) times the
    distance of y from the interval (Gneiting and Raftery 2007, J. American Statistical Association
    102). Both are in the unit of the draws, and less is better.

    Parameters
    ----------
    draws
        Shape (cases, draws).
    actual
        Shape (cases,).
    prob
        Of the equal-tailed interval.
    """
    # here, because loading it costs a third of a second that a forecast does not need
    import scoringrules

    tails = check_prob(prob)
    lower, median, upper = np.quantile(draws, [tails[0], 0.5, tails[1]], axis=1)
    return pd.DataFrame(
        {
            "median": median,
            "lower": lower,
            "upper": upper,
            "actual": actual,
            "error": median - actual,
            "inside": (lower <= actual) & (actual <= upper),
            "crps": scoringrules.crps_ensemble(actual, draws),
            "interval_score": scoringrules.interval_score(actual, lower, upper, 1 - prob),
        }
    )
