"""Where a verdict flips: cost, thresholds and discrepancy changed until it does."""

import numpy as np
import pytest
import xarray as xr

from bayescale.decisions.decide import decide
from bayescale.decisions.preference import Preference
from bayescale.decisions.sensitivity import Change, changes, flips
from bayescale.decisions.value import Threshold, value_draws
from bayescale.forecasts.forecast import Forecast


class TestDecision:
    def test_sensitivity_is_of_the_choice_among_all(self, made: Forecast) -> None:
        """The dear one is given up before anything is: then the other is funded."""
        first, second = (t.label for t in made.targets)
        found = decide(
            made, cost={first: 0.1, second: 5.0}, value=Threshold(10.0, 0.0, tasks=["a"])
        )
        rows = found.sensitivity.query("what == 'cost, times'").set_index("by")
        assert set(rows["target"]) == {first}
        assert found.flips.set_index("what")["at"]["cost, times"] == pytest.approx(100.0, rel=0.1)

    def test_sensitivity_begins_with_the_question_and_flips_with_the_cost(
        self, made: Forecast
    ) -> None:
        found = decide(made, cost=1.0, value=Threshold(1.5, 0.0))
        assert list(found.sensitivity["what"].unique()) == [
            "as asked",
            "cost, times",
            "thresholds, plus",
            "discrepancy, times",
        ]
        assert dict(found.sensitivity.query("what == 'cost, times'")[["by", "verdict"]].values) == {
            0.5: "fund",
            0.75: "fund",
            1.25: "fund",
            1.5: "do not fund",
            2.0: "do not fund",
        }

    @pytest.mark.parametrize(
        "preference",
        [Preference(0.0, 1.0, 10.0), Preference(2.0, 1.0, 10.0), Preference(0.0, 0.4, 10.0)],
    )
    @pytest.mark.parametrize("share", [0.3, 0.7])
    def test_flips_are_the_nearest_change_that_turns_the_verdict(
        self, made: Forecast, share: float, preference: Preference
    ) -> None:
        value = Threshold(
            10.0, float(made.draws["accuracy"].mean("task").isel(target=1).quantile(1 - share))
        )
        worth = value_draws(value, made.draws).values.reshape(-1, 2)
        changed = changes(made, value, worth, np.full_like(worth, 5.0))
        found = flips(changed, preference).set_index("what")["at"]
        assert found.notna()["thresholds, plus"]
        for c in changed:

            def funds(by: float, change: Change = c) -> bool:
                return preference.choose(change.net(by))[1]

            at, asked = found[c.what], funds(c.none)
            within = c.looked_at if np.isnan(at) else np.linspace(c.none, at, 20)[:-1]
            assert {funds(by) for by in within} == {asked}
            if not np.isnan(at):
                assert funds(at + 0.01 * (at - c.none)) != asked

    def test_without_discrepancy_the_scaled_forecast_is_narrower_and_at_one_the_same(
        self, made: Forecast
    ) -> None:
        xr.testing.assert_allclose(made.scaled(1.0).draws, made.draws)
        sd = [
            float(np.log(made.scaled(by).draws["loss"]).std(("chain", "draw")).mean())
            for by in (0.0, 1.0, 3.0)
        ]
        assert sd[0] < sd[1] < sd[2]
