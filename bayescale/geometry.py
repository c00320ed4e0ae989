"""Coordinates in which a posterior of many series is nearly a standard normal, whatever each series' own data say.

With theta-hat and F the mode and Fisher information of a series' own data and Lambda(tau) the precision of its prior,

    P = F + Lambda,   m = P^-1 (F theta-hat + Lambda mu),   theta = m + P^(-T/2) u,   log|dtheta/du| = -1/2 log|P|.

F = 0 gives the non-centred form, a large F the whitened centred one. The map changes no prior and no posterior, only the coordinates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import Distribution

from bayescale.models import Layout, SeriesModel
from bayescale.parameters import Parameter

NEWTON_STEPS = 40
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
        Shape (series,), runs of each series.
    start
        Shape (series, parameters), the mode under the prior.
    """

    F: jax.Array
    h: jax.Array
    log_scale: jax.Array
    count: jax.Array
    start: jax.Array


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
    """Mode and Gauss-Newton information of every series by itself, by damped Newton steps from the prior's middle."""
    moments = prior_moments(model)
    curve = model.pooling.parameters[:-1]
    loc = jnp.stack([moments[p.name][0] for p in curve], -1)
    precision = jnp.stack([1 / (moments[p.name][1] ** 2 + (p.pooling or 0.0) ** 2) for p in curve], -1)
    base = jnp.exp(jnp.asarray(moments[model.scale_name][0]))

    def one(y: jax.Array, seen: jax.Array, x: object, items: jax.Array, loc: jax.Array, precision: jax.Array, base: jax.Array) -> Quadratic:
        def residuals(theta: jax.Array) -> jax.Array:
            values = {p.name: p.transform(t) for p, t in zip(curve, theta, strict=True)}
            mean = jax.vmap(model.mean, in_axes=(None, 0))(values, x)
            return jnp.where(seen, (y - mean) / model.unit_sd(mean, items), 0.0)

        def scale2(r: jax.Array) -> jax.Array:
            return (jnp.sum(r**2) + NOISE_PRIOR_WEIGHT * base**2) / (jnp.sum(seen) + NOISE_PRIOR_WEIGHT)

        def cost(theta: jax.Array) -> jax.Array:
            n = jnp.sum(seen) + NOISE_PRIOR_WEIGHT
            return 0.5 * n * jnp.log(scale2(residuals(theta))) + 0.5 * jnp.sum(precision * (theta - loc) ** 2)

        def step(_: int, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            theta, damping = state
            r, jacobian = residuals(theta), jax.jacfwd(residuals)(theta)
            information = jacobian.T @ jacobian / scale2(r) + jnp.diag(precision)
            gradient = -jacobian.T @ r / scale2(r) - precision * (theta - loc)
            trial = theta + jnp.linalg.solve(information + damping * jnp.diag(jnp.diag(information)), gradient)
            better = cost(trial) < cost(theta)
            return jnp.where(better, trial, theta), jnp.where(better, damping / 5, damping * 5)

        theta, _ = jax.lax.fori_loop(0, NEWTON_STEPS, step, (loc, jnp.asarray(0.1)))
        r, jacobian = residuals(theta), jax.jacfwd(residuals)(theta)
        F = jacobian.T @ jacobian / scale2(r)
        h = F @ theta - jacobian.T @ r / scale2(r)
        return Quadratic(F, h, 0.5 * jnp.log(scale2(r)), jnp.sum(seen).astype(y.dtype), theta)

    return jax.vmap(one)(layout.y, layout.seen, layout.x, layout.items, loc, precision, base)


def cholesky_map(F: jax.Array, h: jax.Array, loc: jax.Array, precision: jax.Array, u: jax.Array) -> tuple[jax.Array, jax.Array]:
    """theta = P^-1 (h + Lambda loc) + P^(-T/2) u and log|dtheta/du|, unrolled over parameters because small batched factorisations are slow.

    Shapes: F (series, k, k); h, loc, precision, u (series, k); the results (series, k) and ().
    """
    k = u.shape[-1]
    L: list[list[jax.Array]] = [[jnp.zeros(()) for _ in range(k)] for _ in range(k)]
    for i in range(k):
        for j in range(i + 1):
            s = F[:, i, j] + (precision[:, i] if i == j else 0.0)
            for m in range(j):
                s = s - L[i][m] * L[j][m]
            L[i][j] = jnp.sqrt(s) if i == j else s / L[j][j]
    w: list[jax.Array] = []
    for i in range(k):
        s = h[:, i] + precision[:, i] * loc[:, i]
        for m in range(i):
            s = s - L[i][m] * w[m]
        w.append(s / L[i][i])
    theta = [w[i] + u[:, i] for i in range(k)]
    for i in reversed(range(k)):
        for m in range(i + 1, k):
            theta[i] = theta[i] - L[m][i] * theta[m]
        theta[i] = theta[i] / L[i][i]
    return jnp.stack(theta, -1), -sum(jnp.sum(jnp.log(L[i][i])) for i in range(k))


class Coordinates(NamedTuple):
    """A flat vector z of `size` reals for the sites of a model: ``to_sites(z, quadratic) -> (sites, log|dsites/dz|)``, ``start(quadratic) -> z``."""

    size: int
    to_sites: Callable[[jax.Array, Quadratic], tuple[dict[str, jax.Array], jax.Array]]
    start: Callable[[Quadratic], jax.Array]


def coordinates(model: SeriesModel) -> Coordinates:
    """The whitened coordinates of a model, by its kind of pooling."""
    return _common(model) if model.pooling.kind == "complete" else _by_series(model)


def _top(model: SeriesModel) -> tuple[list[str], list[tuple[int, ...]], list[int]]:
    names = [*model.pooling.top_level, *(["tail"] if model.noise == "student_t" else [])]
    shapes = [() if n == "tail" else model.pooling.shape(n) for n in names]
    return names, shapes, [int(np.prod(s)) for s in shapes]


def _unpack(z: jax.Array, names: list[str], shapes: list[tuple[int, ...]], sizes: list[int]) -> dict[str, jax.Array]:
    cuts = np.cumsum([0, *sizes])
    return {n: z[a:b].reshape(s) for n, s, a, b in zip(names, shapes, cuts[:-1], cuts[1:], strict=True)}


def _series_prior(model: SeriesModel, sites: dict[str, jax.Array], moments: dict[str, tuple[np.ndarray, np.ndarray]], p: Parameter) -> tuple[jax.Array, jax.Array]:
    pooling, n = model.pooling, model.pooling.factors.series
    if pooling.pooled(p):
        return pooling.location(p, sites), jnp.broadcast_to(jnp.exp(-2 * pooling.log_sd(p, sites)), (n,))
    loc, sd = moments[p.name]
    return jnp.asarray(loc), jnp.asarray(1 / sd**2)


def _by_series(model: SeriesModel) -> Coordinates:
    names, shapes, sizes = _top(model)
    parameters, n = model.pooling.parameters, model.pooling.factors.series
    top, k = sum(sizes), len(parameters)
    moments = prior_moments(model)

    def to_sites(z: jax.Array, q: Quadratic) -> tuple[dict[str, jax.Array], jax.Array]:
        sites = _unpack(z[:top], names, shapes, sizes)
        u = z[top:].reshape(k, n)
        loc, precision = zip(*(_series_prior(model, sites, moments, p) for p in parameters), strict=True)
        information = 2 * q.count + precision[-1]
        log_scale = (2 * q.count * q.log_scale + precision[-1] * loc[-1]) / information + u[-1] / jnp.sqrt(information)
        weight = jnp.exp(2 * (q.log_scale - log_scale))[:, None]
        stack = [jnp.stack(v[:-1], -1) for v in (loc, precision)]
        theta, log_det = cholesky_map(q.F * weight[..., None], q.h * weight, *stack, u[:-1].T)
        sites |= {p.name: theta[:, i] for i, p in enumerate(parameters[:-1])} | {model.scale_name: log_scale}
        return sites, log_det - 0.5 * jnp.sum(jnp.log(information))

    def start(_: Quadratic) -> jax.Array:
        middle = _top_start(model, names, shapes, moments)
        return jnp.concatenate([middle, jnp.zeros(k * n)])

    return Coordinates(top + k * n, to_sites, start)


def _top_start(model: SeriesModel, names: list[str], shapes: list[tuple[int, ...]], moments: dict[str, tuple[np.ndarray, np.ndarray]]) -> jax.Array:
    middles: dict[str, float] = {"tail": np.log(10.0)}
    for p in filter(model.pooling.pooled, model.pooling.parameters):
        middles[f"population_{p.name}"] = float(moments[p.name][0][0])
        middles |= {name: np.log(0.5 * (p.pooling or 1.0)) for name in model.pooling.spreads(p)}
    return jnp.concatenate([jnp.zeros(0), *(jnp.full(shape, middles.get(name, 0.0)).reshape(-1) for name, shape in zip(names, shapes, strict=True))])


def _common(model: SeriesModel) -> Coordinates:
    """One dense, constant map for complete pooling: the shared parameters first, then each series' own."""
    names, shapes, sizes = _top(model)
    parameters, n = model.pooling.parameters, model.pooling.factors.series
    moments = prior_moments(model)
    columns = [[0] * n if model.pooling.shared(p) else list(range(n)) for p in parameters]
    widths = [max(c) + 1 for c in columns]
    offsets = np.cumsum([0, *widths])
    place = np.array([[offsets[i] + c for c in column] for i, column in enumerate(columns)])  # (parameters, series) -> coordinate
    size, top = int(offsets[-1]), sum(sizes)
    loc = np.zeros(size)
    precision = np.zeros(size)
    for i, p in enumerate(parameters):
        loc[place[i]], precision[place[i]] = moments[p.name][0], 1 / moments[p.name][1] ** 2

    def posterior(q: Quadratic) -> tuple[jax.Array, jax.Array]:
        P, h = jnp.diag(jnp.asarray(precision)), jnp.asarray(precision * loc)
        k = len(parameters) - 1
        P = P.at[place[:k].T[:, :, None], place[:k].T[:, None, :]].add(q.F)
        h = h.at[place[:k].T].add(q.h)
        return P.at[place[k], place[k]].add(2 * q.count), h.at[place[k]].add(2 * q.count * q.log_scale)

    def to_sites(z: jax.Array, q: Quadratic) -> tuple[dict[str, jax.Array], jax.Array]:
        P, h = posterior(q)
        L = jnp.linalg.cholesky(P)
        solve = jax.scipy.linalg.solve_triangular
        theta = solve(L, solve(L, h, lower=True) + z[top:], lower=True, trans=1)
        sites = _unpack(z[:top], names, shapes, sizes)
        sites |= {p.name: theta[place[i][0]] if model.pooling.shared(p) else theta[place[i]] for i, p in enumerate(parameters)}
        return sites, -jnp.sum(jnp.log(jnp.diag(L)))

    return Coordinates(top + size, to_sites, lambda _: jnp.concatenate([_top_start(model, names, shapes, moments), jnp.zeros(size)]))
