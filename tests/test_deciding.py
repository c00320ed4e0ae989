"""Decisions: the laws that any of them obeys, closed forms, what travels with a failed check, what
bad input is told.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from bayescale.decisions.decide import decide
from bayescale.decisions.figures import Figures, combination, condensed
from bayescale.decisions.information import (
    Prospect,
    bootstrap_error,
    information,
    log_likelihood,
    prospect,
    refitting_floor,
    shuffled,
    weights_given,
    width_given,
)
from bayescale.decisions.preference import Preference
from bayescale.decisions.sensitivity import Change, changes, flips
from bayescale.decisions.value import Linear, Threshold, reach, value_draws
from bayescale.errors import SettingError
from bayescale.fits.fit import fit
from bayescale.fits.simulate import simulate
from bayescale.forecasts.forecast import Forecast, forecast

SIZES = [1e8, 1e8, 4e8, 4e8, 8e8, 1.6e9]
TOKENS = [2e9, 1e10, 8e9, 4e10, 1.6e10, 1e11]
INDIFFERENT = Preference(0.0, 1.0, 1.0)
MONEY = st.floats(1.0, 1e9)
SHARE = st.floats(0.0, 1.0)
quick = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


@pytest.fixture(scope="module")
def made() -> Forecast:
    """Two targets, three tasks."""
    drawn = simulate(params=SIZES, tokens=TOKENS, targets=[(7e9, 1e12), (1.3e10, 4e12)], seed=3)
    fitted = fit(drawn.ladder, law="compute", chains=2, draws=100, discrepancy="prior")
    return replace(forecast(fitted, drawn.ladder.targets()), status="pass")


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
    @given(one=SHARE, other=SHARE)
    def test_a_higher_threshold_never_raises_the_probability_of_reaching_it(
        self, made: Forecast, one: float, other: float
    ) -> None:
        low, high = (reach(Threshold(1.0, a), made.draws)["prob"] for a in sorted((one, other)))
        assert (high <= low).all()

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

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(
        seed=st.integers(0, 10_000),
        draws=st.integers(2, 40),
        outcomes=st.integers(1, 10),
        targets=st.integers(1, 3),
        scale=st.floats(1e-3, 1e3),
        aversion=st.floats(0.0, 3.0),
        regret=SHARE,
    )
    def test_no_information_is_worth_less_than_nothing_or_more_than_all(
        self,
        seed: int,
        draws: int,
        outcomes: int,
        targets: int,
        scale: float,
        aversion: float,
        regret: float,
    ) -> None:
        rng = np.random.default_rng(seed)
        net, weights = (
            scale * rng.standard_t(3, (draws, targets)),
            rng.dirichlet(np.full(draws, 0.3), outcomes).T,
        )
        preference = Preference(aversion, regret, scale)
        found = information(prospect(weights, net, preference), preference)
        assert found.sample >= 0
        assert found.perfect >= found.sample - 1e-6 * scale


class TestClosedForms:
    """theta ~ Normal(m, s^2) is the net value; y = theta + Normal(0, t^2) is seen first."""

    MEAN, SD, NOISE = -0.4, 1.0, 0.7

    def gain(self, sd: float) -> float:
        """E max(0, X) - max(0, m), X ~ Normal(m, sd^2)."""
        u = self.MEAN / sd
        return sd * (stats.norm.pdf(u) + u * stats.norm.cdf(u)) - max(0.0, self.MEAN)

    @pytest.mark.parametrize("draws", [4000, 100_000])
    def test_sample_information_of_a_normal(self, draws: int) -> None:
        """Five figures, each as noisy as t: as good as one of t / sqrt(5)."""
        rng = np.random.default_rng(1)
        theta = self.MEAN + self.SD * rng.standard_normal(draws)
        figures = Figures(
            np.tile(theta[:, None], (1, 5)),
            np.full((draws, 5), self.NOISE),
            np.zeros((draws, 0, 5)),
        )
        t = condensed(
            figures.of(slice(1, None, 2)),
            combination(figures.of(slice(0, None, 2)), theta[::2, None], rng),
        )
        weights, k = weights_given(log_likelihood(*t, 400, rng))
        net = theta[1::2]
        assert np.quantile(k, 0.9) < 0.7
        found = information(prospect(weights, net[:, None], INDIFFERENT), INDIFFERENT)
        known = self.gain(self.SD**2 / np.sqrt(self.SD**2 + self.NOISE**2 / 5))
        of_draws = np.maximum(net, 0.0).std() / np.sqrt(len(net))
        assert found.sample == pytest.approx(
            known,
            abs=3 * np.hypot(found.standard_error, of_draws) if draws == 4000 else 0.02 * known,
        )
        assert found.perfect == pytest.approx(
            self.gain(self.SD), abs=3 * of_draws if draws == 4000 else 0.02 * self.gain(self.SD)
        )

    def test_the_interval_given_an_outcome_is_the_conjugate_one(self) -> None:
        theta = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
        weights, _ = weights_given(-0.5 * ((0.3 - theta[:, None]) / self.NOISE) ** 2)
        sd = np.sqrt(1 / (1 + 1 / self.NOISE**2))
        assert width_given(theta, weights, (0.05, 0.95))[0] == pytest.approx(
            2 * 1.645 * sd, rel=0.01
        )

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


class TestMonteCarloError:
    """Of an EVSI by weights: outcomes that tell nothing, and its spread over fresh draws."""

    @staticmethod
    def drawn(
        rng: np.random.Generator, told: float, draws: int = 1000
    ) -> tuple[np.ndarray, np.ndarray]:
        """Net values, and weights given outcomes that correlate with them by so much; E net is nil,
        where chance tells most.
        """
        theta = rng.standard_normal(draws)
        t = told * theta + np.sqrt(1 - told**2) * rng.standard_normal(draws)
        y = stats.norm.ppf((np.arange(100) + 0.5) / 100)
        weights = np.exp(-0.5 * ((y - t[:, None]) / 0.5) ** 2)
        return (theta - theta.mean())[:, None], weights / weights.sum(0)

    def test_the_floor_is_what_chance_gives(self) -> None:
        rng = np.random.default_rng(0)
        net, weights = self.drawn(rng, 0.0)
        floor = shuffled(weights, net, INDIFFERENT, rng)
        chance = [
            information(prospect(w, n, INDIFFERENT), INDIFFERENT).sample
            for n, w in (self.drawn(rng, 0.0) for _ in range(200))
        ]
        assert 0.75 < np.mean(np.array(chance) < floor) < 0.99
        real = information(prospect(*self.drawn(rng, 0.8)[::-1], INDIFFERENT), INDIFFERENT).sample
        assert real > 5 * floor

    def test_the_floor_of_refits_is_that_of_means_as_noisy_as_they_are(self) -> None:
        """E max(0, z) - max(0, E z) over eight means around nil: their spread, nothing else."""
        rng = np.random.default_rng(2)
        covariances = [np.eye(1) * 4.0] * 8
        floor = refitting_floor(np.zeros(1), np.zeros(1), covariances, INDIFFERENT, rng)
        chance = [
            information(
                Prospect(2.0 * rng.standard_normal((8, 1)), np.zeros((8, 1)), 0.0), INDIFFERENT
            ).sample
            for _ in range(500)
        ]
        assert 0.75 < np.mean(np.array(chance) < floor) < 0.99
        assert refitting_floor(np.full(1, 100.0), np.zeros(1), covariances, INDIFFERENT, rng) == 0

    def test_the_bootstrap_is_the_spread_over_fresh_draws(self) -> None:
        rng = np.random.default_rng(1)
        each = [self.drawn(rng, 0.5) for _ in range(60)]
        spread = np.std(
            [information(prospect(w, n, INDIFFERENT), INDIFFERENT).sample for n, w in each]
        )
        errors = [bootstrap_error(w, n, INDIFFERENT, rng) for n, w in each[:5]]
        assert np.mean(errors) == pytest.approx(spread, rel=0.5)


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

    def test_sensitivity_is_of_the_choice_among_all(self, made: Forecast) -> None:
        """The dear one is given up before anything is: then the other is funded."""
        first, second = (t.label for t in made.targets)
        found = decide(
            made, cost={first: 0.1, second: 5.0}, value=Threshold(10.0, 0.0, tasks=["a"])
        )
        rows = found.sensitivity.query("what == 'cost, times'").set_index("by")
        assert set(rows["target"]) == {first}
        assert found.flips.set_index("what")["at"]["cost, times"] == pytest.approx(100.0, rel=0.1)

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

    @pytest.mark.parametrize(
        ("build", "said"),
        [
            (lambda: Threshold(1.0, 60.0), r"\[0, 1\]"),
            (lambda: Threshold(1.0, {"a": -0.1}), r"\[0, 1\]"),
            (lambda: Threshold(1.0, {}), r"\[0, 1\]"),
            (lambda: Threshold(-1.0, 0.5), "above 0"),
            (lambda: Threshold(1.0, {"a": 0.5}, tasks=["a"]), "mean alone"),
            (lambda: Linear(0.0), "above 0"),
            (lambda: Linear(1.0, baseline=60.0), r"\[0, 1\)"),
        ],
    )
    def test_values_that_are_none(self, build: Callable[[], Threshold | Linear], said: str) -> None:
        with pytest.raises(SettingError, match=said):
            build()
