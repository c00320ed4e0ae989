"""Scores of any draws against the outcome: coverage, CRPS, interval score."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescale.inference.summary import interval


def score(draws: np.ndarray, actual: np.ndarray, prob: float = 0.9) -> pd.DataFrame:
    """crps = E|X - y| - E|X - X'| / 2, and interval score = width + 2 / (1 - prob) miss.

    miss is the distance of y from the interval (Gneiting and Raftery 2007, J. American Statistical
    Association 102). Both scores are in the unit of the draws; less is better.

    Parameters
    ----------
    draws
        Draws X of each case, shape (cases, draws).
    actual
        Outcome y of each case, shape (cases,).
    prob
        Probability of the equal-tailed interval.

    Returns
    -------
    pandas.DataFrame
        One row per case: median, lower, upper, actual, error (median less actual), inside, crps,
        interval_score.

    Raises
    ------
    SettingError
        For a probability that does not lie between 0 and 1.
    """
    # Loading it here saves a forecast, which does not need it, a third of a second.
    import scoringrules

    lower, median, upper = interval(draws, prob, axis=1)
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
