"""Point fits: known curves come back, published optima come back, and a fit that has not settled is
an error.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.data.datasets import load_dataset
from bayescale.errors import FitError
from bayescale.point_fits import bhagia2024 as baselines
from bayescale.point_fits.gadre2024 import gadre_constants
from bayescale.point_fits.solver import Problem, optima, solve

N = np.repeat([2e8, 4e8, 8e8, 1.6e9], 4)
M = np.tile([20.0, 40.0, 100.0, 200.0], 4)
D = M * N
LOSS = np.linspace(0.7, 2.0, 16)
type Build = Callable[[np.ndarray], Problem]
# Each problem by the y that it is built from, the true parameters, and x: y is the papers' formula
# written out here.
KNOWN: dict[str, tuple[Build, dict[str, float], np.ndarray]] = {
    "gadre loss": (
        lambda y: baselines.gadre_loss(N, M, y),
        {"alpha": 120.0, "beta": 200.0, "p": -0.25, "E": 1.7},
        1.7 + 120 * N**-0.25 + 200 * 6**-0.125 * (M * N) ** -0.25,
    ),
    "gadre error": (
        lambda y: baselines.gadre_error(LOSS, y),
        {"k": 1.5, "gamma": 0.9, "eps": 0.8},
        0.8 - 1.5 * np.exp(-0.9 * LOSS),
    ),
    "ladder loss": (
        lambda y: baselines.ladder_loss(N, D, y),
        {"ln A": np.log(400), "ln B": np.log(500), "alpha": 0.34, "beta": 0.28, "E": 0.5},
        0.5 + 400 * N**-0.34 + 500 * D**-0.28,
    ),
    "ladder compute": (
        lambda y: baselines.ladder_compute(6 * N * D, y),
        {"ln A": np.log(800), "alpha": 0.16, "E": 0.6},
        0.6 + 800 * (6 * N * D) ** -0.16,
    ),
    "ladder link": (
        lambda y: baselines.ladder_link(LOSS, y, 0.25),
        {"a": -0.7, "x0": 0.75, "k": 9.0, "b": 1.0},
        1 - 0.7 / (1 + np.exp(-9 * (LOSS - 0.75))),
    ),
    "ladder log link": (
        lambda y: baselines.ladder_log_link(LOSS, y),
        {"a": -0.1, "x0": 0.8, "k": 3.0},
        1 + 0.1 * np.log(1 - 1 / (1 + np.exp(-3 * (LOSS - 0.8)))),
    ),
    "ladder single step": (
        lambda y: baselines.ladder_single_step(N, D, y, 0.25),
        {
            "ln A": np.log(3e4),
            "ln B": np.log(2e3),
            "alpha": 0.5,
            "beta": 0.3,
            "E": -0.5,
            "p": -0.7,
            "q": 0.98,
        },
        0.98 - 0.7 / (1 + np.exp(0.5 - 3e4 * N**-0.5 - 2e3 * D**-0.3)),
    ),
    "ladder accuracy": (
        lambda y: baselines.ladder_accuracy(N, D, y),
        {"ln A": np.log(100), "ln B": np.log(200), "alpha": 0.34, "beta": 0.28, "E": 1.4},
        1.4 - 100 * N**-0.34 - 200 * D**-0.28,
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_curve_comes_back(name: str) -> None:
    build, truth, y = KNOWN[name]
    problem = build(y)
    fit = solve(problem)
    assert fit(problem.x)[: len(y)] == pytest.approx(y, rel=1e-3)
    # a helper point, or parameters that trade places
    tolerance = 0.05 if name in ("ladder single step", "ladder accuracy", "ladder link") else 1e-2
    assert fit.values == pytest.approx(truth, rel=tolerance)


def test_papers_form_of_gadre_is_the_same_curve() -> None:
    values = {"alpha": 120.0, "beta": 200.0, "p": -0.25, "E": 1.7}
    k, C = gadre_constants(values), 6 * N * D
    paper = k["E"] + (k["a"] * M ** k["eta"] + k["b"] * M ** -k["eta"]) * C ** -k["eta"]
    assert paper == pytest.approx(
        1.7 + 120 * N**-0.25 + 200 * 6**-0.125 * (M * N) ** -0.25, rel=1e-12
    )


def test_the_helper_point_of_the_link_is_loss_0_accuracy_1() -> None:
    problem = baselines.ladder_link(LOSS, np.full(16, 0.5), 0.25)
    assert (np.asarray(problem.x)[-1], problem.y[-1], len(problem.y)) == (0.0, 1.0, 17)


class TestNotSettled:
    """The released single step of openbookqa drifts along a ridge for ever."""

    def problem(self) -> Problem:
        runs = load_dataset("ladder2024").where(role="fit", task="openbookqa").frame
        return baselines.ladder_single_step(
            *(runs[k].to_numpy() for k in ("params", "tokens", "accuracy")), 0.25
        )

    def test_is_an_error_with_the_optimisers_message(self) -> None:
        with pytest.raises(
            FitError, match=r"must converge; got .* a second optimiser still gains"
        ) as caught:
            solve(self.problem())
        assert "iterations" in caught.value.got

    def test_is_a_row_without_figures_among_optima(self) -> None:
        found = optima(self.problem(), 2)
        assert found["message"].str.contains("second optimiser").all()
        assert found[["objective", "alpha", "E"]].isna().all(axis=None)


def test_a_curve_below_zero_is_an_error() -> None:
    build, _, y = KNOWN["ladder accuracy"]
    with pytest.raises(FitError, match="fell below 0"):
        solve(replace(build(y), starts=((20.0, 20.0, 0.1, 0.1, 0.0),)))


def test_squares_that_do_not_converge_are_an_error() -> None:
    # any k with gamma large fits: no optimum to speak of
    flat = baselines.gadre_error(LOSS, np.full(16, 0.75))
    with pytest.raises(FitError, match="error law of Gadre et al"):
        solve(replace(flat, starts=((1.0, 800.0, 1.0),)))


def test_optima_agree_where_the_runs_determine_the_curve() -> None:
    build, _, y = KNOWN["ladder loss"]
    found = optima(
        build(y * np.exp(0.002 * np.random.default_rng(0).standard_normal(16))), 6, seed=1
    )
    converged = found[found["message"].eq("")]
    assert len(converged) >= 4
    assert np.ptp(converged["alpha"]) < 1e-4
    assert found.equals(
        optima(build(y * np.exp(0.002 * np.random.default_rng(0).standard_normal(16))), 6, seed=1)
    )


def test_epochs_refit_of_chinchilla(shared_data: Path) -> None:
    """Besiroglu et al. 2024: 240 digitised points, the same objective; their optimum to 3
    digits.
    """
    # they drop the 5 highest losses
    runs = (
        pd.read_csv(shared_data / "chinchilla2022" / "digitised.csv").sort_values("loss").iloc[:-5]
    )
    params, flops = runs["Model Size"].to_numpy(), runs["Training FLOP"].to_numpy()
    problem = baselines.ladder_loss(params, flops / (6 * params), runs["loss"].to_numpy())
    fit = solve(
        replace(
            problem, starts=tuple(itertools.product((5.0, 8.0), (8.0,), (0.3,), (0.3, 0.5), (1.0,)))
        )
    )
    found = {"A": np.exp(fit.values["ln A"]), "B": np.exp(fit.values["ln B"])} | {
        k: fit.values[k] for k in ("E", "alpha", "beta")
    }
    published = {"A": 477.84, "B": 2143.86, "E": 1.81724, "alpha": 0.34731, "beta": 0.36718}
    assert {k: f"{v:.3g}" for k, v in found.items()} == {
        k: f"{v:.3g}" for k, v in published.items()
    }
