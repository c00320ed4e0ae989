"""Decisions: the laws that each of them obeys, and what travels with a failed check."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayescale.decisions.decide import decide
from bayescale.decisions.value import Linear, Threshold, value_draws
from bayescale.errors import SettingError
from bayescale.forecasts.forecast import Forecast

MONEY = st.floats(1.0, 1e9)
SHARE = st.floats(0.0, 1.0)
quick = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


class TestLaws:
    @quick
    @given(
        cost=MONEY,
        more=st.floats(1.0, 10.0),
        worth=MONEY,
        accuracy=SHARE,
        aversion=st.floats(0.0, 3.0),
        regret=SHARE,
    )
    def test_more_cost_never_turns_do_not_fund_into_fund(
        self,
        made: Forecast,
        cost: float,
        more: float,
        worth: float,
        accuracy: float,
        aversion: float,
        regret: float,
    ) -> None:
        value, taste = (
            Threshold(worth, accuracy),
            {"risk_aversion": aversion, "most_regret": regret},
        )
        cheap, dear = (
            decide(made, cost=c, value=value, **taste).verdict for c in (cost, more * cost)
        )
        assert not (cheap == "do not fund" and dear == "fund")

    @quick
    @given(
        cost=MONEY,
        worth=MONEY,
        accuracy=SHARE,
        unit=st.floats(1e-6, 1e6),
        aversion=st.floats(0.0, 3.0),
    )
    def test_the_verdict_does_not_depend_on_the_unit_of_money(
        self,
        made: Forecast,
        cost: float,
        worth: float,
        accuracy: float,
        unit: float,
        aversion: float,
    ) -> None:
        one, other = (
            decide(
                made, cost=u * cost, value=Threshold(u * worth, accuracy), risk_aversion=aversion
            )
            for u in (1.0, unit)
        )
        assert one.verdict == other.verdict
        assert other.perfect_information == pytest.approx(
            unit * one.perfect_information, rel=1e-6, abs=1e-9 * unit * worth
        )


class TestDecision:
    def test_options_are_means_over_draws(self, made: Forecast) -> None:
        found = decide(made, cost=3.0, value=Threshold(10.0, 0.5)).options
        mean = made.draws["accuracy"].mean("task")
        for row in found.itertuples():
            p = float((mean.sel(target=row.target) >= 0.5).mean())
            assert (row.value, row.net, row.cost) == pytest.approx((10 * p, 10 * p - 3, 3.0))
            assert row.prob_regret == pytest.approx(1 - p)
            assert row.break_even_cost == pytest.approx(10 * p)
            again = Threshold(10.0, float(np.clip(0.5 + row.break_even_shift, 0, 1)))
            assert float(
                value_draws(again, made.draws).sel(target=row.target).mean()
            ) == pytest.approx(3.0, abs=0.1)

    def test_a_line_is_worth_its_mean_and_breaks_even_where_it_says(self, made: Forecast) -> None:
        row = decide(made, cost=3.0, value=Linear(per_point=0.2, baseline=0.4)).options.iloc[0]
        mean = float(made.draws["accuracy"].mean("task").sel(target=row["target"]).mean())
        assert row["value"] == pytest.approx(20 * (mean - 0.4))
        assert 20 * (mean - 0.4 - row["break_even_shift"]) == pytest.approx(3.0)

    def test_perfect_information_is_what_knowing_would_save(self, made: Forecast) -> None:
        even = Threshold(10.0, float(made.draws["accuracy"].mean("task").median()))
        found, net = (
            decide(made, cost=3.0, value=even),
            value_draws(even, made.draws).values.reshape(-1, 2) - 3.0,
        )
        assert found.perfect_information == pytest.approx(
            np.maximum(net.max(1), 0).mean() - max(0.0, net.mean(0).max())
        )
        never = decide(made, cost=3.0, value=even, most_regret=0.0)
        assert never.perfect_information == pytest.approx(np.maximum(net.max(1), 0).mean()), (
            "who puts up with no regret forgoes all of it now"
        )

    def test_every_task_its_own_threshold(self, made: Forecast) -> None:
        each = {"a": 0.5, "b": 0.4}
        found = decide(made, cost=1.0, value=Threshold(10.0, each)).reach
        accuracy = made.draws["accuracy"]
        joint = ((accuracy.sel(task="a") >= 0.5) & (accuracy.sel(task="b") >= 0.4)).mean(
            ("chain", "draw")
        )
        assert list(found["task"]) == ["a", "b", "every one"] * 2
        np.testing.assert_allclose(found.query("task == 'every one'")["prob"], joint)

    @pytest.mark.parametrize("status", ["fail", "not run"])
    def test_a_failed_check_leaves_it_undecided(self, made: Forecast, status: Any) -> None:
        found = decide(replace(made, status=status), cost=1e-9, value=Threshold(1.0, 0.0))
        assert found.verdict == "undecided"
        assert "failed" in found.reason
        assert len(found.sensitivity) == len(found.flips) == 0, (
            "no verdict on top of a failed check"
        )
        assert found.status == status

    def test_tasks_that_the_ladder_does_not_speak_for_are_named(self, made: Forecast) -> None:
        doubtful = replace(
            made,
            table=made.table.assign(
                verdict=["no trend" if t == "a" else "weak" for t in made.table["task"]]
            ),
        )
        said = {
            value: decide(doubtful, cost=1.0, value=value).reason
            for value in (Linear(1.0), Linear(1.0, tasks=("b", "c")))
        }
        assert [
            "the ladder does not speak for a (no trend)" in reason for reason in said.values()
        ] == [True, False]
        each = decide(doubtful, cost=1.0, value=Threshold(1.0, {"b": 0.3})).reason
        assert "speak" not in each

    def test_an_option_that_nobody_would_buy_changes_no_verdict(self, made: Forecast) -> None:
        """The stake is the value's, so that a second target cannot make anyone bolder."""
        value = Threshold(
            10.0, float(made.draws["accuracy"].mean("task").isel(target=0).quantile(0.4))
        )
        alone = replace(made, targets=made.targets[:1], draws=made.draws.isel(target=[0]))
        first, second = (t.label for t in made.targets)
        for aversion in (0.0, 0.5, 1.0, 3.0):
            verdicts = {
                decide(alone, cost=5.0, value=value, risk_aversion=aversion).verdict,
                decide(
                    made, cost={first: 5.0, second: 1e9}, value=value, risk_aversion=aversion
                ).verdict,
            }
            assert len(verdicts) == 1

    def test_the_cap_on_regret_and_risk_aversion_stop_a_gamble(self, made: Forecast) -> None:
        gamble = {
            "cost": 1.0,
            "value": Threshold(
                3.0,
                float(
                    made.draws["accuracy"]
                    .mean("task")
                    .sel(target=made.targets[1].label)
                    .quantile(0.5)
                ),
            ),
        }
        assert decide(made, **gamble).verdict == "fund"
        assert decide(made, **gamble, most_regret=0.1).verdict == "do not fund"
        assert decide(made, **gamble, risk_aversion=10.0).verdict == "do not fund"


class TestBadInput:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"cost": -1.0}, "0 or more"),
            ({"value": lambda d: d["accuracy"].mean("task") * np.nan}, "finite"),
            ({"value": lambda d: d["accuracy"]}, "chain, draw and target"),
            ({"value": lambda d: 3.0}, "float"),
            ({"value": 3e6}, "must be a Threshold"),
            ({"value": Threshold(1.0, 0.5, tasks=["chess"])}, "chess"),
            ({"value": Threshold(1.0, {"chess": 0.5})}, "chess"),
            ({"value": Linear(1.0, weights={"a": -1.0})}, "weights"),
            ({"risk_aversion": -1.0}, "0 or more"),
            ({"risk_aversion": 1.0, "value": lambda d: d["accuracy"].mean("task")}, "stake"),
            ({"risk_aversion": 1.0, "stake": -1.0}, "above 0"),
            ({"cost": {"default-6": 1.0, "default-7": 1.0, "chess": 1.0}}, "chess"),
            ({"most_regret": 1.5}, r"\[0, 1\]"),
        ],
    )
    def test_is_told(self, made: Forecast, settings: dict[str, Any], said: str) -> None:
        with pytest.raises(SettingError, match=said):
            decide(made, **({"cost": 1.0, "value": Threshold(1.0, 0.5)} | settings))
