"""The point fits of Gadre et al. 2024 (arXiv 2403.08540), as released: curves, starts, bounds.

They follow scaling/laws.py and shared.py of repository mlfoundations/scaling.
"""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.point_fits.solver import FREE, Problem


def gadre_loss(params: np.ndarray, multiplier: np.ndarray, loss: np.ndarray) -> Problem:
    """L = alpha N^p + beta 6^(p/2) (M N)^p + E by least squares, M = D/N: the released form.

    `gadre_constants` turns its values into the constants of the paper.

    Parameters
    ----------
    params
        Number of parameters N of each run, shape (runs,).
    multiplier
        Tokens per parameter M = D/N of each run, shape (runs,).
    loss
        Loss L of each run in nats per token, shape (runs,).

    Returns
    -------
    Problem
        The fit of alpha, beta, p and E, from 128 starts.
    """
    starts = itertools.product(
        (1e2, 3e2, 1e3, 3e3), (1e2, 3e2, 1e3, 3e3), (-0.1, -0.3), (0.0, 1.0, 2.0, 10.0)
    )
    return Problem(
        name="loss law of Gadre et al.",
        curve=_loss_curve,
        parameters=("alpha", "beta", "p", "E"),
        x=(params, multiplier),
        y=loss,
        starts=tuple(starts),
        bounds=(FREE,) * 4,
        objective="squares",
    )


def gadre_constants(released: dict[str, float]) -> dict[str, float]:
    """eta = -p/2, a = alpha 6^eta, b = beta, in L = E + (a M^eta + b M^-eta) C^-eta.

    Parameters
    ----------
    released
        The values of alpha, beta, p and E in the released form (`gadre_loss`).

    Returns
    -------
    dict
        The values of a, b, eta and E in the form of the paper.
    """
    eta = -released["p"] / 2
    return {"a": released["alpha"] * 6**eta, "b": released["beta"], "eta": eta, "E": released["E"]}


def gadre_error(loss: np.ndarray, error: np.ndarray) -> Problem:
    """error = eps - k e^(-gamma L) by least squares.

    Parameters
    ----------
    loss
        Loss L of each run in nats per token, shape (runs,).
    error
        Error of each run, 1 - accuracy, from 0 to 1, shape (runs,).

    Returns
    -------
    Problem
        The fit of k, gamma and eps.
    """
    return Problem(
        name="error law of Gadre et al.",
        curve=_error_curve,
        parameters=("k", "gamma", "eps"),
        x=loss,
        y=error,
        starts=((1.0, 1.0, 1.0),),
        bounds=(FREE,) * 3,
        objective="squares",
    )


def _loss_curve(p: jax.Array, x: tuple[jax.Array, jax.Array]) -> jax.Array:
    """L = alpha N^p + beta 6^(p/2) (M N)^p + E."""
    N, M = x
    return p[0] * N ** p[2] + p[1] * 6 ** (p[2] / 2) * (M * N) ** p[2] + p[3]


def _error_curve(p: jax.Array, loss: jax.Array) -> jax.Array:
    """error = eps - k e^(-gamma L)."""
    return p[2] - p[0] * jnp.exp(-p[1] * loss)
