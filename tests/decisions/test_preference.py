"""Risk and regret: perfect information and the certain sum of a normal."""

import numpy as np
import pytest
from scipy import stats

from bayescale.decisions.preference import Preference


class TestClosedForms:
    """theta ~ Normal(m, s^2) is the net value; y = theta + Normal(0, t^2) is seen first."""

    MEAN, SD, NOISE = -0.4, 1.0, 0.7

    def gain(self, sd: float) -> float:
        """E max(0, X) - max(0, m), X ~ Normal(m, sd^2)."""
        u = self.MEAN / sd
        return sd * (stats.norm.pdf(u) + u * stats.norm.cdf(u)) - max(0.0, self.MEAN)

    @pytest.mark.parametrize("draws", [4000, 100_000])
    def test_perfect_information_of_a_normal(self, draws: int) -> None:
        net = self.MEAN + self.SD * np.random.default_rng(1).standard_normal((draws, 1))
        found, gain = Preference(0.0, 1.0, 1.0).perfect_information(net), np.maximum(net, 0.0)
        tolerance = 3 * gain.std() / np.sqrt(draws) if draws == 4000 else 0.02 * self.gain(self.SD)
        assert found == pytest.approx(self.gain(self.SD), abs=tolerance)

    def test_the_certain_sum_of_a_normal(self) -> None:
        """m - a s^2 / (2 stake)."""
        net = 3.0 + 2.0 * stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
        assert Preference(0.8, 1.0, 5.0).certain(net[:, None])[0] == pytest.approx(
            3.0 - 0.8 * 4.0 / 10.0, rel=1e-3
        )
        assert Preference(0.0, 1.0, 5.0).certain(net[:, None])[0] == pytest.approx(3.0)
