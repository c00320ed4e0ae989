"""Where each series' own data put its parameters, and how firmly: mode and Fisher information,
along a ridge made straight.

Constants of the sampler's coordinates (`geometry`), computed once for each data set.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import Distribution

from bayescale.models.laws import Point
from bayescale.models.layout import Layout
from bayescale.models.noise import WIDENING, from_earlier, widened
from bayescale.models.parameters import Parameter
from bayescale.models.series import SeriesModel

NEWTON_STEPS = 40
ROUNDS = 5  # the first by each series itself, the others around the common mean of the one before
# share of the noise that the cells of a group have in common: the middle of its prior
PROVISIONAL_COMMON = 0.5
# runs' worth of prior in the provisional noise scale: five runs cannot tell it from four parameters
NOISE_PRIOR_WEIGHT = 4.0


class Tangent(NamedTuple):
    """Where the ridge of each series is straightened, and its tangent there.

    Parameters
    ----------
    at
        Real values there, shape (series, parameters).
    centre
        x at the mean of the runs, a pytree of arrays of shape (series,).
    value
        Shape (series, on the ridge): the real values, there, of the parameters that lie on the
        ridge.
    slope
        Shape (series, on the ridge, parameters): derivatives of `value`.
    """

    at: jax.Array
    centre: Any
    value: jax.Array
    slope: jax.Array


class Quadratic(NamedTuple):
    """The log likelihood of each series near its mode, -1/2 theta' F theta + h' theta, at noise
    scale exp(log_scale).

    Parameters
    ----------
    F
        Shape (series, parameters, parameters), the noise left out.
    h
        Shape (series, parameters): F theta-hat, written so that a singular F does no harm.
    log_scale
        Shape (series,), the provisional noise scale.
    noise_information, noise_h
        The same quadratic for the parameters of the noise, in the order of `noise_parameters`:
        shapes (series, k, k) and (series, k).
    weight
        Shape (series, parameters): what each series counts for in the location of its population.
    repeats
        Shape (series,): share of the cells that are not the first of their group; nil where all
        stand alone.
    ridge
        Of each series.
    """

    F: jax.Array
    h: jax.Array
    log_scale: jax.Array
    noise_information: jax.Array
    noise_h: jax.Array
    weight: jax.Array
    repeats: jax.Array
    ridge: Tangent


def prior_moments(model: SeriesModel) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Location and sd of each parameter's prior on the real line, shape (series,); exact where that
    prior is normal, else by its draws.
    """
    n = model.pooling.groups.series
    found = {}
    for p in model.pooling.parameters:
        loc, sd = _moments(model.pooling.prior(p))
        found[p.name] = (np.broadcast_to(loc, (n,)), np.broadcast_to(sd, (n,)))
    return found


def _moments(prior: Distribution) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(prior, dist.Normal):
        return np.asarray(prior.loc), np.asarray(prior.scale)
    # only coordinates hang on these figures, so a fixed sample serves
    with jax.ensure_compile_time_eval():
        draws = np.asarray(prior.sample(jax.random.key(0), (2000,)))
    return draws.mean(0), draws.std(0)


def quadratic(model: SeriesModel) -> Callable[[Layout], Quadratic]:
    """Mode and Gauss-Newton information of every series, by damped Newton steps: from the prior's
    middle; then around the common mean, from the mode before.

    The widening of the noise, where there is one, is found between the rounds. The steps are NumPy
    on the host; only residuals and their Jacobian are traced, once for each shape of data.
    """
    pooling, moments = model.pooling, prior_moments(model)
    curve = parameter_order(model)
    loc = np.stack([moments[p.name][0] for p in curve], -1)
    variance = np.stack([moments[p.name][1] ** 2 for p in curve], -1)
    spread = np.array([p.pooling or 0.0 for p in curve])
    base = np.exp(2 * moments[model.scale_name][0])
    shared = np.array([pooling.pooled(p) for p in curve])
    member = np.eye(len(pooling.groups.kinds))[np.array(pooling.groups.kind)]  # (series, kinds)
    linear, tangent_at = jax.jit(jax.vmap(partial(_linear, model, curve))), tangent(model, curve)
    widening_prior = moments.get(WIDENING.name)

    def find(layout: Layout) -> Quadratic:
        seen = np.asarray(layout.seen)
        centre = jax.tree.map(lambda v: np.where(seen, v, 0.0).sum(1) / seen.sum(1), layout.x)
        at, middle, precision = loc, loc, 1 / (variance + spread**2)
        widening = np.exp(widening_prior[0]) if widening_prior else np.zeros(len(loc))
        for _ in range(ROUNDS):
            ridge = tangent_at(at, centre)
            F, h, scale2, spare, mode, r = _newton(
                partial(linear, layout, ridge, widening), at, middle, precision, base, seen.sum(1)
            )
            if widening_prior:
                widening = _widening(
                    r * widened(widening[:, None], layout.lag),
                    np.where(seen, np.asarray(layout.lag), 0.0),
                    base,
                    widening_prior,
                )
            information = np.einsum("sii->si", F)
            weight = information / (1 + (spread / 2) ** 2 * information)
            common = member @ (
                (member.T @ (weight * mode) + loc[0] / variance[0])
                / (member.T @ weight + 1 / variance[0])
            )
            # nil where no run of a kind tells of a parameter
            told = np.maximum(member.T @ weight, np.finfo(float).tiny)
            between = np.maximum(
                (spread / 2) ** 2, member @ ((member.T @ (weight * (mode - common) ** 2)) / told)
            )
            at, middle, precision = (
                mode,
                np.where(shared, common, loc),
                1 / np.where(shared, between, variance),
            )
        repeats = (seen & (layout.group_of_cell != np.arange(seen.shape[1]))).sum(1) / seen.sum(1)
        log_scale = 0.5 * np.log(scale2)
        slope = [np.where(seen, 1.0, 0.0)]  # of ln sd in the parameters of the noise, run by run
        mode_of_noise = [log_scale]
        if widening_prior:
            slope.insert(0, np.where(seen, 1 - widened(widening[:, None], layout.lag) ** -2, 0.0))
            mode_of_noise.insert(0, np.log(widening))
        noise_information = (
            2
            * np.einsum("asr,bsr->sab", np.array(slope), np.array(slope))
            * (spare / seen.sum(1))[:, None, None]
        )
        noise_h = np.einsum("sab,bs->sa", noise_information, np.array(mode_of_noise))
        return Quadratic(F, h, log_scale, noise_information, noise_h, weight, repeats, ridge)

    return find


def tangent(model: SeriesModel, curve: list[Parameter]) -> Callable[[np.ndarray, Any], Tangent]:
    """The ridges through `at` (series, parameters), at the centre of their runs."""

    def one(at: jax.Array, centre: Any) -> Tangent:
        def value(theta: jax.Array) -> tuple[jax.Array, jax.Array]:
            v = _on_ridge(model, curve, theta, at, centre)
            return v, v

        slope, v = jax.jacfwd(value, has_aux=True)(at)
        return Tangent(at, centre, v, slope)

    return jax.jit(jax.vmap(one))


def curvature(
    model: SeriesModel, curve: list[Parameter], theta: jax.Array, ridge: Tangent
) -> jax.Array:
    """By how much the ridge departs from its tangent at theta (..., parameters), for each parameter
    on it, in the order of `parameter_order`.

    The straight coordinate of such a parameter is its real value less this term; the term depends
    on none of them, so the change has a unit Jacobian.
    """
    straight = ridge.value + jnp.sum(ridge.slope * (theta - ridge.at)[..., None, :], -1)
    return _on_ridge(model, curve, theta, ridge.at, ridge.centre) - straight


def _on_ridge(
    model: SeriesModel, curve: list[Parameter], theta: jax.Array, at: jax.Array, centre: Any
) -> jax.Array:
    mode, here = (
        {p.name: p.transform(t[..., i]) for i, p in enumerate(curve)} for t in (at, theta)
    )
    values = model.ridge(here, mode, centre)
    return (
        jnp.stack([p.transform.inv(values[p.name]) for p in curve[: len(values)]], -1)
        if values
        else jnp.zeros((*theta.shape[:-1], 0))
    )


def parameter_order(model: SeriesModel) -> list[Parameter]:
    """The parameters of the curve, exponents that lie on a ridge first."""
    curve = [p for p in model.pooling.parameters if p not in noise_parameters(model)]
    by_name = {p.name: p for p in curve}
    half = {p.name: 0.5 for p in curve}
    first = [
        by_name.pop(name)
        for name in jax.eval_shape(model.ridge, half, half, Point(0.0, 0.0, 0.0, 0.0))
    ]
    return [*first, *by_name.values()]


def noise_parameters(model: SeriesModel) -> list[Parameter]:
    """The parameters on which the noise hangs, its scale last."""
    return [p for p in model.pooling.parameters if p.name in (WIDENING.name, model.scale_name)]


def _widening(
    r: np.ndarray, lag: np.ndarray, base: np.ndarray, prior: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """The most probable widening of each series, the noise scale maximised over, on a grid; r are
    residuals in units of the unwidened noise.
    """
    steps = np.linspace(-2.5, 2.5, 26)
    log_w = prior[0] + prior[1] * steps[:, None]
    g = widened(np.exp(log_w)[..., None], lag)
    n = (r != 0).sum(1)
    scale2 = ((r / g) ** 2).sum(-1) + NOISE_PRIOR_WEIGHT * base
    cost = (
        0.5 * (n + NOISE_PRIOR_WEIGHT) * np.log(scale2)
        + np.log(g).sum(-1)
        + 0.5 * steps[:, None] ** 2
    )
    return np.exp(np.take_along_axis(log_w, cost.argmin(0)[None], 0)[0])


def _linear(
    model: SeriesModel,
    curve: list[Parameter],
    layout: Layout,
    ridge: Tangent,
    widening: jax.Array,
    theta: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Residuals (runs,) of one series over their standard deviation at noise scale 1, their
    Jacobian (runs, parameters), and the real values.
    """

    def residuals(theta: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        bend = curvature(model, curve, theta, ridge)
        real = theta.at[: len(bend)].add(bend)
        values = {p.name: p.transform(t) for p, t in zip(curve, real, strict=True)}
        mean = jax.vmap(model.mean, in_axes=(None, 0))(values, layout.x)
        unit = model.unit_sd(mean, layout.items) * (
            1.0 if layout.lag is None else widened(widening, layout.lag)
        )
        r = jnp.where(layout.seen, (layout.y - mean) / unit, 0.0)
        if layout.first is not None:
            expected, spread = from_earlier(r, layout.first, jnp.asarray(PROVISIONAL_COMMON))
            r = (r - expected) / spread
        return r, (r, real)

    jacobian, (r, real) = jax.jacfwd(residuals, has_aux=True)(theta)
    return r, jacobian, real


def _newton(
    look: Callable[[np.ndarray], tuple[jax.Array, ...]],
    start: np.ndarray,
    loc: np.ndarray,
    precision: np.ndarray,
    base: np.ndarray,
    runs: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """F, h, squared noise scale, spare runs, real values and residuals at the mode of each series
    under a normal prior; `look` is `_linear` at theta.
    """
    diagonal = np.eye(loc.shape[1])

    def variance(r: np.ndarray, count: np.ndarray) -> np.ndarray:
        return ((r**2).sum(1) + NOISE_PRIOR_WEIGHT * base) / (count + NOISE_PRIOR_WEIGHT)

    def cost(theta: np.ndarray, r: np.ndarray) -> np.ndarray:
        return 0.5 * (runs + NOISE_PRIOR_WEIGHT) * np.log(variance(r, runs)) + 0.5 * (
            precision * (theta - loc) ** 2
        ).sum(1)

    theta, damping = start, np.full(len(loc), 0.1)
    r, jacobian, real = map(np.asarray, look(theta))
    for _ in range(NEWTON_STEPS):
        scale2 = variance(r, runs)[:, None]
        information = jacobian.mT @ jacobian / scale2[..., None] + precision[:, :, None] * diagonal
        gradient = -np.einsum("srk,sr->sk", jacobian, r) / scale2 - precision * (theta - loc)
        damped = information * (1 + damping[:, None, None] * diagonal)
        trial = theta + np.linalg.solve(damped, gradient[..., None])[..., 0]
        r_trial, jacobian_trial, real_trial = map(np.asarray, look(trial))
        better = cost(trial, r_trial) < cost(theta, r)
        theta, r, real = (
            np.where(better[:, None], new, old)
            for new, old in ((trial, theta), (r_trial, r), (real_trial, real))
        )
        jacobian = np.where(better[:, None, None], jacobian_trial, jacobian)
        damping = np.where(better, damping / 5, damping * 5)
    F = jacobian.mT @ jacobian / variance(r, runs)[:, None, None]
    spare = runs - np.trace(
        np.linalg.solve(F + precision[:, :, None] * diagonal, F), axis1=1, axis2=2
    )
    scale2 = variance(r, spare)
    F = jacobian.mT @ jacobian / scale2[:, None, None]
    return (
        F,
        np.einsum("sij,sj->si", F, theta) - np.einsum("srk,sr->sk", jacobian, r) / scale2[:, None],
        scale2,
        spare,
        real,
        r,
    )
