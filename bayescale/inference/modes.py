"""Mode and Fisher information of each series' own data: constants of the sampler's coordinates.

They are found once for each data set, before sampling, along a ridge that is made straight.

Equation numbers, such as (S1), are from docs/mathematics.md, section "The sampler and its
coordinates".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import Distribution

from bayescale.inference.quadratic import (
    NOISE_PRIOR_WEIGHT,
    Linear,
    NoiseScale,
    Quadratic,
    noise_information,
    probable_ratio,
    removed_by,
    whitener,
)
from bayescale.inference.ridges import (
    Tangent,
    curvature,
    noise_parameters,
    parameter_order,
    tangent,
)
from bayescale.models.layout import Layout
from bayescale.models.noise import WIDENING, from_earlier, widened
from bayescale.models.parameters import Parameter
from bayescale.models.pooling import Groups
from bayescale.models.series import SeriesModel
from bayescale.models.traces import kept
from bayescale.runtime import fixed_key

# Most Newton steps from one start, and the gain in cost below which they stop.
NEWTON_STEPS, SMALL_GAIN = 40, 1e-6
# Damping of the first Newton step; it is divided by DAMPING_FACTOR after a step that lowers the
# cost, and multiplied by it after one that does not.
FIRST_DAMPING = 0.1
DAMPING_FACTOR = 5
# Damping at which a series that finds no better point is at its mode.
MAX_DAMPING = 100.0
# Searches for the mode: the first takes each series by itself, each later one takes the series
# around the common mean that the one before found.
ROUNDS = 5
# Share of the noise that the cells of a group have in common: the middle of its prior.
PROVISIONAL_COMMON = 0.5
# Grid of the widening: locations in standard deviations of its prior.
WIDENING_GRID = np.linspace(-2.5, 2.5, 26)


class _Prior(NamedTuple):
    """What the prior says of the parameters of the curve and of the noise, and which are pooled.

    `loc` and `variance` (series, parameters) are the prior's; `spread` (parameters,) is the scale
    of the half-normal prior between series, 0 where series share nothing; `pooled` (parameters,)
    says which parameters are pooled; `kind_of_series` (series, kinds) is 1 at the kind of a series;
    `noise_variance` (series,) is the median of the squared noise scale; `widening` and `amplitude`
    hold location and sd of ln widening and of ln lambda, None where the noise does not widen and
    where the curve is true; `own_amplitude` says whether ln lambda is among `noise_parameters`.
    """

    loc: np.ndarray
    variance: np.ndarray
    spread: np.ndarray
    pooled: np.ndarray
    kind_of_series: np.ndarray
    noise_variance: np.ndarray
    widening: tuple[np.ndarray, np.ndarray] | None
    amplitude: tuple[np.ndarray, np.ndarray] | None
    own_amplitude: bool


class _Normal(NamedTuple):
    """Independent normal priors of a search: mean and precision, shape (series, parameters)."""

    mean: np.ndarray
    precision: np.ndarray


class _Mode(NamedTuple):
    """The mode of each series: theta on the straight ridge, F, squared noise scale, real values.

    `F` is at that noise scale; `real` (series, parameters) are the values back on the ridge.
    """

    theta: np.ndarray
    F: np.ndarray
    scale2: np.ndarray
    real: np.ndarray


def prior_moments(model: SeriesModel) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mean and sd of each parameter's prior on the real line, by name, each of shape (series,).

    They are exact where that prior is normal, and those of a fixed sample elsewhere.
    """
    groups = model.pooling.groups
    series, kinds = (groups.series,), (len(groups.kinds),)
    moments = {}
    for p in model.pooling.parameters:
        loc, sd = _moments(model.pooling.prior(p))
        if model.pooling.shared(p):
            loc, sd = (np.broadcast_to(v, kinds)[np.array(groups.kind)] for v in (loc, sd))
        moments[p.name] = (np.broadcast_to(loc, series), np.broadcast_to(sd, series))
    return moments


def _moments(prior: Distribution) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of a distribution."""
    if isinstance(prior, dist.Normal):
        return np.asarray(prior.loc), np.asarray(prior.scale)
    # Only the sampler's coordinates depend on these figures, so a fixed sample is enough.
    with jax.ensure_compile_time_eval():
        draws = np.asarray(prior.sample(fixed_key(), (2000,)))
    return draws.mean(0), draws.std(0)


def quadratic(model: SeriesModel) -> Callable[[Layout], Quadratic]:
    """The function that finds mode and Gauss-Newton information of every series of a layout.

    Damped Newton steps start from the middle of the prior, and later from the mode before, around
    the common mean. The widening of the noise, if the model has one, is found between the rounds.
    The steps are NumPy on the host; only residuals and their Jacobian are traced, once for each
    shape of data.
    """
    curve = parameter_order(model)
    prior = _prior(model, curve)
    linear = kept(jax.vmap(_linear(model, curve)), "linear", model)
    tangent_at = tangent(model, curve)

    def find(layout: Layout) -> Quadratic:
        seen = np.asarray(layout.seen)
        runs = seen.sum(1)
        without_terms = layout._replace(basis=None)
        phi = np.zeros((seen.shape[1], 1)) if model.amplitude is None else layout.basis
        centre = jax.tree.map(lambda v: np.where(seen, v, 0.0).sum(1) / runs, layout.x)
        start = prior.loc
        around = _Normal(prior.loc, 1 / (prior.variance + prior.spread**2))
        widening = np.exp(prior.widening[0]) if prior.widening else np.zeros(len(prior.loc))
        noise = NoiseScale(prior.noise_variance, runs)
        ratio = np.zeros(len(prior.loc))
        if prior.amplitude:
            ratio = np.exp(prior.amplitude[0]) / np.sqrt(prior.noise_variance)
        for _ in range(ROUNDS):
            ridge = tangent_at(start, centre)
            linearise = _host(partial(linear, without_terms, ridge, widening), phi)
            white = whitener(linearise(start).B, ratio)
            mode = _newton(linearise, white, start, around, noise=noise)
            at = linearise(mode.theta)
            if prior.widening:
                residuals = np.einsum("sij,sj->si", white, at.r)
                widening = _widening(residuals, layout, widening, prior)
            if prior.amplitude:
                ratio = probable_ratio(
                    at,
                    prior_precision=around.precision,
                    scale2=mode.scale2,
                    noise=noise,
                    amplitude=prior.amplitude,
                )
            weight, around = _population(mode, prior)
            start = mode.real
        noise_F, noise_h = _noise_quadratic(at, mode, layout, widening, ratio=ratio, prior=prior)
        F = at.J.mT @ at.J
        log_scale = 0.5 * np.log(mode.scale2)
        return Quadratic(
            F=F,
            h=np.einsum("sij,sj->si", F, mode.theta) - np.einsum("srk,sr->sk", at.J, at.r),
            removed=removed_by(at, mode.theta) if prior.amplitude else None,
            log_scale=log_scale,
            log_amplitude=log_scale + np.log(ratio) if prior.amplitude else log_scale,
            noise_information=noise_F,
            noise_h=noise_h,
            weight=weight,
            repeats=_repeats(layout),
            ridge=ridge,
        )

    return find


def _host(
    function: Callable[[np.ndarray], tuple[jax.Array, ...]], phi: jax.Array | np.ndarray | None
) -> Callable[[np.ndarray], Linear]:
    """The same function with its results as NumPy arrays, and with the terms put in."""

    def linearise(theta: np.ndarray) -> Linear:
        r, J, a, real = map(np.asarray, function(theta))
        return Linear(r, J, a[..., None] * np.asarray(phi), real)

    return linearise


def _prior(model: SeriesModel, curve: Sequence[Parameter]) -> _Prior:
    """The constants of the search that depend on the model alone."""
    pooling = model.pooling
    moments = prior_moments(model)
    return _Prior(
        loc=np.stack([moments[p.name][0] for p in curve], -1),
        variance=np.stack([moments[p.name][1] ** 2 for p in curve], -1),
        spread=np.array([p.pooling or 0.0 for p in curve]),
        pooled=np.array([pooling.pooled(p) for p in curve]),
        kind_of_series=kind_of_series(pooling.groups),
        noise_variance=np.exp(2 * moments[model.scale_name][0]),
        widening=moments.get(WIDENING.name),
        amplitude=None if model.amplitude is None else moments[model.amplitude],
        own_amplitude=model.amplitude in [p.name for p in noise_parameters(model)],
    )


def kind_of_series(groups: Groups) -> np.ndarray:
    """1 at the kind of each series, 0 elsewhere: shape (series, kinds)."""
    return np.eye(len(groups.kinds))[np.array(groups.kind)]


def _population(mode: _Mode, prior: _Prior) -> tuple[np.ndarray, _Normal]:
    """Weight of each series in its population, and the prior of the next search, (S6)."""
    member = prior.kind_of_series
    half_spread2 = (prior.spread / 2) ** 2
    information = np.einsum("sii->si", mode.F)
    weight = information / (1 + half_spread2 * information)
    precision = 1 / prior.variance[0]
    weighted = member.T @ (weight * mode.real) + prior.loc[0] / prior.variance[0]
    common = member @ (weighted / (member.T @ weight + precision))
    # No run of a kind may say anything of a parameter: the weights then sum to zero.
    total = np.maximum(member.T @ weight, np.finfo(float).tiny)
    observed = member @ ((member.T @ (weight * (mode.real - common) ** 2)) / total)
    between = np.maximum(half_spread2, observed)
    return weight, _Normal(
        mean=np.where(prior.pooled, common, prior.loc),
        precision=1 / np.where(prior.pooled, between, prior.variance),
    )


def _noise_quadratic(
    at: Linear,
    mode: _Mode,
    layout: Layout,
    widening: np.ndarray,
    *,
    ratio: np.ndarray,
    prior: _Prior,
) -> tuple[np.ndarray, np.ndarray]:
    """F and h of the parameters of the noise, in the order of `noise_parameters`, (S7)."""
    seen = np.asarray(layout.seen)
    # Derivatives of ln sd by the parameters of the noise, for each run.
    slopes = [np.where(seen, 1.0, 0.0)]
    values = [0.5 * np.log(mode.scale2)]
    if prior.own_amplitude:
        values.insert(0, values[0] + np.log(ratio))
    if prior.widening:
        by_widening = 1 - widened(widening[:, None], layout.lag) ** -2
        slopes.insert(0, np.where(seen, by_widening, 0.0))
        values.insert(0, np.log(widening))
    information = noise_information(
        at,
        prior_precision=1 / prior.variance,
        scale2=mode.scale2,
        ratio=ratio if prior.amplitude else None,
        slopes=slopes,
        amplitude_at=len(slopes) - 1 if prior.own_amplitude else None,
    )
    return information, np.einsum("sab,bs->sa", information, np.array(values))


def _repeats(layout: Layout) -> np.ndarray:
    """Share of the cells that are not the first of their group, shape (series,)."""
    seen = np.asarray(layout.seen)
    repeated = seen & (layout.group_of_cell != np.arange(seen.shape[1]))
    return repeated.sum(1) / seen.sum(1)


def _widening(
    residuals: np.ndarray, layout: Layout, widening: np.ndarray, prior: _Prior
) -> np.ndarray:
    """The most probable widening of each series on a grid, the noise scale maximised over, (S8).

    `residuals` are in units of the noise widened by `widening`, the value of the round before.
    """
    assert prior.widening is not None
    loc, sd = prior.widening
    lag = np.where(np.asarray(layout.seen), np.asarray(layout.lag), 0.0)
    unwidened = residuals * widened(widening[:, None], layout.lag)
    log_widening = loc + sd * WIDENING_GRID[:, None]
    factor = widened(np.exp(log_widening)[..., None], lag)
    count = (unwidened != 0).sum(1)
    scale2 = ((unwidened / factor) ** 2).sum(-1) + NOISE_PRIOR_WEIGHT * prior.noise_variance
    cost = (
        0.5 * (count + NOISE_PRIOR_WEIGHT) * np.log(scale2)
        + np.log(factor).sum(-1)
        + 0.5 * WIDENING_GRID[:, None] ** 2
    )
    best = cost.argmin(0)[None]
    return np.exp(np.take_along_axis(log_widening, best, 0)[0])


def _linear(
    model: SeriesModel, curve: Sequence[Parameter]
) -> Callable[[Layout, Tangent, jax.Array, jax.Array], tuple[jax.Array, ...]]:
    """The function that linearises one series at straight coordinates theta: a `Linear`, (S1)."""

    def linearise(
        layout: Layout, ridge: Tangent, widening: jax.Array, theta: jax.Array
    ) -> tuple[jax.Array, ...]:
        def residuals(theta: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
            bend = curvature(model, curve, theta, ridge)
            real = theta.at[: len(bend)].add(bend)
            values = {p.name: p.transform(t) for p, t in zip(curve, real, strict=True)}
            mean = jax.vmap(model.mean, in_axes=(None, 0))(values, layout.x)
            factor = 1.0 if layout.lag is None else widened(widening, layout.lag)
            unit = model.unit_sd(mean, layout.items) * factor
            r = jnp.where(layout.seen, (layout.y - mean) / unit, 0.0)
            a = jnp.zeros_like(r)
            if model.amplitude is not None:
                a = jnp.where(layout.seen, model.effect(values, mean) / unit, 0.0)
            if layout.first is not None:
                common = jnp.asarray(PROVISIONAL_COMMON)
                given = partial(from_earlier, first=layout.first, common=common)
                expected, spread = given(r)
                r = (r - expected) / spread
                a = (a - given(a)[0]) / spread
            return r, (r, a, real)

        jacobian, (r, a, real) = jax.jacfwd(residuals, has_aux=True)(theta)
        return r, jacobian, a, real

    return linearise


def _newton(
    linearise: Callable[[np.ndarray], Linear],
    white: np.ndarray,
    start: np.ndarray,
    prior: _Normal,
    *,
    noise: NoiseScale,
) -> _Mode:
    """The mode of each series under a normal prior, by damped Newton steps, (S2) to (S5).

    `white` (series, runs, runs) makes residuals independent, so the steps are those of generalised
    least squares.
    """
    identity = np.eye(start.shape[1])
    prior_information = prior.precision[:, :, None] * identity

    def at(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        linear = linearise(theta)
        return np.einsum("sij,sj->si", white, linear.r), white @ linear.J, linear.real

    theta = start
    damping = np.full(len(start), FIRST_DAMPING)
    r, jacobian, real = at(theta)
    cost = _cost(theta, r, prior, noise)
    for _ in range(NEWTON_STEPS):
        # One damped Newton step, (S4), of every series at once.
        scale2 = noise.variance(r)[:, None]
        information = jacobian.mT @ jacobian / scale2[..., None] + prior_information
        likelihood_gradient = -np.einsum("srk,sr->sk", jacobian, r) / scale2
        gradient = likelihood_gradient - prior.precision * (theta - prior.mean)
        damped = information * (1 + damping[:, None, None] * identity)
        trial = theta + np.linalg.solve(damped, gradient[..., None])[..., 0]
        # A series takes the step only where it lowers the cost, (S3).
        r_trial, jacobian_trial, real_trial = at(trial)
        cost_trial = _cost(trial, r_trial, prior, noise)
        better = cost_trial < cost
        gain = np.where(better, cost - cost_trial, np.where(damping > MAX_DAMPING, 0.0, np.inf))
        theta = np.where(better[:, None], trial, theta)
        r = np.where(better[:, None], r_trial, r)
        real = np.where(better[:, None], real_trial, real)
        jacobian = np.where(better[:, None, None], jacobian_trial, jacobian)
        cost = np.where(better, cost_trial, cost)
        damping = np.where(better, damping / DAMPING_FACTOR, damping * DAMPING_FACTOR)
        if (gain < SMALL_GAIN).all():
            break
    # (S5): the noise scale of all runs gives a first F, which gives the runs that are left for the
    # noise, whose noise scale gives F.
    F = jacobian.mT @ jacobian / noise.variance(r)[:, None, None]
    determined = np.trace(np.linalg.solve(F + prior_information, F), axis1=1, axis2=2)
    scale2 = noise._replace(runs=np.maximum(noise.runs - determined, 0.0)).variance(r)
    F = jacobian.mT @ jacobian / scale2[:, None, None]
    return _Mode(theta=theta, F=F, scale2=scale2, real=real)


def _cost(theta: np.ndarray, r: np.ndarray, prior: _Normal, noise: NoiseScale) -> np.ndarray:
    """Negative log posterior of each series, the noise scale maximised over, (S3)."""
    distance2 = (prior.precision * (theta - prior.mean) ** 2).sum(1)
    weight = noise.runs + NOISE_PRIOR_WEIGHT
    return 0.5 * weight * np.log(noise.variance(r)) + 0.5 * distance2
