"""The least-squares fits of the ladder of 2024: known curves and published optima come back."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.errors import FitError
from bayescale.point_fits import bhagia2024 as baselines
from bayescale.point_fits.solver import solve
from helpers.curves import KNOWN, LOSS


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_curve_comes_back(name: str) -> None:
    build, truth, y = KNOWN[name]
    problem = build(y)
    fit = solve(problem)
    assert fit(problem.x)[: len(y)] == pytest.approx(y, rel=1e-3)
    # a helper point, or parameters that trade places
    tolerance = 0.05 if name in ("ladder single step", "ladder accuracy", "ladder link") else 1e-2
    assert fit.values == pytest.approx(truth, rel=tolerance)


def test_the_helper_point_of_the_link_is_loss_0_accuracy_1() -> None:
    problem = baselines.bhagia_link(LOSS, np.full(16, 0.5), 0.25)
    assert (np.asarray(problem.x)[-1], problem.y[-1], len(problem.y)) == (0.0, 1.0, 17)


def test_a_curve_below_zero_is_an_error() -> None:
    build, _, y = KNOWN["ladder accuracy"]
    with pytest.raises(FitError, match="fell below 0"):
        solve(replace(build(y), starts=((20.0, 20.0, 0.1, 0.1, 0.0),)))


def test_epochs_refit_of_chinchilla(shared_data: Path) -> None:
    """Besiroglu et al. 2024: 240 digitised points, the same objective; their optimum to 3
    digits.
    """
    # they drop the 5 highest losses
    runs = (
        pd.read_csv(shared_data / "chinchilla2022" / "digitised.csv").sort_values("loss").iloc[:-5]
    )
    params, flops = runs["Model Size"].to_numpy(), runs["Training FLOP"].to_numpy()
    problem = baselines.bhagia_loss(params, flops / (6 * params), runs["loss"].to_numpy())
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
