"""Cholesky factors of many small matrices at once.

Equation numbers, such as (S18), are from docs/mathematics.md, section "The sampler and its
coordinates".
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

# Up to this size a matrix is treated as one of a batch of small ones.
SMALL = 8


@jax.custom_jvp
def inverse_cholesky(P: jax.Array) -> tuple[jax.Array, jax.Array]:
    """L^-1 and log|L| of each P = L L'.

    Small matrices are eliminated a column at a time: on a batch of them whole-array steps compile
    to little code and run faster on a CPU than one call of LAPACK for each matrix. A large matrix
    is split into halves. LAPACK itself is avoided, because its threads get in the way of those of
    the chains (ten times slower, measured).

    Parameters
    ----------
    P
        Symmetric positive definite matrices, shape (..., k, k).

    Returns
    -------
    tuple of jax.Array
        L^-1, lower triangular, shape (..., k, k), and log|L|, shape (...,).
    """
    if P.shape[-1] > SMALL:
        return _by_halves(P)
    # Without the barriers XLA would do the elimination anew for every use of its result, and a
    # gradient would take nearly twice as long.
    inverse, log_det = jax.lax.optimization_barrier(_by_columns(jax.lax.optimization_barrier(P)))
    return inverse, log_det


def _by_halves(P: jax.Array) -> tuple[jax.Array, jax.Array]:
    """L^-1 and log|L| from those of the upper left half and of its Schur complement, (S18)."""
    h = P.shape[-1] // 2
    first, log_first = inverse_cholesky(P[..., :h, :h])
    below = P[..., h:, :h] @ first.mT
    second, log_second = inverse_cholesky(P[..., h:, h:] - below @ below.mT)
    upper_rows = jnp.concatenate([first, jnp.zeros_like(below.mT)], -1)
    lower_rows = jnp.concatenate([-second @ below @ first, second], -1)
    return jnp.concatenate([upper_rows, lower_rows], -2), log_first + log_second


def _by_columns(P: jax.Array) -> tuple[jax.Array, jax.Array]:
    """L^-1 and log|L| by elimination, a column at a time.

    The row operations that turn P into L' turn the unit matrix into L^-1.
    """
    k = P.shape[-1]
    inverse = jnp.broadcast_to(np.eye(k), P.shape)
    log_det = jnp.zeros(P.shape[:-2], P.dtype)
    for j in range(k):
        pivot = jnp.sqrt(P[..., j, j])
        log_det = log_det + jnp.log(pivot)
        row = P[..., j, :] / pivot[..., None]
        inverse_row = inverse[..., j, :] / pivot[..., None]
        # Rows above j are finished, so they take nothing of row j.
        factor = (row * (np.arange(k) > j))[..., :, None]
        P = P - factor * row[..., None, :]
        eliminated = inverse - factor * inverse_row[..., None, :]
        is_row_j = (np.arange(k) == j)[:, None]
        inverse = jnp.where(is_row_j, inverse_row[..., None, :], eliminated)
    return inverse, log_det


@inverse_cholesky.defjvp
def _inverse_cholesky_jvp(
    primal: tuple[jax.Array], tangent: tuple[jax.Array]
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """Derivatives of L^-1 and log|L|, (S19)."""
    inverse, log_det = inverse_cholesky(*primal)
    k = inverse.shape[-1]
    S = product(product(inverse, tangent[0]), inverse.mT)
    half = np.tri(k) - 0.5 * np.eye(k)
    inverse_change = -product(S * half, inverse)
    log_det_change = 0.5 * jnp.sum(S * np.eye(k), (-2, -1))
    return (inverse, log_det), (inverse_change, log_det_change)


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """a b, shapes (..., k, k).

    For batches of small matrices it is written as sums, which XLA fuses; for a matrix product it
    would call a library for each matrix.
    """
    return a @ b if a.shape[-1] > SMALL else jnp.sum(a[..., :, :, None] * b[..., None, :, :], -2)


def solve(inverse: jax.Array, h: jax.Array, u: jax.Array | float = 0.0) -> jax.Array:
    """P^-1 h + P^(-T/2) u, with P^(1/2) = L of P = L L'.

    Parameters
    ----------
    inverse
        L^-1, shape (..., k, k).
    h
        Right-hand side, shape (..., k).
    u
        Whitened coordinates, shape (..., k); with 0 the result solves P x = h.

    Returns
    -------
    jax.Array
        Shape (..., k).
    """
    w = jnp.sum(inverse * h[..., None, :], -1) + u
    return jnp.sum(inverse * w[..., :, None], -2)
