"""Both papers' curves without noise, and the parameters that they were drawn from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayescale.point_fits.bhagia2024 import (
    bhagia_accuracy,
    bhagia_compute,
    bhagia_link,
    bhagia_log_link,
    bhagia_loss,
    bhagia_single_step,
)
from bayescale.point_fits.gadre2024 import gadre_error, gadre_loss
from bayescale.point_fits.solver import Problem

N = np.repeat([2e8, 4e8, 8e8, 1.6e9], 4)
M = np.tile([20.0, 40.0, 100.0, 200.0], 4)
D = M * N
LOSS = np.linspace(0.7, 2.0, 16)
type Build = Callable[[np.ndarray], Problem]

# For each fit: the problem as a function of y, the true parameters, and y. The y of each fit is the
# papers' formula, written out here.
KNOWN: dict[str, tuple[Build, dict[str, float], np.ndarray]] = {
    "gadre loss": (
        lambda y: gadre_loss(N, M, y),
        {"alpha": 120.0, "beta": 200.0, "p": -0.25, "E": 1.7},
        1.7 + 120 * N**-0.25 + 200 * 6**-0.125 * (M * N) ** -0.25,
    ),
    "gadre error": (
        lambda y: gadre_error(LOSS, y),
        {"k": 1.5, "gamma": 0.9, "eps": 0.8},
        0.8 - 1.5 * np.exp(-0.9 * LOSS),
    ),
    "bhagia loss": (
        lambda y: bhagia_loss(N, D, y),
        {"ln A": np.log(400), "ln B": np.log(500), "alpha": 0.34, "beta": 0.28, "E": 0.5},
        0.5 + 400 * N**-0.34 + 500 * D**-0.28,
    ),
    "bhagia compute": (
        lambda y: bhagia_compute(6 * N * D, y),
        {"ln A": np.log(800), "alpha": 0.16, "E": 0.6},
        0.6 + 800 * (6 * N * D) ** -0.16,
    ),
    "bhagia link": (
        lambda y: bhagia_link(LOSS, y, 0.25),
        {"a": -0.7, "x0": 0.75, "k": 9.0, "b": 1.0},
        1 - 0.7 / (1 + np.exp(-9 * (LOSS - 0.75))),
    ),
    "bhagia log link": (
        lambda y: bhagia_log_link(LOSS, y),
        {"a": -0.1, "x0": 0.8, "k": 3.0},
        1 + 0.1 * np.log(1 - 1 / (1 + np.exp(-3 * (LOSS - 0.8)))),
    ),
    "bhagia single step": (
        lambda y: bhagia_single_step(N, D, y, 0.25),
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
    "bhagia accuracy": (
        lambda y: bhagia_accuracy(N, D, y),
        {"ln A": np.log(100), "ln B": np.log(200), "alpha": 0.34, "beta": 0.28, "E": 1.4},
        1.4 - 100 * N**-0.34 - 200 * D**-0.28,
    ),
}
