"""Intervals and summaries of draws whose quantiles are known."""

import numpy as np
import pytest

from bayescale.errors import SettingError
from bayescale.inference.summary import interval, summarise

PERCENTS = np.arange(101.0)


def test_an_interval_has_equal_tails() -> None:
    assert interval(PERCENTS, 0.9) == pytest.approx((5.0, 50.0, 95.0))


def test_an_interval_keeps_the_other_axes() -> None:
    draws = PERCENTS[:, None] + np.array([0.0, 1000.0])
    lower, median, upper = interval(draws, 0.5, axis=0)
    np.testing.assert_allclose(lower, [25.0, 1025.0])
    np.testing.assert_allclose(median, [50.0, 1050.0])
    np.testing.assert_allclose(upper, [75.0, 1075.0])


def test_a_summary_has_mean_sd_and_the_interval() -> None:
    assert summarise(PERCENTS, 0.9) == pytest.approx(
        {"mean": 50.0, "median": 50.0, "sd": np.sqrt(850.0), "lower": 5.0, "upper": 95.0}
    )


@pytest.mark.parametrize("prob", [0.0, 1.0, -0.1])
def test_a_probability_lies_between_0_and_1(prob: float) -> None:
    with pytest.raises(SettingError, match="prob"):
        interval(PERCENTS, prob)
