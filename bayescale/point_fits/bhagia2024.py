"""The point fits of Bhagia et al. 2024, as released: curves, starts and bounds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.point_fits.solver import FREE, POSITIVE, Problem

# Bhagia et al. 2024 (repository allenai/OLMo-ladder, src/scaling/fitting_functions.py and the
# scripts of each step)


def _chinchilla(p: jax.Array, x: tuple[jax.Array, jax.Array]) -> jax.Array:
    N, D = x
    return jnp.exp(p[0] - p[2] * jnp.log(N)) + jnp.exp(p[1] - p[3] * jnp.log(D)) + p[4]


def _compute(p: jax.Array, C: jax.Array) -> jax.Array:
    return jnp.exp(p[0] - p[1] * jnp.log(C)) + p[2]


def _logistic(p: jax.Array, loss: jax.Array) -> jax.Array:
    return p[0] * jax.nn.sigmoid(p[2] * (loss - p[1])) + p[3]


def _log_logistic(p: jax.Array, loss: jax.Array) -> jax.Array:
    return 1 - p[0] * jnp.log(1 - 1 / (1 + jnp.exp(-p[2] * (loss - p[1]))))


def _single_step(p: jax.Array, x: tuple[jax.Array, jax.Array]) -> jax.Array:
    return jnp.maximum(1e-6, p[5] / (1 + jnp.exp(-_chinchilla(p, x))) + p[6])


def _accuracy_law(p: jax.Array, x: tuple[jax.Array, jax.Array]) -> jax.Array:
    N, D = x
    return p[4] - jnp.exp(p[0] - p[2] * jnp.log(N)) - jnp.exp(p[1] - p[3] * jnp.log(D))


CHINCHILLA = ("ln A", "ln B", "alpha", "beta", "E")


def ladder_loss(params: np.ndarray, tokens: np.ndarray, loss: np.ndarray) -> Problem:
    """L = A N^-alpha + B D^-beta + E: the first step of Bhagia et al."""
    return Problem(
        "step 1 of Bhagia et al.",
        _chinchilla,
        CHINCHILLA,
        (params, tokens),
        loss,
        ((3.0, 6.0, 0.1, 0.2, 1.0),),
        (POSITIVE,) * 5,
        "huber",
    )


def ladder_compute(flops: np.ndarray, loss: np.ndarray) -> Problem:
    """L = A C^-alpha + E: their first step on compute alone."""
    bounds = (POSITIVE, (0.0, 1.0), POSITIVE)
    return Problem(
        "step 1 of Bhagia et al. on compute",
        _compute,
        ("ln A", "alpha", "E"),
        flops,
        loss,
        ((10.0, 0.4, 0.5),),
        bounds,
        "huber",
    )


def ladder_link(loss: np.ndarray, accuracy: np.ndarray, chance: float) -> Problem:
    """Acc = a / (1 + e^(-k (L - x0))) + b, a in [-1, 0], by least squares, one point (loss 0,
    accuracy 1) added: their second step.
    """
    y, x, bounds = (
        np.append(accuracy, 1.0),
        np.append(loss, 0.0),
        ((-1.0, 0.0), POSITIVE, POSITIVE, (0.0, 1.0)),
    )
    return Problem(
        "step 2 of Bhagia et al.",
        _logistic,
        ("a", "x0", "k", "b"),
        x,
        y,
        ((chance - 1.0, 0.9, 3.0, 1.0),),
        bounds,
        "squares",
    )


def ladder_log_link(cross_entropy: np.ndarray, accuracy: np.ndarray) -> Problem:
    """Acc = 1 - a ln(1 - 1 / (1 + e^(-k (L - x0)))), a < 0, by least squares: their second step for
    a task's cross-entropy over its choices.
    """
    bounds = ((-np.inf, 0.0), POSITIVE, POSITIVE)
    return Problem(
        "step 2 of Bhagia et al., log form",
        _log_logistic,
        ("a", "x0", "k"),
        cross_entropy,
        accuracy,
        ((-0.1, 0.9, 3.0),),
        bounds,
        "squares",
    )


def ladder_single_step(
    params: np.ndarray, tokens: np.ndarray, accuracy: np.ndarray, chance: float
) -> Problem:
    """Acc = p / (1 + e^-(A N^-alpha + B D^-beta + E)) + q, p in [-1, 0], q in [0, 1]: from (N, D)
    in one step.

    From the released start, the first, rounding decides in which of two optima CommonsenseQA ends;
    the others lead to the better one, the released.
    """
    rest, bounds = (
        (0.2, 0.3, 0.0, chance - 1.0, 1.0),
        ((POSITIVE,) * 4 + (FREE, (-1.0, 0.0), (0.0, 1.0))),
    )
    starts = tuple((ln_A, ln_B, *rest) for ln_B in (5.0, 6.0) for ln_A in (3.0, 4.0))
    return Problem(
        "single step of Bhagia et al.",
        _single_step,
        (*CHINCHILLA, "p", "q"),
        (params, tokens),
        accuracy,
        starts,
        bounds,
        "huber",
    )


def ladder_accuracy(params: np.ndarray, tokens: np.ndarray, accuracy: np.ndarray) -> Problem:
    """Accuracy = E - A N^-alpha - B D^-beta, as a power law.

    The released start gives a negative accuracy; here both terms start at 0.2 at the median run,
    and E makes up for them.
    """
    exponent, term = 0.2, 0.2
    ln_A, ln_B = (float(np.log(term) + exponent * np.log(np.median(v))) for v in (params, tokens))
    start, bounds = (
        (ln_A, ln_B, exponent, exponent, float(np.median(accuracy)) + 2 * term),
        (POSITIVE,) * 3 + (FREE, FREE),
    )
    return Problem(
        "accuracy law of Bhagia et al.",
        _accuracy_law,
        CHINCHILLA,
        (params, tokens),
        accuracy,
        (start,),
        bounds,
        "huber",
    )
