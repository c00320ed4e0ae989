"""Intervals and summaries of draws against NumPy's."""

import numpy as np
import pytest
from scipy import stats

from bayescale.errors import SettingError
from bayescale.inference.summary import interval, summarise

DRAWS = np.random.default_rng(0).gamma(2.0, size=(3, 4, 2000))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_an_interval_is_the_quantiles_along_its_axis(axis: int) -> None:
    lower, median, upper = interval(DRAWS, 0.8, axis=axis)
    for found, share in ((lower, 10), (median, 50), (upper, 90)):
        np.testing.assert_allclose(found, np.percentile(DRAWS, share, axis=axis))
        assert found.shape == DRAWS.mean(axis).shape


def test_an_interval_of_normal_draws_is_the_normals() -> None:
    draws = stats.norm(3.0, 2.0).ppf((np.arange(10_000) + 0.5) / 10_000)
    lower, median, upper = interval(draws, 0.9)
    assert (lower, median, upper) == pytest.approx(
        (3.0 - 2 * 1.6449, 3.0, 3.0 + 2 * 1.6449), abs=1e-3
    )


def test_a_summary_is_of_one_quantity() -> None:
    draws = DRAWS[0, 0]
    found = summarise(draws, 0.5)
    assert found == pytest.approx(
        {
            "mean": np.mean(draws),
            "median": np.median(draws),
            "sd": np.std(draws),
            "lower": np.percentile(draws, 25),
            "upper": np.percentile(draws, 75),
        }
    )
    assert {type(value) for value in found.values()} == {float}, "as JSON takes them"


def test_a_summary_holds_90_percent_unless_asked() -> None:
    found = summarise(DRAWS[0, 0])
    inside = (DRAWS[0, 0] > found["lower"]) & (DRAWS[0, 0] < found["upper"])
    assert inside.mean() == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("prob", [0.0, 1.0, 90.0])
def test_a_probability_beyond_its_bounds_is_refused(prob: float) -> None:
    for asked in (lambda: interval(DRAWS, prob), lambda: summarise(DRAWS[0, 0], prob)):
        with pytest.raises(SettingError, match="between 0 and 1"):
            asked()
