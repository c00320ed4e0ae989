"""Cholesky factors of many small matrices at once."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

SMALL = 8  # up to this size a matrix is one of a batch of small ones


@jax.custom_jvp
def inverse_cholesky(P: jax.Array) -> tuple[jax.Array, jax.Array]:
    """L^-1 and log|L| of each P = L L', shapes (..., k, k) and (...,).

    Small matrices by elimination, a column at a time: on a batch of them whole-array steps compile
    to little code and run faster on a CPU than a call of LAPACK for each. A large one by halves.
    LAPACK itself is avoided: its threads get in the way of the chains' (tenfold, measured).
    """
    k = P.shape[-1]
    if k > SMALL:
        h = k // 2
        first, log_first = inverse_cholesky(P[..., :h, :h])
        below = P[..., h:, :h] @ first.mT
        second, log_second = inverse_cholesky(P[..., h:, h:] - below @ below.mT)
        rows = (
            jnp.concatenate([first, jnp.zeros_like(below.mT)], -1),
            jnp.concatenate([-second @ below @ first, second], -1),
        )
        return jnp.concatenate(rows, -2), log_first + log_second
    inverse = jnp.broadcast_to(np.eye(k), P.shape)
    log_det = jnp.zeros(P.shape[:-2], P.dtype)
    for j in range(k):
        root = jnp.sqrt(P[..., j, j])
        log_det = log_det + jnp.log(root)
        row, row_inverse = P[..., j, :] / root[..., None], inverse[..., j, :] / root[..., None]
        factor = (row * (np.arange(k) > j))[..., :, None]
        P = P - factor * row[..., None, :]
        inverse = jnp.where(
            (np.arange(k) == j)[:, None],
            row_inverse[..., None, :],
            inverse - factor * row_inverse[..., None, :],
        )
    return inverse, log_det


@inverse_cholesky.defjvp
def _(
    primal: tuple[jax.Array], tangent: tuple[jax.Array]
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """With S = L^-1 dP L^-T: d(L^-1) = -(lower half of S) L^-1 and d log|L| = trace(S) / 2; the
    diagonal counts half in the lower half.
    """
    inverse, log_det = inverse_cholesky(*primal)
    k = inverse.shape[-1]
    S = _product(_product(inverse, tangent[0]), inverse.mT)
    change = -_product(S * (np.tri(k) - 0.5 * np.eye(k)), inverse)
    return (inverse, log_det), (change, 0.5 * jnp.sum(S * np.eye(k), (-2, -1)))


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    """A b; for batches of small matrices as sums, which XLA fuses where it would call a library for
    each.
    """
    return a @ b if a.shape[-1] > SMALL else jnp.sum(a[..., :, :, None] * b[..., None, :, :], -2)


def _solve(inverse: jax.Array, h: jax.Array, u: jax.Array | float) -> jax.Array:
    """P^-1 h + P^(-T/2) u from L^-1, shapes (..., k, k) and (..., k)."""
    w = jnp.sum(inverse * h[..., None, :], -1) + u
    return jnp.sum(inverse * w[..., :, None], -2)
