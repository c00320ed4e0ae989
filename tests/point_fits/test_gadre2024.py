"""The point fits of Gadre et al.: both forms of the loss law, and a fit without an optimum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayescale.errors import FitError
from bayescale.point_fits.gadre2024 import gadre_constants, gadre_error
from bayescale.point_fits.solver import solve
from helpers.curves import LOSS, D, M, N


def test_papers_form_of_gadre_is_the_same_curve() -> None:
    constants = gadre_constants({"alpha": 120.0, "beta": 200.0, "p": -0.25, "E": 1.7})
    a, b, eta, E = (constants[name] for name in ("a", "b", "eta", "E"))
    C = 6 * N * D
    assert E + (a * M**eta + b * M**-eta) * C**-eta == pytest.approx(
        1.7 + 120 * N**-0.25 + 200 * 6**-0.125 * (M * N) ** -0.25, rel=1e-12
    )


def test_squares_that_do_not_converge_are_an_error() -> None:
    # every k fits if gamma is large, so there is no optimum
    flat = gadre_error(LOSS, np.full(16, 0.75))
    with pytest.raises(FitError, match="error law of Gadre et al"):
        solve(replace(flat, starts=((1.0, 800.0, 1.0),)))
