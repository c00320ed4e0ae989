"""The point fits of both papers recover known curves, and Bhagia et al.'s a published optimum."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.errors import FitError
from bayescale.point_fits.bhagia2024 import bhagia_link, bhagia_loss
from bayescale.point_fits.solver import solve
from helpers.curves import KNOWN, LOSS

# fits with a helper point, or with parameters that trade places: their values are less certain
LOOSE = ("bhagia single step", "bhagia accuracy", "bhagia link")


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_curve_comes_back(name: str) -> None:
    build, truth, y = KNOWN[name]
    problem = build(y)
    fit = solve(problem)
    assert fit(problem.x)[: len(y)] == pytest.approx(y, rel=1e-3)
    assert fit.values == pytest.approx(truth, rel=0.05 if name in LOOSE else 1e-2)


def test_the_helper_point_of_the_link_is_loss_0_accuracy_1() -> None:
    problem = bhagia_link(LOSS, np.full(16, 0.5), 0.25)
    assert (np.asarray(problem.x)[-1], problem.y[-1], len(problem.y)) == (0.0, 1.0, 17)


def test_a_curve_below_zero_is_an_error() -> None:
    build, _, y = KNOWN["bhagia accuracy"]
    with pytest.raises(FitError, match="fell below 0"):
        solve(replace(build(y), starts=((20.0, 20.0, 0.1, 0.1, 0.0),)))


def test_epochs_refit_of_chinchilla(shared_data: Path) -> None:
    """Besiroglu et al. 2024 fit 240 digitised points with the same objective; 3 digits agree."""
    points = pd.read_csv(shared_data / "chinchilla2022" / "digitised.csv")
    # they drop the 5 highest losses
    runs = points.sort_values("loss").iloc[:-5]
    params = runs["Model Size"].to_numpy()
    tokens = runs["Training FLOP"].to_numpy() / (6 * params)
    starts = itertools.product((5.0, 8.0), (8.0,), (0.3,), (0.3, 0.5), (1.0,))
    problem = bhagia_loss(params, tokens, runs["loss"].to_numpy())
    values = solve(replace(problem, starts=tuple(starts))).values
    constants = {
        "A": np.exp(values["ln A"]),
        "B": np.exp(values["ln B"]),
        "E": values["E"],
        "alpha": values["alpha"],
        "beta": values["beta"],
    }
    published = {"A": 477.84, "B": 2143.86, "E": 1.81724, "alpha": 0.34731, "beta": 0.36718}
    assert {name: f"{value:.3g}" for name, value in constants.items()} == {
        name: f"{value:.3g}" for name, value in published.items()
    }
