"""The point fits of Gadre et al. 2024, as released: curves, starts and bounds."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.point_fits.solver import FREE, Problem


def _gadre_loss(p: jax.Array, x: tuple[jax.Array, jax.Array]) -> jax.Array:
    N, M = x
    return p[0] * N ** p[2] + p[1] * 6 ** (p[2] / 2) * (M * N) ** p[2] + p[3]


def _gadre_error(p: jax.Array, loss: jax.Array) -> jax.Array:
    return p[2] - p[0] * jnp.exp(-p[1] * loss)


def gadre_loss(params: np.ndarray, multiplier: np.ndarray, loss: np.ndarray) -> Problem:
    """L = alpha N^p + beta 6^(p/2) (M N)^p + E by least squares, M = D/N: the released form;
    `gadre_constants` gives the paper's.
    """
    starts = itertools.product(
        (1e2, 3e2, 1e3, 3e3), (1e2, 3e2, 1e3, 3e3), (-0.1, -0.3), (0.0, 1.0, 2.0, 10.0)
    )
    return Problem(
        "loss law of Gadre et al.",
        _gadre_loss,
        ("alpha", "beta", "p", "E"),
        (params, multiplier),
        loss,
        tuple(starts),
        (FREE,) * 4,
        "squares",
    )


def gadre_constants(released: dict[str, float]) -> dict[str, float]:
    """Eta = -p/2, a = alpha 6^eta, b = beta, in L = E + (a M^eta + b M^-eta) C^-eta."""
    eta = -released["p"] / 2
    return {"a": released["alpha"] * 6**eta, "b": released["beta"], "eta": eta, "E": released["E"]}


def gadre_error(loss: np.ndarray, error: np.ndarray) -> Problem:
    """Error = eps - k e^(-gamma L) by least squares."""
    return Problem(
        "error law of Gadre et al.",
        _gadre_error,
        ("k", "gamma", "eps"),
        loss,
        error,
        ((1.0, 1.0, 1.0),),
        (FREE,) * 3,
        "squares",
    )
