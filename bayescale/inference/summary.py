"""Numbers that describe draws: an interval, and a summary."""

from __future__ import annotations

import numpy as np

from bayescale.validation import check_prob


def interval(
    draws: np.ndarray, prob: float = 0.9, *, axis: int = -1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower end, median and upper end of the equal-tailed interval of probability `prob`.

    Parameters
    ----------
    draws
        Draws of one or more quantities, of any shape.
    prob
        Probability of the interval.
    axis
        The axis of the draws.

    Returns
    -------
    tuple of numpy.ndarray
        Three arrays of the shape of `draws` without that axis.

    Raises
    ------
    SettingError
        For a probability that does not lie between 0 and 1.
    """
    low, high = check_prob(prob)
    lower, median, upper = np.quantile(draws, [low, 0.5, high], axis=axis)
    return lower, median, upper


def summarise(draws: np.ndarray, prob: float = 0.9) -> dict[str, float]:
    """mean, median, sd, and lower and upper end of the equal-tailed interval, of one quantity.

    Parameters
    ----------
    draws
        Draws of the quantity, shape (draws,).
    prob
        Probability of the interval.

    Raises
    ------
    SettingError
        For a probability that does not lie between 0 and 1.
    """
    # Draws that are not finite give nan here; a forecast with such draws fails, and names them.
    with np.errstate(invalid="ignore", over="ignore"):
        lower, median, upper = interval(draws, prob)
        return {
            "mean": float(draws.mean()),
            "median": float(median),
            "sd": float(draws.std()),
            "lower": float(lower),
            "upper": float(upper),
        }
