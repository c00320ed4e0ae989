"""Where each series' own data put its parameters, and how firmly: mode and Fisher information, along a ridge made straight.

Constants of the sampler's coordinates (`geometry`), computed once for each data set.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import Distribution

from bayescale.laws import Point
from bayescale.models import Layout, SeriesModel
from bayescale.parameters import Parameter

NEWTON_STEPS = 40
ROUNDS = 5  # the first by each series itself, the others around the common mean of the one before
NOISE_PRIOR_WEIGHT = 4.0  # runs' worth of prior in the provisional noise scale: five runs cannot tell it from four parameters


class Quadratic(NamedTuple):
    """The log likelihood of each series near its mode, -1/2 theta' F theta + h' theta, at noise scale exp(log_scale).

    Parameters
    ----------
    F
        Shape (series, parameters, parameters), the noise left out.
    h
        Shape (series, parameters): F theta-hat, written so that a singular F does no harm.
    log_scale
        Shape (series,), the provisional noise scale.
    count
        Shape (series,), runs of each series less the parameters that its data determine.
    at
        Shape (series, parameters): where each series' ridge was straightened.
    common
        Shape (series, parameters): where that of the population of its kind was.
    centre
        x at the mean of each series' runs, a pytree of arrays of shape (series,).
    """

    F: jax.Array
    h: jax.Array
    log_scale: jax.Array
    count: jax.Array
    at: jax.Array
    common: jax.Array
    centre: Any


def prior_moments(model: SeriesModel) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Location and sd of each parameter's prior on the real line, shape (series,); exact where that prior is normal, else by its draws."""
    n = model.pooling.factors.series
    found = {}
    for p in model.pooling.parameters:
        loc, sd = _moments(model.pooling.prior(p))
        found[p.name] = (np.broadcast_to(loc, (n,)), np.broadcast_to(sd, (n,)))
    return found


def _moments(prior: Distribution) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(prior, dist.Normal):
        return np.asarray(prior.loc), np.asarray(prior.scale)
    with jax.ensure_compile_time_eval():  # only coordinates hang on these figures, so a fixed sample serves
        draws = np.asarray(prior.sample(jax.random.key(0), (2000,)))
    return draws.mean(0), draws.std(0)


def quadratic(model: SeriesModel, layout: Layout) -> Quadratic:
    """Mode and Gauss-Newton information of every series, by damped Newton steps: from the prior's middle, then around the common mean."""
    pooling, moments = model.pooling, prior_moments(model)
    curve = parameter_order(model)
    loc = jnp.stack([jnp.asarray(moments[p.name][0]) for p in curve], -1)
    variance = jnp.stack([jnp.asarray(moments[p.name][1] ** 2) for p in curve], -1)
    spread = jnp.asarray([p.pooling or 0.0 for p in curve])
    noise = jnp.asarray(moments[model.scale_name][0])
    newton = jax.vmap(partial(_newton, model))
    shared = jnp.asarray([pooling.pooled(p) for p in curve])
    member = np.eye(len(pooling.factors.kinds))[np.array(pooling.factors.kind)]  # (series, kinds)

    def around(_: int, state: tuple[Any, ...]) -> tuple[Any, ...]:
        at, around_which, precision = state[:3]
        mode, q = newton(*layout, at, around_which, precision, noise)
        information = jnp.einsum("sii->si", q.F)
        weight = information / (1 + (spread / 2) ** 2 * information)
        common = member @ ((member.T @ (weight * mode) + loc[0] / variance[0]) / (member.T @ weight + 1 / variance[0]))
        return mode, jnp.where(shared, common, loc), 1 / jnp.where(shared, (spread / 2) ** 2, variance), *q._replace(common=around_which)

    series, k = loc.shape
    centre = jax.tree.map(lambda v: jnp.zeros(len(v)), layout.x)
    zeros: list[Any] = [*(jnp.zeros(s) for s in ((series, k, k), (series, k), (series,), (series,), (series, k), (series, k))), centre]
    state = jax.lax.fori_loop(0, ROUNDS, around, (loc, loc, 1 / (variance + spread**2), *zeros))
    return Quadratic(*state[3:])


def curvature(model: SeriesModel, theta: list[jax.Array], at: list[jax.Array], centre: Any) -> list[jax.Array]:
    """By how much the ridge departs from its tangent at `at`, one term for each parameter that lies on it, in the order of `parameter_order`.

    The straight coordinate of such a parameter is its real value less this term; the term depends on none of them, so the change has a unit
    Jacobian.
    """
    curve = parameter_order(model)
    mode = {p.name: p.transform(t) for p, t in zip(curve, at, strict=True)}
    first = curve[: len(model.ridge(mode, mode, centre))]

    def on_ridge(real: list[jax.Array]) -> list[jax.Array]:
        values = model.ridge({p.name: p.transform(t) for p, t in zip(curve, real, strict=True)}, mode, centre)
        return [p.transform.inv(values[p.name]) for p in first]

    value, tangent = jax.jvp(on_ridge, (at,), ([t - a for t, a in zip(theta, at, strict=True)],))
    return [now - v - t for now, v, t in zip(on_ridge(theta), value, tangent, strict=True)]


def parameter_order(model: SeriesModel) -> list[Parameter]:
    """The parameters of the curve, exponents that lie on a ridge first."""
    *curve, _ = model.pooling.parameters
    by_name = {p.name: p for p in curve}
    half = {p.name: jnp.asarray(0.5) for p in curve}
    first = [by_name.pop(name) for name in model.ridge(half, half, Point(*[jnp.zeros(())] * 3))]
    return [*first, *by_name.values()]


def _newton(
    model: SeriesModel, y: jax.Array, seen: jax.Array, x: object, items: jax.Array, at: jax.Array, loc: jax.Array, precision: jax.Array, noise: jax.Array
) -> tuple[jax.Array, Quadratic]:
    """Mode of one series under a normal prior, and the quadratic there; the noise scale is the residuals'."""
    curve, base = parameter_order(model), jnp.exp(2 * noise)

    centre = jax.tree.map(lambda v: jnp.sum(jnp.where(seen, v, 0.0)) / jnp.sum(seen), x)

    def to_real(theta: jax.Array) -> list[jax.Array]:
        terms = curvature(model, list(theta), list(at), centre)
        return [*(t + c for t, c in zip(theta, terms, strict=False)), *theta[len(terms) :]]

    def residuals(theta: jax.Array) -> jax.Array:
        values = {p.name: p.transform(t) for p, t in zip(curve, to_real(theta), strict=True)}
        mean = jax.vmap(model.mean, in_axes=(None, 0))(values, x)
        return jnp.where(seen, (y - mean) / model.unit_sd(mean, items), 0.0)

    def variance(r: jax.Array, count: jax.Array) -> jax.Array:
        return (jnp.sum(r**2) + NOISE_PRIOR_WEIGHT * base) / (count + NOISE_PRIOR_WEIGHT)

    def cost(theta: jax.Array) -> jax.Array:
        n = jnp.sum(seen)
        return 0.5 * (n + NOISE_PRIOR_WEIGHT) * jnp.log(variance(residuals(theta), n)) + 0.5 * jnp.sum(precision * (theta - loc) ** 2)

    def step(_: int, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        theta, damping = state
        r, jacobian = residuals(theta), jax.jacfwd(residuals)(theta)
        scale2 = variance(r, jnp.sum(seen))
        information = jacobian.T @ jacobian / scale2 + jnp.diag(precision)
        gradient = -jacobian.T @ r / scale2 - precision * (theta - loc)
        trial = theta + jnp.linalg.solve(information + damping * jnp.diag(jnp.diag(information)), gradient)
        better = cost(trial) < cost(theta)
        return jnp.where(better, trial, theta), jnp.where(better, damping / 5, damping * 5)

    theta, _ = jax.lax.fori_loop(0, NEWTON_STEPS, step, (loc, jnp.asarray(0.1)))
    r, jacobian = residuals(theta), jax.jacfwd(residuals)(theta)
    F = jacobian.T @ jacobian / variance(r, jnp.sum(seen))
    spare = jnp.sum(seen) - jnp.trace(jnp.linalg.solve(F + jnp.diag(precision), F))
    scale2 = variance(r, spare)
    F = jacobian.T @ jacobian / scale2
    return jnp.stack(to_real(theta)), Quadratic(F, F @ theta - jacobian.T @ r / scale2, 0.5 * jnp.log(scale2), spare, at, at, centre)
