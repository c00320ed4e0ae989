"""The error of a law or a link, integrated out: a Gaussian process over (ln N, ln D).

In units of the noise, the residuals of series s are

    u_s = B_s (c^(1/2) z + (1 - c)^(1/2) z_s) + e_s,    z, z_s, e_s ~ Normal(0, I),

B_s = lambda_s phi(x) / sd, phi the terms of `bayescale.models.kernel` and c the share of the
variance that the corpora of a ladder have in common. Given the parameters everything is normal, so
z and z_s are integrated out, by Woodbury's identity for z_s and once more for z, and drawn
afterwards.

Equation numbers, such as (D2), are from docs/mathematics.md, section "The error of law and link".
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from bayescale.models.linalg import inverse_cholesky, solve
from bayescale.models.parameters import Parameter
from bayescale.models.pooling import Groups

# Sd of ln loss around the law, as a function of size and tokens: of a loss of running text, and of
# a task's own loss.
LAW_DISCREPANCY = Parameter(
    name="law_discrepancy",
    support="positive",
    prior=dist.LogNormal(math.log(0.01), 0.5),
    pooling=0.0,
    source="1 % of a validation loss, 0.4 to 2.3 % (90 %): five families of public sweeps",
)
TASK_LOSS_DISCREPANCY = dist.LogNormal(math.log(0.04), 1.0)
# Sd of an accuracy around the link, in logits.
LINK_DISCREPANCY = Parameter(
    name="link_discrepancy",
    support="positive",
    prior=dist.LogNormal(math.log(0.15), 0.6),
    pooling=0.5,
    source="0.15 logits, 0.06 to 0.4 (90 %): tasks of two public sweeps",
)
# Share of the variance that validation losses of one ladder have in common.
COMMON_OF_CORPORA = 0.9
type Shares = tuple[float, ...]


class Conditional(NamedTuple):
    """z and z_s given the data: what draws and densities of them need.

    Parameters
    ----------
    M
        B'B of each series, shape (series, terms, terms).
    b
        B'u of each series, shape (series, terms).
    own, common
        Share of the variance that each series has by itself and in common, shape (series,).
    inverse
        L^-1 of I + own M = L L', shape (series, terms, terms).
    common_inverse
        L^-1 of the same for z, shape (terms, terms).
    common_mean
        Mean of z, shape (terms,).
    log_det
        ln|L| of all factors, a scalar.
    """

    M: jax.Array
    b: jax.Array
    own: jax.Array
    common: jax.Array
    inverse: jax.Array
    common_inverse: jax.Array | None
    common_mean: jax.Array | None
    log_det: jax.Array


def common_share(groups: Groups) -> np.ndarray:
    """c of each loss series: validation losses share their error where a ladder has several."""
    validation = np.array([groups.kinds[k] == "validation" for k in groups.kind])
    return np.where(validation & (validation.sum() > 1), COMMON_OF_CORPORA, 0.0)


def prior_of_law(groups: Groups) -> dist.Distribution:
    """The prior of lambda of each kind of losses."""
    tasks = np.array([kind == "task" for kind in groups.kinds])
    text, task = LAW_DISCREPANCY.prior.base_dist, TASK_LOSS_DISCREPANCY.base_dist
    return dist.LogNormal(
        np.where(tasks, task.loc, text.loc), np.where(tasks, task.scale, text.scale)
    )


def condition(u: jax.Array, B: jax.Array, common: np.ndarray) -> Conditional:
    """z and z_s given the residuals, (D2) and (D3).

    Parameters
    ----------
    u
        Residuals in units of the noise, shape (series, runs); 0 where nothing was seen.
    B
        The terms in the same units, shape (series, runs, terms); 0 where nothing was seen.
    common
        c of each series, shape (series,).
    """
    own = 1 - common
    M = B.mT @ B
    b = jnp.sum(B * u[..., None], 1)
    identity = np.eye(B.shape[-1])
    inverse, log_det = inverse_cholesky(identity + own[:, None, None] * M)
    log_det = jnp.sum(log_det)
    common_inverse = common_mean = None
    if common.any():
        # (I + own M)^-1 M is symmetric, since both are functions of M.
        left = inverse.mT @ (inverse @ M)
        pull = jnp.sum(np.sqrt(common)[:, None] * solve(inverse, b), 0)
        total = identity + jnp.sum(common[:, None, None] * left, 0)
        common_inverse, common_log_det = inverse_cholesky((total + total.mT) / 2)
        common_mean = solve(common_inverse, pull)
        log_det = log_det + common_log_det
    return Conditional(
        M=M,
        b=b,
        own=jnp.asarray(own),
        common=jnp.asarray(common),
        inverse=inverse,
        common_inverse=common_inverse,
        common_mean=common_mean,
        log_det=log_det,
    )


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def log_evidence(u: jax.Array, B: jax.Array, common: Shares) -> jax.Array:
    """ln p(u) with z and z_s integrated out, but for -1/2 ln 2 pi for each run: a scalar, (D3).

    Parameters
    ----------
    u, B
        As in `condition`.
    common
        c of each series.
    """
    given = condition(u, B, np.array(common))
    return -0.5 * jnp.sum(u * _left(given, u, B)) - given.log_det


@log_evidence.defjvp
def _log_evidence_jvp(
    common: Shares, primal: tuple[jax.Array, ...], tangent: tuple[jax.Array, ...]
) -> tuple[jax.Array, jax.Array]:
    """Derivatives: -Q u by u, and (Q u) w' - B V by B, w and V mean and variance of terms, (D6).

    They need no derivative of a Cholesky factor, which costs more than the factor.
    """
    u, B = primal
    given = condition(u, B, np.array(common))
    left = _left(given, u, B)
    variance = given.inverse.mT @ given.inverse
    if given.common_inverse is not None:
        shared = given.common_inverse @ variance
        variance = given.own[:, None, None] * variance + given.common[:, None, None] * (
            shared.mT @ shared
        )
    by_B = left[..., None] * mean_terms(given)[:, None, :] - B @ variance
    value = -0.5 * jnp.sum(u * left) - given.log_det
    return value, jnp.sum(by_B * tangent[1]) - jnp.sum(left * tangent[0])


def _left(given: Conditional, u: jax.Array, B: jax.Array) -> jax.Array:
    """Q u, the residuals less the mean of the discrepancy, shape (series, runs)."""
    return u - jnp.sum(B * mean_terms(given)[:, None, :], -1)


def mean_terms(given: Conditional) -> jax.Array:
    """Mean of c^(1/2) z + (1 - c)^(1/2) z_s given the data, shape (series, terms), (D4)."""
    return _terms_given(given, given.common_mean, 0.0)


def draw_terms(given: Conditional, key: jax.Array) -> jax.Array:
    """A draw of c^(1/2) z + (1 - c)^(1/2) z_s given the data, shape (series, terms), (D4)."""
    own_key, common_key = jax.random.split(key)
    noise = jax.random.normal(own_key, given.b.shape)
    z = given.common_mean
    if given.common_inverse is not None and z is not None:
        z = z + given.common_inverse.T @ jax.random.normal(common_key, z.shape)
    return _terms_given(given, z, noise)


def _terms_given(given: Conditional, z: jax.Array | None, noise: jax.Array | float) -> jax.Array:
    """The sum of both parts given z, with z_s at its mean plus its sd times `noise`."""
    b = given.b
    shared = jnp.zeros_like(b)
    if z is not None:
        shared = jnp.sqrt(given.common)[:, None] * z
        b = b - jnp.sum(given.M * shared[:, None, :], -1)
    root = jnp.sqrt(given.own)[:, None]
    return shared + root * solve(given.inverse, root * b, noise)


def log_density_of_each(given: Conditional, u: jax.Array, B: jax.Array) -> jax.Array:
    """ln p(u_i | all other u, parameters) + 1/2 ln 2 pi, shape (series, runs), (D5).

    With Q the precision of u it is Normal(u_i - (Q u)_i / Q_ii, 1 / Q_ii) (Burkner, Gabry and
    Vehtari 2021, Computational Statistics 36).
    """
    residual = _left(given, u, B)
    own = given.inverse @ B.mT
    precision = 1 - given.own[:, None] * jnp.sum(own**2, 1)
    if given.common_inverse is not None:
        shared = given.common_inverse @ (given.inverse.mT @ own)
        precision = precision - given.common[:, None] * jnp.sum(shared**2, 1)
    return 0.5 * jnp.log(precision) - 0.5 * residual**2 / precision


def prior_terms(common: np.ndarray, terms: int, key: jax.Array) -> jax.Array:
    """A draw of c^(1/2) z + (1 - c)^(1/2) z_s from its prior, shape (series, terms)."""
    own_key, common_key = jax.random.split(key)
    z = jax.random.normal(common_key, (terms,))
    own = jax.random.normal(own_key, (len(common), terms))
    return np.sqrt(common)[:, None] * z + np.sqrt(1 - common)[:, None] * own
