"""Decisions: the laws that each of them obeys, its figures, and what a failed check does."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayescale.data.target import Target
from bayescale.decisions.cost import Cost
from bayescale.decisions.decide import decide
from bayescale.decisions.valuation import value_draws
from bayescale.decisions.value import Linear, Threshold
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast

MONEY = st.floats(1.0, 1e9)
SHARE = st.floats(0.0, 1.0)
quick = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


@pytest.fixture(scope="class")
def verdicts_alone() -> Iterator[None]:
    """Without the search for what would change a verdict, which no verdict rests on."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("table", "flips"):
            patch.setattr(f"bayescale.decisions.decide.{name}", lambda *_: pd.DataFrame())
        yield


@pytest.mark.usefixtures("verdicts_alone")
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
        two_targets: Forecast,
        cost: float,
        more: float,
        worth: float,
        accuracy: float,
        aversion: float,
        regret: float,
    ) -> None:
        value = Threshold(worth, accuracy)
        preference = {"risk_aversion": aversion, "most_regret": regret}
        at_cost, at_higher_cost = (
            decide(two_targets, cost=c, value=value, **preference).verdict
            for c in (cost, more * cost)
        )
        assert not (at_cost == "do not fund" and at_higher_cost == "fund")

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
        two_targets: Forecast,
        cost: float,
        worth: float,
        accuracy: float,
        unit: float,
        aversion: float,
    ) -> None:
        one, other = (
            decide(
                two_targets,
                cost=u * cost,
                value=Threshold(u * worth, accuracy),
                risk_aversion=aversion,
            )
            for u in (1.0, unit)
        )
        assert one.verdict == other.verdict
        assert other.perfect_information == pytest.approx(
            unit * one.perfect_information, rel=1e-6, abs=1e-9 * unit * worth
        )

    def test_a_target_far_too_expensive_changes_no_verdict(self, two_targets: Forecast) -> None:
        """The stake comes from the value: a second target leaves the risk aversion as it was."""
        mean = two_targets.draws["accuracy"].mean("task")
        value = Threshold(10.0, float(mean.isel(target=0).quantile(0.4)))
        alone = replace(
            two_targets, targets=two_targets.targets[:1], draws=two_targets.draws.isel(target=[0])
        )
        first, second = (t.label for t in two_targets.targets)
        for aversion in (0.0, 0.5, 1.0, 3.0):
            verdicts = {
                decide(alone, cost=5.0, value=value, risk_aversion=aversion).verdict,
                decide(
                    two_targets, cost={first: 5.0, second: 1e9}, value=value, risk_aversion=aversion
                ).verdict,
            }
            assert len(verdicts) == 1


class TestDecision:
    def test_options_are_means_over_draws(self, two_targets: Forecast) -> None:
        options = decide(two_targets, cost=3.0, value=Threshold(10.0, 0.5)).options
        mean = two_targets.draws["accuracy"].mean("task")
        for row in options.itertuples():
            p = float((mean.sel(target=row.target) >= 0.5).mean())
            assert (row.value, row.net, row.cost) == pytest.approx((10 * p, 10 * p - 3, 3.0))
            assert row.prob_regret == pytest.approx(1 - p)
            assert row.break_even_cost == pytest.approx(10 * p)
            shifted = Threshold(10.0, float(np.clip(0.5 + row.break_even_shift, 0, 1)))
            worth = value_draws(shifted, two_targets.draws).sel(target=row.target)
            assert float(worth.mean()) == pytest.approx(3.0, abs=0.1)

    def test_a_line_is_worth_its_mean_and_breaks_even_where_it_says(
        self, two_targets: Forecast
    ) -> None:
        row = decide(two_targets, cost=3.0, value=Linear(per_point=0.2, baseline=0.4)).options.iloc[
            0
        ]
        mean = float(two_targets.draws["accuracy"].mean("task").sel(target=row["target"]).mean())
        assert row["value"] == pytest.approx(20 * (mean - 0.4))
        assert 20 * (mean - 0.4 - row["break_even_shift"]) == pytest.approx(3.0)

    def test_perfect_information_is_what_knowing_would_save(self, two_targets: Forecast) -> None:
        even = Threshold(10.0, float(two_targets.draws["accuracy"].mean("task").median()))
        decision = decide(two_targets, cost=3.0, value=even)
        net = value_draws(even, two_targets.draws).values.reshape(-1, 2) - 3.0
        assert decision.perfect_information == pytest.approx(
            np.maximum(net.max(1), 0).mean() - max(0.0, net.mean(0).max())
        )
        never = decide(two_targets, cost=3.0, value=even, most_regret=0.0)
        assert never.perfect_information == pytest.approx(np.maximum(net.max(1), 0).mean()), (
            "without further information, a choice without any regret funds nothing"
        )

    def test_reach_of_one_threshold_per_task(self, two_targets: Forecast) -> None:
        each = {"hellaswag": 0.5, "arc_easy": 0.4}
        rows = decide(two_targets, cost=1.0, value=Threshold(10.0, each)).reach
        accuracy = two_targets.draws["accuracy"]
        joint = (
            (accuracy.sel(task="hellaswag") >= 0.5) & (accuracy.sel(task="arc_easy") >= 0.4)
        ).mean(("chain", "draw"))
        assert list(rows["task"]) == ["hellaswag", "arc_easy", "every one"] * 2
        np.testing.assert_allclose(rows.query("task == 'every one'")["prob"], joint)

    def test_a_failed_check_leaves_it_undecided(self, two_targets: Forecast) -> None:
        failed = replace(two_targets, status="fail")
        decision = decide(failed, cost=1e-9, value=Threshold(1.0, 0.0))
        assert decision.verdict == "undecided"
        assert "failed" in decision.reason
        assert len(decision.sensitivity) == len(decision.flips) == 0, (
            "no verdict on top of a failed check"
        )
        assert decision.status == "fail"

    def test_tasks_that_the_ladder_does_not_speak_for_are_named(
        self, two_targets: Forecast
    ) -> None:
        doubtful = replace(
            two_targets,
            table=two_targets.table.assign(
                verdict=[
                    "no trend" if t == "hellaswag" else "weak" for t in two_targets.table["task"]
                ]
            ),
        )
        remark = "the ladder does not speak for hellaswag (no trend)"
        assert remark in decide(doubtful, cost=1.0, value=Linear(1.0)).reason
        for value in (Linear(1.0, tasks=("arc_easy", "piqa")), Threshold(1.0, {"arc_easy": 0.3})):
            assert "speak" not in decide(doubtful, cost=1.0, value=value).reason

    def test_a_function_needs_no_thresholds(self, two_targets: Forecast) -> None:
        def mean_accuracy(draws: xr.Dataset) -> xr.DataArray:
            return draws["accuracy"].mean("task")

        decision = decide(two_targets, cost=0.1, value=mean_accuracy)
        assert decision.value is mean_accuracy
        assert decision.reach.empty
        assert decision.options["break_even_shift"].isna().all()

    def test_the_cap_on_regret_and_risk_aversion_stop_a_gamble(self, two_targets: Forecast) -> None:
        mean = two_targets.draws["accuracy"].mean("task").sel(target=two_targets.targets[1].label)
        gamble = {"cost": 1.0, "value": Threshold(3.0, float(mean.quantile(0.5)))}
        assert decide(two_targets, **gamble).verdict == "fund"
        assert decide(two_targets, **gamble, most_regret=0.1).verdict == "do not fund"
        assert decide(two_targets, **gamble, risk_aversion=10.0).verdict == "do not fund"


class TestCompute:
    """A decision prices the compute that its forecast used."""

    def test_is_6nd_where_the_ladder_has_none(self, gadre_fit: Fit) -> None:
        assert not gadre_fit.loss_data.compute_is_measured
        plain = Target(7e9, 1e12, corpus="c4", name="plain")
        measured = Target(7e9, 1e12, corpus="c4", name="measured", flops=9e22)
        both = replace(forecast(gadre_fit, [plain, measured]), status="pass")
        assert list(both.extrapolation["flops"]) == [plain.compute_6nd, measured.compute_6nd]
        options = decide(both, cost=Cost(), value=Linear(1.0)).options
        assert options["cost"][1] == options["cost"][0]
        draws = both.draws.sizes["chain"] * both.draws.sizes["draw"]
        assert options["cost"][0] == pytest.approx(Cost().draw([plain], draws, 0).mean())

    def test_is_that_of_the_forecast(self, two_targets: Forecast) -> None:
        first = two_targets.targets[0].label
        table = two_targets.extrapolation
        doubled = table["flops"].where(table["target"] != first, 2 * table["flops"])
        measured = replace(two_targets, extrapolation=table.assign(flops=doubled))
        plain, changed = (
            decide(both, cost=Cost(), value=Linear(1.0)).options["cost"]
            for both in (two_targets, measured)
        )
        np.testing.assert_allclose(changed / plain, [2.0, 1.0])


class TestBadInput:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"cost": -1.0}, "0 or more"),
            ({"value": lambda d: d["accuracy"].mean("task") * np.nan}, "finite"),
            ({"value": lambda d: d["accuracy"]}, "chain, draw and target"),
            ({"value": lambda d: 3.0}, "float"),
            ({"value": 3e6}, "must be a Threshold"),
            ({"value": Threshold(1.0, 0.5, tasks=["chess"])}, "chess"),
            ({"value": Threshold(1.0, {"chess": 0.5})}, "chess"),
            ({"risk_aversion": -1.0}, "0 or more"),
            ({"risk_aversion": 1.0, "value": lambda d: d["accuracy"].mean("task")}, "stake"),
            ({"risk_aversion": 1.0, "stake": -1.0}, "above 0"),
            ({"cost": {"7B-4T": 1.0, "13B-5T": 1.0, "chess": 1.0}}, "chess"),
            ({"most_regret": 1.5}, r"\[0, 1\]"),
        ],
    )
    def test_is_refused(
        self, two_targets: Forecast, settings: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(SettingError, match=message):
            decide(two_targets, **({"cost": 1.0, "value": Threshold(1.0, 0.5)} | settings))
