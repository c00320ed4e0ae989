"""The least-squares fits of Gadre et al.: known curves come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayescale.errors import FitError
from bayescale.point_fits import bhagia2024 as baselines
from bayescale.point_fits.gadre2024 import gadre_constants
from bayescale.point_fits.solver import solve
from helpers.curves import LOSS, D, M, N


def test_papers_form_of_gadre_is_the_same_curve() -> None:
    values = {"alpha": 120.0, "beta": 200.0, "p": -0.25, "E": 1.7}
    k, C = gadre_constants(values), 6 * N * D
    paper = k["E"] + (k["a"] * M ** k["eta"] + k["b"] * M ** -k["eta"]) * C ** -k["eta"]
    assert paper == pytest.approx(
        1.7 + 120 * N**-0.25 + 200 * 6**-0.125 * (M * N) ** -0.25, rel=1e-12
    )


def test_squares_that_do_not_converge_are_an_error() -> None:
    # any k with gamma large fits: no optimum to speak of
    flat = baselines.gadre_error(LOSS, np.full(16, 0.75))
    with pytest.raises(FitError, match="error law of Gadre et al"):
        solve(replace(flat, starts=((1.0, 800.0, 1.0),)))
