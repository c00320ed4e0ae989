"""Scores against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayescale.errors import SettingError
from bayescale.forecasts.scores import score


def test_crps_is_that_of_a_normal() -> None:
    y = np.array([-1.0, 0.0, 2.5])
    draws = np.tile(stats.norm.ppf((np.arange(4000) + 0.5) / 4000), (3, 1))
    closed = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi)
    np.testing.assert_allclose(score(draws, y)["crps"], closed, rtol=2e-3)


def test_interval_score_charges_what_lies_outside() -> None:
    frame = score(np.tile(np.linspace(0.0, 1.0, 1001), (3, 1)), np.array([0.5, 1.05, -0.05]), 0.9)
    assert list(frame["inside"]) == [True, False, False]
    np.testing.assert_allclose(frame["interval_score"], [0.9, 0.9 + 20 * 0.1, 0.9 + 20 * 0.1])


def test_a_probability_beyond_one_is_refused() -> None:
    with pytest.raises(SettingError, match="prob: must lie between 0 and 1"):
        score(np.zeros((1, 10)), np.zeros(1), 1.5)
