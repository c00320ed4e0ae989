"""The error of a law or a link, integrated out: a Gaussian process over (ln N, ln D).

In units of the noise, the residuals of series s are

    u_s = B_s (c^(1/2) z + (1 - c)^(1/2) z_s) + e_s,    z, z_s, e_s ~ Normal(0, I),

B_s = a_s phi(x), a_s = lambda_s / sd the size of the error at each run, phi the terms of
`bayescale.models.kernel` and c the share of the variance that the corpora of a ladder have in
common. Given the parameters everything is normal, so z and z_s are integrated out, by Woodbury's
identity for z_s and once more for z, and drawn afterwards. B itself is never formed: it is the
largest array of the model, and phi does not change.

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


def at_runs(phi: jax.Array, z: jax.Array) -> jax.Array:
    """phi z, the error that terms z (..., series, terms) make at every run (..., series, runs).

    Parameters
    ----------
    phi
        The terms at every run, shape (runs, terms), or (series, runs, terms) where the series have
        different runs.
    z
        The terms of each series.
    """
    return z @ phi.mT if phi.ndim == 2 else jnp.einsum("...st,srt->...sr", z, phi)


def _sums(phi: jax.Array, weight: jax.Array) -> jax.Array:
    """phi' weight of each series, shape (series, terms)."""
    return weight @ phi if phi.ndim == 2 else jnp.einsum("sr,srt->st", weight, phi)


def _products(phi: jax.Array, weight: jax.Array) -> jax.Array:
    """phi' diag(weight) phi of each series, shape (series, terms, terms)."""
    if phi.ndim == 3:
        return (phi * weight[..., None]).mT @ phi
    terms = phi.shape[1]
    # One product of two large matrices in place of one product for each series.
    return (weight @ _outer(phi)).reshape(-1, terms, terms)


def _quadratic_forms(phi: jax.Array, V: jax.Array) -> jax.Array:
    """phi(x)' V phi(x) of each series at every run, shape (series, runs)."""
    if phi.ndim == 3:
        return jnp.sum(phi @ V * phi, -1)
    return V.reshape(len(V), -1) @ _outer(phi).T


def _outer(phi: jax.Array) -> jax.Array:
    """phi(x) phi(x)' at every run, shape (runs, terms^2)."""
    return (phi[:, :, None] * phi[:, None, :]).reshape(len(phi), -1)


def condition(u: jax.Array, a: jax.Array, phi: jax.Array, common: np.ndarray) -> Conditional:
    """z and z_s given the residuals, (D2) and (D3).

    Parameters
    ----------
    u
        Residuals in units of the noise, shape (series, runs); 0 where nothing was seen.
    a
        Sd of the error in the same units, shape (series, runs); 0 where nothing was seen.
    phi
        The terms at every run, as in `at_runs`.
    common
        c of each series, shape (series,).
    """
    own = 1 - common
    M = _products(phi, a**2)
    b = _sums(phi, a * u)
    identity = np.eye(phi.shape[-1])
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


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def log_evidence(u: jax.Array, a: jax.Array, phi: jax.Array, common: Shares) -> jax.Array:
    """ln p(u) with z and z_s integrated out, but for -1/2 ln 2 pi for each run: a scalar, (D3).

    Parameters
    ----------
    u, a, phi
        As in `condition`. Phi is data: derivatives by it are taken as 0.
    common
        c of each series.
    """
    return evidence_given(condition(u, a, phi, np.array(common)), u, a, phi)


def evidence_given(given: Conditional, u: jax.Array, a: jax.Array, phi: jax.Array) -> jax.Array:
    """The same where the terms given the data are known."""
    left = u - a * at_runs(phi, mean_terms(given))
    return -0.5 * jnp.sum(u * left) - given.log_det


@log_evidence.defjvp
def _log_evidence_jvp(
    common: Shares, primal: tuple[jax.Array, ...], tangent: tuple[jax.Array, ...]
) -> tuple[jax.Array, jax.Array]:
    """Derivatives: -Q u by u, (Q u) (phi w) - a phi' V phi by a, (D6).

    w and V are mean and variance of the terms. No derivative of a Cholesky factor is needed, which
    costs more than the factor.
    """
    u, a, phi = primal
    given = condition(u, a, phi, np.array(common))
    error = at_runs(phi, mean_terms(given))
    left = u - a * error
    by_a = left * error - a * _quadratic_forms(phi, variance_of_terms(given))
    value = -0.5 * jnp.sum(u * left) - given.log_det
    return value, jnp.sum(by_a * tangent[1]) - jnp.sum(left * tangent[0])


def variance_of_terms(given: Conditional) -> jax.Array:
    """Variance of c^(1/2) z + (1 - c)^(1/2) z_s given the data, (series, terms, terms), (D6)."""
    variance = given.inverse.mT @ given.inverse
    if given.common_inverse is None:
        return variance
    shared = given.common_inverse @ variance
    return given.own[:, None, None] * variance + given.common[:, None, None] * (shared.mT @ shared)


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


def log_density_of_each(
    given: Conditional, u: jax.Array, a: jax.Array, phi: jax.Array
) -> jax.Array:
    """ln p(u_i | all other u, parameters) + 1/2 ln 2 pi, shape (series, runs), (D5).

    With Q the precision of u it is Normal(u_i - (Q u)_i / Q_ii, 1 / Q_ii) (Burkner, Gabry and
    Vehtari 2021, Computational Statistics 36).
    """
    residual = u - a * at_runs(phi, mean_terms(given))
    precision = 1 - a**2 * _quadratic_forms(phi, variance_of_terms(given))
    return 0.5 * jnp.log(precision) - 0.5 * residual**2 / precision


def prior_terms(common: np.ndarray, terms: int, key: jax.Array) -> jax.Array:
    """A draw of c^(1/2) z + (1 - c)^(1/2) z_s from its prior, shape (series, terms)."""
    own_key, common_key = jax.random.split(key)
    z = jax.random.normal(common_key, (terms,))
    own = jax.random.normal(own_key, (len(common), terms))
    return np.sqrt(common)[:, None] * z + np.sqrt(1 - common)[:, None] * own
