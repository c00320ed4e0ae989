"""Where to stand: the compute-optimal frontier against its closed form, and what it takes to reach
an accuracy.
"""

from typing import Any

import numpy as np
import pytest

from bayescale.data.target import Target
from bayescale.decisions.required import required
from bayescale.errors import DataError, SettingError
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.fits.simulate import simulate
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.frontier import frontier

SIZES = [1e8, 1e8, 2e8, 4e8, 4e8, 8e8, 1.6e9, 1.6e9]
TOKENS = [2e9, 1e10, 4e9, 8e9, 4e10, 1.6e10, 3e10, 1e11]


@pytest.fixture(scope="module")
def fitted() -> Fit:
    drawn = simulate(params=SIZES, tokens=TOKENS, targets=[(7e9, 1e12)], law="chinchilla", seed=3)
    return fit(drawn.ladder, law="chinchilla", via=None, chains=2, draws=300, discrepancy="prior")


class TestFrontier:
    def test_is_that_of_the_closed_form(self, fitted: Fit) -> None:
        """N* = G (C/6)^(beta / (alpha + beta)), G = (alpha A / (beta B))^(1 / (alpha + beta))
        (Hoffmann et al. 2022, 2203.15556).
        """
        corpus, name = fitted.loss_data.groups.pairs[0]
        found = frontier(
            fitted, [1e21, 1e24], loss_name=name, corpus=corpus, multipliers=[20.0, 640.0]
        )
        of = fitted.losses["posterior"].sel(corpus=corpus, loss_name=name)
        alpha, beta, A, B, E = (of[k].to_numpy().ravel() for k in ("alpha", "beta", "A", "B", "E"))
        for budget in (1e21, 1e24):
            N = (alpha * A / (beta * B)) ** (1 / (alpha + beta)) * (budget / 6) ** (
                beta / (alpha + beta)
            )
            D = budget / 6 / N
            rows = found[found["flops"] == budget].set_index("quantity")
            for quantity, draws in (("params", N), ("tokens", D), ("multiplier", D / N)):
                inside = (D / N > 0.01) & (D / N < 1e6)
                assert inside.mean() > 0.9
                assert rows.loc[quantity, "median"] == pytest.approx(np.median(draws), rel=0.02)
            best = E + A * N**-alpha + B * D**-beta
            for m in (20.0, 640.0):
                n = np.sqrt(budget / 6 / m)
                lost = (E + A * n**-alpha + B * (m * n) ** -beta) / best - 1
                row = rows[rows["multiplier"] == m].iloc[0]
                assert (row["median"], row["upper"]) == pytest.approx(
                    (np.median(lost), np.quantile(lost, 0.95)), rel=0.05, abs=1e-5
                )

    def test_nothing_is_given_up_at_the_optimum(self, fitted: Fit) -> None:
        corpus, name = fitted.loss_data.groups.pairs[0]
        found = frontier(fitted, 1e22, loss_name=name, corpus=corpus).query(
            "quantity == 'loss given up'"
        )
        assert (found["lower"] >= 0).all()
        np.testing.assert_allclose(found["extrapolation_factor"], 1e22 / (6 * 1.6e9 * 1e11))

    @pytest.mark.parametrize(
        ("asked", "error", "said"),
        [
            ({"budgets": [-1.0]}, SettingError, "positive"),
            ({"budgets": []}, SettingError, "positive"),
            ({"budgets": 1e22, "multipliers": [0.0]}, SettingError, "positive"),
            ({"budgets": 1e22, "loss_name": "chess"}, DataError, "was fitted"),
            ({"budgets": 1e22, "prob": 2.0}, SettingError, "prob"),
        ],
    )
    def test_bad_input_is_told(
        self, fitted: Fit, asked: dict[str, Any], error: type[Exception], said: str
    ) -> None:
        with pytest.raises(error, match=said):
            frontier(fitted, **asked)


class TestRequired:
    def test_a_run_of_that_size_reaches_it_with_that_probability(self, fitted: Fit) -> None:
        task = fitted.ladder.tasks[0]
        middle = forecast(fitted, Target(3e9, 6e10)).draws["accuracy"].sel(task=task)
        wanted = float(middle.quantile(0.3))
        found = required(fitted, task, wanted, 0.7)
        assert found.flops is not None
        assert found.params is not None
        assert found.tokens == pytest.approx(20 * found.params)
        again = (
            forecast(fitted, Target(found.params, 20 * found.params), seed=1)
            .draws["accuracy"]
            .sel(task=task)
        )
        assert float((again >= wanted).mean()) == pytest.approx(0.7, abs=0.06)

    def test_more_is_needed_for_more_and_for_more_certainty(self, fitted: Fit) -> None:
        middle = float(forecast(fitted, Target(3e9, 6e10)).mean().iloc[0]["median"])
        plain, surer = required(fitted, None, middle, 0.5), required(fitted, None, middle, 0.7)
        assert plain.flops is not None
        assert surer.flops is None or surer.flops > plain.flops
        fixed = required(fitted, None, middle, 0.5, params=2e9)
        assert fixed.params == 2e9

    def test_beyond_its_range_it_says_so(self, fitted: Fit) -> None:
        found = required(fitted, None, 0.999, 0.9)
        assert (found.flops, found.params, found.tokens) == (None, None, None)
        assert "not within the range that this ladder can speak for" in repr(found)

    def test_a_size_far_from_the_ladders_is_answered_only_where_its_multiplier_is_near(
        self, fitted: Fit
    ) -> None:
        """At 100 times the largest size little compute means almost no tokens: the ladder does not
        speak for that.
        """
        found = required(fitted, fitted.ladder.tasks[0], 0.27, 0.5, params=1.6e11)
        near = found.table["tokens"] / found.table["params"]
        assert not found.table.loc[near < 0.1, "spoken_for"].any()
        assert found.tokens is None or found.tokens / 1.6e11 > 0.1
        nowhere = required(fitted, None, 0.5, 0.5, multiplier=1e6)
        assert nowhere.flops is None
        assert "no D / N is near its own" in nowhere.answer

    def test_what_the_ladder_does_not_speak_for_is_named(
        self, fitted: Fit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        judged = fitted.verdicts().assign(verdict="no trend")
        monkeypatch.setattr(Fit, "verdicts", lambda _: judged)
        assert (
            "the ladder does not speak for"
            in required(fitted, fitted.ladder.tasks[0], 0.5, 0.5).answer
        )

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"tasks": None, "accuracy": 60.0}, "between 0 and 1"),
            ({"tasks": "chess", "accuracy": 0.6}, "chess"),
            ({"tasks": None, "accuracy": 0.6, "params": 1e9, "multiplier": 20.0}, "one of them"),
            ({"tasks": None, "accuracy": 0.6, "params": -1e9}, "positive"),
            ({"tasks": None, "accuracy": 0.6, "furthest": 0.05}, "above 0.1"),
        ],
    )
    def test_bad_input_is_told(self, fitted: Fit, asked: dict[str, Any], said: str) -> None:
        with pytest.raises(SettingError, match=said):
            required(fitted, **asked)
