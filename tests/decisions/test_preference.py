"""Risk and regret: perfect information and the certainty equivalent of a normal."""

import numpy as np
import pytest
from scipy import stats

from bayescale.decisions.preference import Preference, make_preference
from bayescale.decisions.value import Linear, Threshold
from bayescale.errors import SettingError


class TestClosedForms:
    """The net value is Normal(m, s^2)."""

    MEAN, SD = -0.4, 1.0

    def gain(self, sd: float) -> float:
        """E max(0, X) - max(0, m), X ~ Normal(m, sd^2)."""
        u = self.MEAN / sd
        return sd * (stats.norm.pdf(u) + u * stats.norm.cdf(u)) - max(0.0, self.MEAN)

    @pytest.mark.parametrize("draws", [4000, 100_000])
    def test_perfect_information_of_a_normal(self, draws: int) -> None:
        net = self.MEAN + self.SD * np.random.default_rng(1).standard_normal((draws, 1))
        evpi = Preference(0.0, 1.0, 1.0).perfect_information(net)
        tolerance = 0.02 * self.gain(self.SD)
        if draws == 4000:
            tolerance = 3 * np.maximum(net, 0.0).std() / np.sqrt(draws)
        assert evpi == pytest.approx(self.gain(self.SD), abs=tolerance)

    def test_the_certainty_equivalent_of_a_normal(self) -> None:
        """m - a s^2 / (2 stake)."""
        net = 3.0 + 2.0 * stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
        assert Preference(0.8, 1.0, 5.0).certain(net[:, None])[0] == pytest.approx(
            3.0 - 0.8 * 4.0 / 10.0, rel=1e-3
        )
        assert Preference(0.0, 1.0, 5.0).certain(net[:, None])[0] == pytest.approx(3.0)


class TestStake:
    def test_is_the_largest_possible_value(self) -> None:
        assert make_preference(Threshold(3e6, 0.7), 1.0, 1.0, None).stake == 3e6
        assert make_preference(Linear(1e5, 0.6), 1.0, 1.0, None).stake == pytest.approx(4e6)
        assert make_preference(Threshold(3e6, 0.7), 1.0, 1.0, 2e6).stake == 2e6

    def test_must_be_given_where_the_value_is_a_function(self) -> None:
        with pytest.raises(SettingError, match="stake"):
            make_preference(lambda draws: draws["accuracy"].mean("task"), 1.0, 1.0, None)
