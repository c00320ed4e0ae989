"""Where a verdict changes: cost, thresholds and discrepancy changed until it does."""

import numpy as np
import pytest
import xarray as xr

from bayescale.decisions.decide import decide
from bayescale.decisions.preference import Preference
from bayescale.decisions.sensitivity import Change, changes, flips
from bayescale.decisions.valuation import value_draws
from bayescale.decisions.value import Linear, Threshold
from bayescale.forecasts.record import Forecast


class TestSensitivity:
    def test_sensitivity_is_of_the_choice_among_all(self, two_targets: Forecast) -> None:
        """At a higher cost the expensive target is given up first: then the other is funded."""
        first, second = (t.label for t in two_targets.targets)
        decision = decide(
            two_targets,
            cost={first: 0.1, second: 5.0},
            value=Threshold(10.0, 0.0, tasks=["hellaswag"]),
        )
        rows = decision.sensitivity.query("what == 'cost, times'").set_index("by")
        assert set(rows["target"]) == {first}
        flip = decision.flips.set_index("what")["at"]["cost, times"]
        assert flip == pytest.approx(100.0, rel=0.1)

    def test_sensitivity_begins_with_the_question_and_flips_with_the_cost(
        self, two_targets: Forecast
    ) -> None:
        rows = decide(two_targets, cost=1.0, value=Threshold(1.5, 0.0)).sensitivity
        assert list(rows["what"].unique()) == [
            "as asked",
            "cost, times",
            "thresholds, plus",
            "discrepancy, times",
        ]
        of_cost = rows.query("what == 'cost, times'")
        assert dict(of_cost[["by", "verdict"]].values) == {
            0.5: "fund",
            0.75: "fund",
            1.25: "fund",
            1.5: "do not fund",
            2.0: "do not fund",
        }

    def test_a_value_without_thresholds_is_asked_about_cost_and_discrepancy(
        self, two_targets: Forecast
    ) -> None:
        for value in (Linear(1.0), lambda draws: draws["accuracy"].mean("task")):
            decision = decide(two_targets, cost=1.0, value=value)
            assert list(decision.flips["what"]) == ["cost, times", "discrepancy, times"]

    @pytest.mark.parametrize(
        "preference",
        [Preference(0.0, 1.0, 10.0), Preference(2.0, 1.0, 10.0), Preference(0.0, 0.4, 10.0)],
    )
    @pytest.mark.parametrize("share", [0.3, pytest.param(0.7, marks=pytest.mark.slow)])
    def test_flips_are_the_nearest_change_that_turns_the_verdict(
        self, two_targets: Forecast, share: float, preference: Preference
    ) -> None:
        mean = two_targets.draws["accuracy"].mean("task").isel(target=1)
        value = Threshold(10.0, float(mean.quantile(1 - share)))
        worth = value_draws(value, two_targets.draws).values.reshape(-1, 2)
        all_changes = changes(two_targets, value, worth, np.full_like(worth, 5.0))
        amounts = flips(all_changes, preference).set_index("what")["at"]
        assert amounts.notna()["thresholds, plus"]
        for change in all_changes:

            def funds(by: float, change: Change = change) -> bool:
                return preference.choose(change.net(by))[1]

            at = amounts[change.what]
            asked = funds(change.none)
            between = np.linspace(change.none, at, 20)[:-1]
            same = change.looked_at if np.isnan(at) else between
            assert {funds(by) for by in same} == {asked}
            if not np.isnan(at):
                # A small change is found to within 1e-4.
                beyond = max(0.01 * abs(at - change.none), 1e-4)
                assert funds(at + np.sign(at - change.none) * beyond) != asked

    def test_without_discrepancy_the_scaled_forecast_is_narrower_and_at_one_the_same(
        self, two_targets: Forecast
    ) -> None:
        xr.testing.assert_allclose(two_targets.scaled(1.0).draws, two_targets.draws)
        sd = [
            float(np.log(two_targets.scaled(by).draws["loss"]).std(("chain", "draw")).mean())
            for by in (0.0, 1.0, 3.0)
        ]
        assert sd[0] < sd[1] < sd[2]
