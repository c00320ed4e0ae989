"""The point fits of Bhagia et al. 2024 (arXiv 2412.04403), as released: curves, starts, bounds.

They follow src/scaling/fitting_functions.py and the script of each step in repository
allenai/OLMo-ladder. Step 1 is a law of the loss, step 2 a link from the loss to the accuracy.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.point_fits.solver import FREE, POSITIVE, Problem

CHINCHILLA = ("ln A", "ln B", "alpha", "beta", "E")


def bhagia_loss(params: np.ndarray, tokens: np.ndarray, loss: np.ndarray) -> Problem:
    """L = A N^-alpha + B D^-beta + E by Huber's loss of ln L: step 1.

    Parameters
    ----------
    params
        Number of parameters N of each run, shape (runs,).
    tokens
        Number of training tokens D of each run, shape (runs,).
    loss
        Loss L of each run, shape (runs,).

    Returns
    -------
    Problem
        The fit of ln A, ln B, alpha, beta and E.
    """
    return Problem(
        name="step 1 of Bhagia et al.",
        curve=_chinchilla,
        parameters=CHINCHILLA,
        x=(params, tokens),
        y=loss,
        starts=((3.0, 6.0, 0.1, 0.2, 1.0),),
        bounds=(POSITIVE,) * 5,
        objective="huber",
    )


def bhagia_compute(flops: np.ndarray, loss: np.ndarray) -> Problem:
    """L = A C^-alpha + E by Huber's loss of ln L: step 1 on compute alone.

    Parameters
    ----------
    flops
        Training compute C of each run in FLOPs, shape (runs,).
    loss
        Loss L of each run, shape (runs,).

    Returns
    -------
    Problem
        The fit of ln A, alpha and E.
    """
    return Problem(
        name="step 1 of Bhagia et al. on compute",
        curve=_compute,
        parameters=("ln A", "alpha", "E"),
        x=flops,
        y=loss,
        starts=((10.0, 0.4, 0.5),),
        bounds=(POSITIVE, (0.0, 1.0), POSITIVE),
        objective="huber",
    )


def bhagia_link(loss: np.ndarray, accuracy: np.ndarray, chance: float) -> Problem:
    """acc = a / (1 + e^(-k (L - x0))) + b, a in [-1, 0], by least squares: step 2.

    As released, one helper point is added to the runs: accuracy 1 at loss 0.

    Parameters
    ----------
    loss
        Loss L of each point, shape (points,).
    accuracy
        Accuracy of each point, from 0 to 1, shape (points,).
    chance
        The accuracy of guessing, from 0 to 1; the start of a depends on it.

    Returns
    -------
    Problem
        The fit of a, x0, k and b.
    """
    return Problem(
        name="step 2 of Bhagia et al.",
        curve=_logistic,
        parameters=("a", "x0", "k", "b"),
        x=np.append(loss, 0.0),
        y=np.append(accuracy, 1.0),
        starts=((chance - 1.0, 0.9, 3.0, 1.0),),
        bounds=((-1.0, 0.0), POSITIVE, POSITIVE, (0.0, 1.0)),
        objective="squares",
    )


def bhagia_log_link(cross_entropy: np.ndarray, accuracy: np.ndarray) -> Problem:
    """acc = 1 - a ln(1 - 1 / (1 + e^(-k (L - x0)))), a < 0, by least squares: step 2 in log form.

    The paper uses this form where L is the cross-entropy over the choices of a task.

    Parameters
    ----------
    cross_entropy
        Cross-entropy L of each point in nats, shape (points,).
    accuracy
        Accuracy of each point, from 0 to 1, shape (points,).

    Returns
    -------
    Problem
        The fit of a, x0 and k.
    """
    return Problem(
        name="step 2 of Bhagia et al., log form",
        curve=_log_logistic,
        parameters=("a", "x0", "k"),
        x=cross_entropy,
        y=accuracy,
        starts=((-0.1, 0.9, 3.0),),
        bounds=((-np.inf, 0.0), POSITIVE, POSITIVE),
        objective="squares",
    )


def bhagia_single_step(
    params: np.ndarray, tokens: np.ndarray, accuracy: np.ndarray, chance: float
) -> Problem:
    """acc = p / (1 + e^-(A N^-alpha + B D^-beta + E)) + q, p in [-1, 0], q in [0, 1].

    From the released start, which is the first, rounding decides which of two optima the fit of
    CommonsenseQA reaches. The three other starts lead to the better optimum, which is the released
    one.

    Parameters
    ----------
    params
        Number of parameters N of each run, shape (runs,).
    tokens
        Number of training tokens D of each run, shape (runs,).
    accuracy
        Accuracy of each run, from 0 to 1, shape (runs,).
    chance
        The accuracy of guessing, from 0 to 1; the start of p depends on it.

    Returns
    -------
    Problem
        The fit of ln A, ln B, alpha, beta, E, p and q by Huber's loss of ln acc, from 4 starts.
    """
    rest = (0.2, 0.3, 0.0, chance - 1.0, 1.0)
    return Problem(
        name="single step of Bhagia et al.",
        curve=_single_step,
        parameters=(*CHINCHILLA, "p", "q"),
        x=(params, tokens),
        y=accuracy,
        starts=tuple((ln_A, ln_B, *rest) for ln_B in (5.0, 6.0) for ln_A in (3.0, 4.0)),
        bounds=(POSITIVE, POSITIVE, POSITIVE, POSITIVE, FREE, (-1.0, 0.0), (0.0, 1.0)),
        objective="huber",
    )


def bhagia_accuracy(params: np.ndarray, tokens: np.ndarray, accuracy: np.ndarray) -> Problem:
    """acc = E - A N^-alpha - B D^-beta by Huber's loss of ln acc: accuracy as a power law.

    At the released start the curve is negative, which has no logarithm. The start used instead has
    both terms equal to 0.2 at the median N and D, and E at the median accuracy plus both terms.

    Parameters
    ----------
    params
        Number of parameters N of each run, shape (runs,).
    tokens
        Number of training tokens D of each run, shape (runs,).
    accuracy
        Accuracy of each run, from 0 to 1, shape (runs,).

    Returns
    -------
    Problem
        The fit of ln A, ln B, alpha, beta and E.
    """
    exponent = 0.2
    term = 0.2
    # A N^-exponent = term at the median N, and the same for B and D
    ln_A, ln_B = (
        float(np.log(term) + exponent * np.log(np.median(size))) for size in (params, tokens)
    )
    E = float(np.median(accuracy)) + 2 * term
    return Problem(
        name="accuracy law of Bhagia et al.",
        curve=_accuracy_law,
        parameters=CHINCHILLA,
        x=(params, tokens),
        y=accuracy,
        starts=((ln_A, ln_B, exponent, exponent, E),),
        bounds=(POSITIVE, POSITIVE, POSITIVE, FREE, FREE),
        objective="huber",
    )


def _chinchilla(p: jax.Array, x: tuple[jax.Array, jax.Array]) -> jax.Array:
    """A N^-alpha + B D^-beta + E."""
    N, D = x
    return jnp.exp(p[0] - p[2] * jnp.log(N)) + jnp.exp(p[1] - p[3] * jnp.log(D)) + p[4]


def _compute(p: jax.Array, C: jax.Array) -> jax.Array:
    """A C^-alpha + E."""
    return jnp.exp(p[0] - p[1] * jnp.log(C)) + p[2]


def _logistic(p: jax.Array, loss: jax.Array) -> jax.Array:
    """a / (1 + e^(-k (L - x0))) + b."""
    return p[0] * jax.nn.sigmoid(p[2] * (loss - p[1])) + p[3]


def _log_logistic(p: jax.Array, loss: jax.Array) -> jax.Array:
    """1 - a ln(1 - 1 / (1 + e^(-k (L - x0))))."""
    return 1 - p[0] * jnp.log(1 - 1 / (1 + jnp.exp(-p[2] * (loss - p[1]))))


def _single_step(p: jax.Array, x: tuple[jax.Array, jax.Array]) -> jax.Array:
    """p / (1 + e^-(A N^-alpha + B D^-beta + E)) + q, at least 1e-6 so that it has a logarithm."""
    return jnp.maximum(1e-6, p[5] / (1 + jnp.exp(-_chinchilla(p, x))) + p[6])


def _accuracy_law(p: jax.Array, x: tuple[jax.Array, jax.Array]) -> jax.Array:
    """E - A N^-alpha - B D^-beta."""
    N, D = x
    return p[4] - jnp.exp(p[0] - p[2] * jnp.log(N)) - jnp.exp(p[1] - p[3] * jnp.log(D))
