"""Whitening: populations, effects and series from coordinates that are nearly standard normal.

Parameters are whitened in two groups: first the noise, then the curve.

Equation numbers, such as (S9), are from docs/mathematics.md, section "The sampler and its
coordinates".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.inference.modes import kind_of_series, prior_moments
from bayescale.inference.ridges import Tangent, curvature
from bayescale.models.linalg import inverse_cholesky, product, solve
from bayescale.models.parameters import Parameter
from bayescale.models.pooling import Groups
from bayescale.models.series import SeriesModel

type Sites = dict[str, jax.Array]

# Information of the data, in units of the prior's, below which the diagonal of (S10) is a sum: the
# difference that gives it elsewhere would cancel.
WEAK = 1e-3


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are whitened together, and the constants of their map.

    Parameters
    ----------
    model
        The model that they belong to.
    parameters
        The k parameters, in the order of the rows of F.
    pooled
        Positions of the pooled ones in `parameters`.
    location, sd
        Moments of each one's prior, shape (series, k).
    design
        Which population and which effects each series has: ones and zeros of shape
        (series, columns). The columns are the kinds and then the levels of the crossed factors.
    head
        Number of columns that are not levels of the last crossed factor.
    """

    model: SeriesModel
    parameters: Sequence[Parameter]
    pooled: Sequence[int]
    location: np.ndarray
    sd: np.ndarray
    design: np.ndarray
    head: int


class Pieces(NamedTuple):
    """Whitened coordinates of one group.

    Parameters
    ----------
    head
        Those of populations and effects in the head columns of the design: shape
        (head columns, pooled parameters).
    levels
        Those of the effects of the last crossed factor: shape (levels, pooled parameters).
    series
        Those of the series: shape (series, parameters).
    """

    head: jax.Array
    levels: jax.Array
    series: jax.Array


class GroupData(NamedTuple):
    """-1/2 theta' F theta + h' theta, the log likelihood of a group's parameters in each series.

    Parameters
    ----------
    F
        Information of the data of each series, shape (series, k, k).
    h
        F theta-hat, shape (series, k).
    ridge
        Tangent of each series' ridge, on which the first parameters lie; None for a group without.
    weight
        Weight of each series in the location of its population, shape (series, k); None where
        `ridge` is.
    """

    F: jax.Array
    h: jax.Array
    ridge: Tangent | None = None
    weight: jax.Array | None = None


class _Factors(NamedTuple):
    """The matrices of (S9), for each series.

    `root` is D and `precision` is Lambda = D^2, diagonals of shape (series, k). `G`, `inner`, which
    is L^-1, and `inverse`, which is L^-1 D^-1, have shape (series, k, k). `log_det` is
    log|P^(-1/2)| summed over series.
    """

    root: jax.Array
    precision: jax.Array
    G: jax.Array
    inner: jax.Array
    inverse: jax.Array
    log_det: jax.Array


def make_group(model: SeriesModel, parameters: Sequence[Parameter]) -> ParameterGroup:
    """The parameters as a group, with the constants that the model gives.

    Parameters
    ----------
    model
        The model that the parameters belong to.
    parameters
        Parameters of the curve or of the noise, in the order of the rows of F.
    """
    moments = prior_moments(model)
    return ParameterGroup(
        model=model,
        parameters=parameters,
        pooled=[i for i, p in enumerate(parameters) if model.pooling.pooled(p)],
        location=np.stack([moments[p.name][0] for p in parameters], -1),
        sd=np.stack([moments[p.name][1] for p in parameters], -1),
        design=_design(model.pooling.groups),
        head=_head(model.pooling.groups),
    )


def _design(groups: Groups) -> np.ndarray:
    """Which population and which effects each series has, shape (series, columns)."""
    effects = [factor.touches for factor in groups.crossed.values()]
    return np.concatenate([kind_of_series(groups), *effects], 1)


def _head(groups: Groups) -> int:
    """Number of columns of the design that are not levels of the last crossed factor."""
    levels = [len(factor.labels) for factor in groups.crossed.values()]
    return len(groups.kinds) + sum(levels[:-1])


def piece_shapes(group: ParameterGroup) -> tuple[tuple[int, ...], ...]:
    """Shapes of `Pieces` of a group, in their order in z."""
    series, columns = group.design.shape
    pooled = len(group.pooled)
    levels = columns - group.head
    return (group.head, pooled), (levels, pooled), (series, len(group.parameters))


def whiten(
    group: ParameterGroup, data: GroupData, sites: Sites, pieces: Pieces
) -> tuple[Sites, jax.Array]:
    """Real values of a group's populations, effects and series from whitened ones, (S9).

    Parameters
    ----------
    group
        The parameters and the constants of their map.
    data
        F and h of the parameters in each series, at the noise scale of the draw.
    sites
        Sites found so far: the spreads among them.
    pieces
        Whitened coordinates of the group.

    Returns
    -------
    tuple of dict and jax.Array
        `sites` with those of the group added, and the log determinant of the map.
    """
    factors = _factorise(group, data, sites)
    log_det = factors.log_det
    whitened = dict(sites)
    if group.pooled:
        whitened, above_log_det = _whiten_populations(group, data, factors, whitened, pieces)
        log_det = log_det + above_log_det
    prior_pull = factors.precision * _location(group, whitened)
    theta = solve(factors.inverse, data.h + prior_pull, pieces.series)
    theta, whitened = _bend(group, data, factors, theta, whitened)
    series = {p.name: theta[:, i] for i, p in enumerate(group.parameters)}
    return whitened | series, log_det


def _factorise(group: ParameterGroup, data: GroupData, sites: Sites) -> _Factors:
    """P = D (I + G) D and its Cholesky factor, (S9).

    I + G is factorised in place of P, so that a spread near zero, whose Lambda is immense, loses no
    digits.
    """
    series, k = group.location.shape
    root = jnp.stack([jnp.broadcast_to(1 / sd, (series,)) for sd in _sds(group, sites)], -1)
    G = data.F / (root[:, :, None] * root[:, None, :])
    inner, log_inner = inverse_cholesky(G + np.eye(k))
    return _Factors(
        root=root,
        precision=root**2,
        G=G,
        inner=inner,
        inverse=inner / root[:, None, :],
        log_det=-jnp.sum(log_inner) - jnp.sum(jnp.log(root)),
    )


def _sds(group: ParameterGroup, sites: Sites) -> list[jax.Array]:
    """Standard deviation of each parameter around its location, of shape (series,)."""
    pooling = group.model.pooling
    return [
        pooling.own_sd(p, sites) if i in group.pooled else jnp.asarray(group.sd[:, i])
        for i, p in enumerate(group.parameters)
    ]


def _location(group: ParameterGroup, sites: Sites) -> jax.Array:
    """mu of each series: population and effects of a pooled parameter, else the prior's mean."""
    pooling = group.model.pooling
    columns = [
        pooling.location(p, sites) if i in group.pooled else jnp.asarray(group.location[:, i])
        for i, p in enumerate(group.parameters)
    ]
    return jnp.stack(columns, -1)


def _whiten_populations(
    group: ParameterGroup, data: GroupData, factors: _Factors, sites: Sites, pieces: Pieces
) -> tuple[Sites, jax.Array]:
    """`sites` with populations and effects added, the series integrated out, and log det, (S12)."""
    pooling = group.model.pooling
    crossed = pooling.groups.crossed
    kinds = len(pooling.groups.kinds)
    own = np.array(group.pooled)
    b = _pull(group, data, factors)[:, own]
    A = _information(factors)[:, own][:, :, own]
    prior_precision, prior_pull = _population_prior(group, sites)
    h = group.design.T @ b + prior_pull
    whiten_columns = _whiten_arrow if crossed else _whiten_kinds
    beta, log_det = whiten_columns(group, A, prior_precision, h, pieces)
    whitened = dict(sites)
    for i, values in zip(group.pooled, beta.T, strict=True):
        p = group.parameters[i]
        whitened[f"population_{p.name}"] = values[:kinds]
        start = kinds
        for factor, effects in crossed.items():
            # An effect is standardised in the model: divide by its standard deviation.
            sd = pooling.sd(p, factor, sites)[effects.kind]
            end = start + len(effects.labels)
            whitened[f"effect_{p.name}_{factor}"] = values[start:end] / sd
            log_det = log_det + jnp.sum(jnp.log(sd))
            start = end
    return whitened, -log_det


def _information(factors: _Factors) -> jax.Array:
    """A, what the data of each series say of its location, shape (series, k, k), (S10).

    On the diagonal 1 - K_ii cancels where the data are weak beside the prior. There (K G)_ii, which
    equals it, takes its place.
    """
    K = product(factors.inner.mT, factors.inner)
    identity = np.eye(K.shape[-1])
    weak = jnp.sum(factors.G * identity, -1) < WEAK
    by_sum = jnp.sum(K * factors.G, -1)
    by_difference = 1 - jnp.sum(K * identity, -1)
    gained = jnp.where(weak, by_sum, by_difference)
    inside = gained[:, :, None] * identity - K * (1 - identity)
    return factors.root[:, :, None] * inside * factors.root[:, None, :]


def _pull(group: ParameterGroup, data: GroupData, factors: _Factors) -> jax.Array:
    """Where the data of each series pull its location, shape (series, k), (S11)."""
    series = len(group.location)
    columns = [
        jnp.zeros(series) if i in group.pooled else jnp.asarray(group.location[:, i])
        for i in range(len(group.parameters))
    ]
    fixed = jnp.stack(columns, -1)
    return factors.precision * solve(factors.inverse, data.h + factors.precision * fixed)


def _population_prior(group: ParameterGroup, sites: Sites) -> tuple[jax.Array, jax.Array]:
    """Prior precision of populations and effects, and precision x mean: (columns, pooled)."""
    pooling = group.model.pooling
    kinds = len(pooling.groups.kinds)
    effect_columns = group.design.shape[1] - kinds
    precisions = []
    pulls = []
    for i in group.pooled:
        # The prior of a population is the same for every kind.
        mean = float(group.location[0, i])
        precision = float(group.sd[0, i]) ** -2
        effects = [
            pooling.sd(group.parameters[i], factor, sites)[effects.kind] ** -2
            for factor, effects in pooling.groups.crossed.items()
        ]
        precisions.append(jnp.concatenate([jnp.full(kinds, precision), *effects]))
        pulls.append(
            jnp.concatenate([jnp.full(kinds, mean * precision), jnp.zeros(effect_columns)])
        )
    return jnp.stack(precisions).T, jnp.stack(pulls).T


def _whiten_kinds(
    group: ParameterGroup, A: jax.Array, prior_precision: jax.Array, h: jax.Array, pieces: Pieces
) -> tuple[jax.Array, jax.Array]:
    """Populations (kinds, pooled) where nothing crosses, and log|L|: kinds one by one, (S12)."""
    identity = jnp.eye(len(group.pooled))
    Q = jnp.einsum("sb,sij->bij", group.design, A) + prior_precision[:, :, None] * identity
    inverse, log_det = inverse_cholesky(Q)
    return solve(inverse, h, pieces.head), jnp.sum(log_det)


def _whiten_arrow(
    group: ParameterGroup, A: jax.Array, prior_precision: jax.Array, h: jax.Array, pieces: Pieces
) -> tuple[jax.Array, jax.Array]:
    """Populations and effects (columns, pooled) where factors cross, and log|L|, (S13).

    A series has one level of the last factor, so those levels depend on one another only through
    the other columns, the head. The levels are eliminated first, a small block each.
    """
    X = group.design
    head = group.head
    columns, k = h.shape
    first = X[:, :head]
    last = X[:, head:]
    # M holds the blocks of Q between every column and every column of the head: the sums over
    # series of X_s X_s' (x) A_s, as one matrix product.
    pairs = (X[:, :, None] * first[:, None, :]).reshape(len(X), -1)
    blocks = (pairs.T @ A.reshape(len(X), -1)).reshape(columns, head, k, k)
    M = blocks.transpose(0, 2, 1, 3).reshape(columns, k, head * k)
    T = M[:head].reshape(head * k, head * k) + jnp.diag(prior_precision[:head].reshape(-1))
    C = M[head:]
    # The levels are eliminated: every level's block B is factorised by itself.
    B = jnp.einsum("sj,sab->jab", last, A) + prior_precision[head:, :, None] * jnp.eye(k)
    inverse, log_levels = inverse_cholesky(B)
    W = inverse @ C
    v = jnp.sum(inverse * h[head:, None, :], -1)
    # The head is solved for, with what the levels leave of it.
    inner, log_head = inverse_cholesky(T - jnp.einsum("jai,jab->ib", W, W))
    head_pull = h[:head].reshape(-1) - jnp.einsum("jai,ja->i", W, v)
    beta_head = solve(inner, head_pull, pieces.head.reshape(-1))
    # The levels follow, given the head.
    white_levels = v - W @ beta_head + pieces.levels
    beta_levels = jnp.sum(inverse * white_levels[..., :, None], -2)
    beta = jnp.concatenate([beta_head.reshape(head, k), beta_levels])
    return beta, jnp.sum(log_levels) + log_head


def _bend(
    group: ParameterGroup, data: GroupData, factors: _Factors, theta: jax.Array, sites: Sites
) -> tuple[jax.Array, Sites]:
    """Real values of the series from straight ones, and `sites` with populations moved, (S16).

    The population moves by the mean shift of its series, each bent along its own ridge, because the
    series determine it: it may itself lie far from all of them where their spread is large. The
    prior of the parameters on the ridge is then centred at the moved population.
    """
    if data.ridge is None or data.weight is None:
        return theta, sites
    shift = curvature(group.model, group.parameters, theta, data.ridge)
    on_ridge = shift.shape[-1]
    if on_ridge == 0:
        return theta, sites
    groups = group.model.pooling.groups
    kind = np.array(groups.kind)
    member = kind_of_series(groups)
    weight = data.weight[:, :on_ridge]
    pooled = np.array([i in group.pooled for i in range(on_ridge)])
    population_shift = (member.T @ (weight * shift)) / (member.T @ weight) * pooled
    # The leading block of a lower triangular L^-1 is the one of the leading block of P.
    leading = factors.inverse[:, :on_ridge, :on_ridge]
    pull = factors.precision[:, :on_ridge] * (population_shift[kind] - shift)
    centred = solve(leading, pull)
    populations = {
        name: sites[name] + population_shift[:, i]
        for i, name in enumerate(f"population_{p.name}" for p in group.parameters[:on_ridge])
        if pooled[i]
    }
    return theta.at[:, :on_ridge].add(centred + shift), sites | populations
