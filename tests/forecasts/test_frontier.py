"""The compute-optimal frontier against its closed form."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bayescale.errors import DataError, SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.frontier import frontier


def law_alone(fitted: Fit) -> Fit:
    """The same posterior, its law taken as true."""
    return replace(fitted, settings=replace(fitted.settings, discrepancy="none"))


class TestFrontier:
    def test_is_that_of_the_closed_form(self, ladder_fit: Fit) -> None:
        """N* = G (C/6)^(beta / (alpha + beta)), G = (alpha A / (beta B))^(1 / (alpha + beta))
        (Hoffmann et al. 2022, 2203.15556).
        """
        corpus, name = ladder_fit.loss_data.groups.pairs[0]
        found = frontier(
            law_alone(ladder_fit),
            [1e21, 1e24],
            loss_name=name,
            corpus=corpus,
            multipliers=[20.0, 640.0],
        )
        of = ladder_fit.losses["posterior"].sel(corpus=corpus, loss_name=name)
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

    def test_an_error_of_the_law_widens_it(self, ladder_fit: Fit) -> None:
        corpus, name = ladder_fit.loss_data.groups.pairs[0]
        with_error, without = (
            frontier(one, [1e23], loss_name=name, corpus=corpus).set_index("quantity")
            for one in (ladder_fit, law_alone(ladder_fit))
        )
        wide, narrow = (
            np.log(found.loc["params", "upper"] / found.loc["params", "lower"])
            for found in (with_error, without)
        )
        assert wide > narrow

    def test_nothing_is_given_up_at_the_optimum(self, ladder_fit: Fit) -> None:
        corpus, name = ladder_fit.loss_data.groups.pairs[0]
        found = frontier(ladder_fit, 1e22, loss_name=name, corpus=corpus).query(
            "quantity == 'loss given up'"
        )
        assert (found["lower"] >= 0).all()
        runs = ladder_fit.ladder.with_role("fit").runs
        largest = (6 * runs["params"] * runs["tokens"]).max()
        np.testing.assert_allclose(found["extrapolation_factor"], 1e22 / largest)

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
        self, ladder_fit: Fit, asked: dict[str, Any], error: type[Exception], said: str
    ) -> None:
        with pytest.raises(error, match=said):
            frontier(ladder_fit, **asked)
