"""Coordinates in which a posterior of many series is nearly a standard normal, whatever each
series' own data say.

With theta-hat and F the mode and Fisher information of a series' own data and Lambda(tau) the
precision of its prior,

    P = F + Lambda,   m = P^-1 (F theta-hat + Lambda mu),   theta = m + P^(-T/2) u,   log|dtheta/du| = -1/2 log|P|.

F = 0 gives the non-centred form, a large F the whitened centred one. The map changes no prior and
no posterior, only the coordinates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.inference.linalg import _product, _solve, inverse_cholesky
from bayescale.inference.modes import (
    PROVISIONAL_COMMON,
    Quadratic,
    curvature,
    noise_parameters,
    parameter_order,
    prior_moments,
)
from bayescale.models.noise import COMMON
from bayescale.models.parameters import Parameter, to_natural
from bayescale.models.pooling import Pooling
from bayescale.models.series import SeriesModel

# data's information, in units of the prior's, below which it is summed up rather than had by
# difference
WEAK = 1e-3


class Coordinates(NamedTuple):
    """A flat vector z of `size` reals for the sites of a model: ``to_sites(z, quadratic) -> (sites,
    log|dsites/dz|)``, `start` a good first z.
    """

    size: int
    to_sites: Callable[[jax.Array, Quadratic], tuple[dict[str, jax.Array], jax.Array]]
    start: np.ndarray


def coordinates(model: SeriesModel) -> Coordinates:
    """The whitened coordinates of a model, by its kind of pooling."""
    return _common(model) if model.pooling.kind == "complete" else _by_series(model)


class _Cutter:
    """Hands out consecutive pieces of a flat vector."""

    def __init__(self, z: jax.Array) -> None:
        self._z, self._at = z, 0

    def take(self, *shape: int) -> jax.Array:
        size = int(np.prod(shape))
        self._at += size
        return self._z[self._at - size : self._at].reshape(shape)


def _by_series(model: SeriesModel) -> Coordinates:
    """Spreads as they are; population and effects whitened given the spreads; the series whitened
    given all of them. The noise scale goes first.
    """
    pooling, curve = model.pooling, parameter_order(model)
    noise = pooling.parameters[-1]
    spreads = [
        name for p in filter(pooling.pooled, pooling.parameters) for name in pooling.spreads(p)
    ]
    pooled, several = sum(map(pooling.pooled, pooling.parameters)), len(pooling.groups.several)
    tail = int(model.noise == "student_t")

    def to_sites(z: jax.Array, q: Quadratic) -> tuple[dict[str, jax.Array], jax.Array]:
        cut = _Cutter(z)
        sites = {name: cut.take(several) for name in spreads} | (
            {"tail": cut.take()} if tail else {}
        )
        log_det = _Group(model, noise_parameters(model), q.noise_information, q.noise_h).whiten(
            sites, cut
        )
        weight = jnp.exp(2 * (q.log_scale - sites[noise.name]))
        log_det += _Group(
            model, curve, q.F * weight[:, None, None], q.h * weight[:, None], q
        ).whiten(sites, cut)
        if COMMON.name in sites:
            _follow_common(model, sites, q.repeats)
        return sites, log_det

    start = np.concatenate(
        [
            [
                float(to_natural("spread").inv(0.5 * (p.pooling or 1.0)))
                for p in filter(pooling.pooled, pooling.parameters)
                for _ in range(len(pooling.spreads(p)) * several)
            ],
            [np.log(10.0)] * tail,
        ]
    )
    size = (
        len(start)
        + _design(pooling).shape[1] * pooled
        + pooling.groups.series * len(pooling.parameters)
    )
    return Coordinates(size, to_sites, np.concatenate([start, np.zeros(size - len(start))]))


def _follow_common(model: SeriesModel, sites: dict[str, jax.Array], repeats: jax.Array) -> None:
    """Move the noise scale, which is that of the whole, with the common part as far as the cells
    tell the scale within a group: scale sqrt(1 - common).

    The shift depends on no noise scale, so the determinant of this change is 1; a population
    follows the mean of its series.
    """
    noise, kind = model.pooling.parameters[-1], np.array(model.pooling.groups.kind)
    shift = (
        0.5 * repeats * (np.log1p(-PROVISIONAL_COMMON) - jax.nn.log_sigmoid(-sites[COMMON.name]))
    )
    sites[noise.name] += shift
    if model.pooling.pooled(noise):
        member = np.eye(len(model.pooling.groups.kinds))[kind]
        sites[f"population_{noise.name}"] += (shift @ member) / member.sum(0)


def _design(pooling: Pooling) -> np.ndarray:
    """Which population and which effects each series hangs on: shape (series, kinds + levels of the
    crossed factors).
    """
    f = pooling.groups
    return np.concatenate(
        [np.eye(len(f.kinds))[np.array(f.kind)], *(e.touches for e in f.crossed.values())], 1
    )


class _Group:
    """Parameters that are whitened together, with their data's F (series, k, k) and h (series,
    k).
    """

    def __init__(
        self,
        model: SeriesModel,
        parameters: list[Parameter],
        F: jax.Array,
        h: jax.Array,
        q: Quadratic | None = None,
    ) -> None:
        self.model, self.parameters, self.F, self.h, self.q = model, parameters, F, h, q
        self.pooling, self.k = model.pooling, len(parameters)
        self.moments = prior_moments(model)
        self.own = [i for i, p in enumerate(parameters) if model.pooling.pooled(p)]

    def whiten(self, sites: dict[str, jax.Array], cut: _Cutter) -> jax.Array:
        """Put population, effects and series into `sites`; the log determinant of the map.

        P = D (I + G) D with D = Lambda^(1/2) and G = D^-1 F D^-1, so that a spread next to nil, an
        immense Lambda, loses no digits.
        """
        k, n = self.k, self.pooling.groups.series
        self.root = jnp.stack(
            [jnp.broadcast_to(1 / self._sd(p, sites), (n,)) for p in self.parameters], -1
        )
        self.G = self.F / (self.root[:, :, None] * self.root[:, None, :])
        self.inner, log_det = inverse_cholesky(self.G + np.eye(k))
        self.precision, self.inverse = self.root**2, self.inner / self.root[:, None, :]
        total = -jnp.sum(log_det) - jnp.sum(jnp.log(self.root))
        if self.own:
            total += self._population(sites, cut)
        location = [
            self.pooling.location(p, sites)
            if i in self.own
            else jnp.asarray(self.moments[p.name][0])
            for i, p in enumerate(self.parameters)
        ]
        theta = _solve(
            self.inverse, self.h + self.precision * jnp.stack(location, -1), cut.take(n, k)
        )
        if self.q is not None:
            theta = self._bend(theta, sites)
        sites |= {p.name: theta[:, i] for i, p in enumerate(self.parameters)}
        return total

    def _sd(self, p: Parameter, sites: dict[str, jax.Array]) -> jax.Array:
        return (
            self.pooling.own_sd(p, sites)
            if self.pooling.pooled(p)
            else jnp.asarray(self.moments[p.name][1])
        )

    def _information(self) -> jax.Array:
        """A = Lambda - Lambda P^-1 Lambda = D (I - K) D, K = (I + G)^-1: what the series' data say
        of the location, shape (series, k, k).

        On the diagonal 1 - K_ii cancels where the data are weak beside the prior; there (K G)_ii,
        which equals it, stands in.
        """
        K = _product(self.inner.mT, self.inner)
        diagonal = np.eye(self.k)
        weak = jnp.sum(self.G * diagonal, -1) < WEAK
        gained = jnp.where(weak, jnp.sum(K * self.G, -1), 1 - jnp.sum(K * diagonal, -1))
        return (
            self.root[:, :, None]
            * (gained[:, :, None] * diagonal - K * (1 - diagonal))
            * self.root[:, None, :]
        )

    def _bend(self, theta: jax.Array, sites: dict[str, jax.Array]) -> jax.Array:
        """From straight coordinates to parameters, population and series; the prior of what lies on
        the ridge is then centred anew.

        The population follows the mean of its series, each bent along its own ridge, for it is they
        that determine it: it may itself lie far from all of them where their spread is large.
        """
        q = self.q
        assert q is not None
        bend = curvature(self.model, self.parameters, theta, q.ridge)
        e = bend.shape[-1]
        if e == 0:
            return theta
        kind = np.array(self.pooling.groups.kind)
        member = np.eye(len(self.pooling.groups.kinds))[kind]
        above = (
            (member.T @ (q.weight[:, :e] * bend))
            / (member.T @ q.weight[:, :e])
            * np.array([i in self.own for i in range(e)])
        )
        moved = _solve(self.inverse[:, :e, :e], self.precision[:, :e] * (above[kind] - bend), 0.0)
        for i in set(self.own) & set(range(e)):
            sites[f"population_{self.parameters[i].name}"] += above[:, i]
        return theta.at[:, :e].add(moved + bend)

    def _population(self, sites: dict[str, jax.Array], cut: _Cutter) -> jax.Array:
        """Whiten populations and effects, the series integrated out: information A = Lambda -
        Lambda P^-1 Lambda and Lambda P^-1 h from each series.
        """
        own, precision, design, crossed = (
            np.array(self.own),
            self.precision,
            _design(self.pooling),
            self.pooling.groups.crossed,
        )
        n, columns = design.shape
        fixed = jnp.stack(
            [
                jnp.zeros(n) if i in own else jnp.asarray(self.moments[p.name][0])
                for i, p in enumerate(self.parameters)
            ],
            -1,
        )
        pull = (precision * _solve(self.inverse, self.h + precision * fixed, 0.0))[:, own]
        A = self._information()[:, own][:, :, own]
        kinds = len(self.pooling.groups.kinds)
        prior, middle = [], []
        for p in (self.parameters[i] for i in own):
            loc, sd = (float(np.ravel(v)[0]) for v in self.moments[p.name])
            prior.append(
                jnp.concatenate(
                    [
                        jnp.full(kinds, sd**-2),
                        *(self.pooling.sd(p, f, sites)[e.kind] ** -2 for f, e in crossed.items()),
                    ]
                )
            )
            middle.append(
                jnp.concatenate([jnp.full(kinds, loc * sd**-2), jnp.zeros(columns - kinds)])
            )
        beta, log_det = self._above(A, pull, jnp.stack(prior), jnp.stack(middle), cut)
        for row, p in zip(beta, (self.parameters[i] for i in own), strict=True):
            at = kinds
            sites[f"population_{p.name}"] = row[:kinds]
            for f, e in crossed.items():
                sd = self.pooling.sd(p, f, sites)[e.kind]
                sites[f"effect_{p.name}_{f}"] = row[at : at + len(sd)] / sd
                log_det, at = log_det + jnp.sum(jnp.log(sd)), at + len(sd)
        return -log_det

    def _above(
        self, A: jax.Array, pull: jax.Array, prior: jax.Array, middle: jax.Array, cut: _Cutter
    ) -> tuple[jax.Array, jax.Array]:
        """Populations and effects (parameters, columns) and log|L| of their precision: kinds one by
        one where nothing crosses, else an arrow.

        A series touches one level of the last factor, so those levels see each other only through
        the other columns, the head. With their blocks L, the head's T and C between them, the
        levels are eliminated first: T - C' L^-1 C is left for the head.
        """
        design = _design(self.pooling)
        k, columns = prior.shape
        if not self.pooling.groups.crossed:
            inner, log_det = inverse_cholesky(
                jnp.einsum("sb,sij->bij", design, A) + prior.T[:, :, None] * jnp.eye(k)
            )
            return _solve(inner, design.T @ pull + middle.T, cut.take(columns, k)).T, jnp.sum(
                log_det
            )
        head = columns - len(list(self.pooling.groups.crossed.values())[-1].labels)
        top, leaf = design[:, :head], design[:, head:]
        pairs = (design[:, :, None] * top[:, None, :]).reshape(len(design), -1)
        M = (
            (pairs.T @ A.reshape(len(design), -1))
            .reshape(columns, head, k, k)
            .transpose(0, 2, 1, 3)
            .reshape(columns, k, head * k)
        )
        h = design.T @ pull + middle.T
        inverse, log_leaf = inverse_cholesky(
            jnp.einsum("sj,sab->jab", leaf, A) + prior.T[head:, :, None] * jnp.eye(k)
        )
        W = inverse @ M[head:]
        v = jnp.sum(inverse * h[head:, None, :], -1)
        T = M[:head].reshape(head * k, head * k) + jnp.diag(prior.T[:head].reshape(-1))
        inner, log_head = inverse_cholesky(T - jnp.einsum("jai,jab->ib", W, W))
        above = _solve(
            inner, h[:head].reshape(-1) - jnp.einsum("jai,ja->i", W, v), cut.take(head * k)
        )
        below = jnp.sum(inverse * (v - W @ above + cut.take(columns - head, k))[..., :, None], -2)
        return jnp.concatenate([above.reshape(head, k), below]).T, jnp.sum(log_leaf) + log_head


def _common(model: SeriesModel) -> Coordinates:
    """One dense, constant map for complete pooling: the shared parameters first, then each series'
    own.
    """
    curve, noise, n = parameter_order(model), noise_parameters(model), model.pooling.groups.series
    parameters, k = [*curve, *noise], len(curve)
    moments = prior_moments(model)
    top = int(model.noise == "student_t")
    columns = [
        list(model.pooling.groups.kind) if model.pooling.shared(p) else list(range(n))
        for p in parameters
    ]
    widths = [max(c) + 1 for c in columns]
    offsets = np.cumsum([0, *widths])
    # (parameters, series) -> coordinate
    place = np.array([[offsets[i] + c for c in column] for i, column in enumerate(columns)])
    size = int(offsets[-1])
    loc = np.zeros(size)
    precision = np.zeros(size)
    for i, p in enumerate(parameters):
        loc[place[i]], precision[place[i]] = moments[p.name][0], 1 / moments[p.name][1] ** 2

    def posterior(q: Quadratic) -> tuple[jax.Array, jax.Array]:
        P, h = jnp.diag(jnp.asarray(precision)), jnp.asarray(precision * loc)
        for at, F, pull in ((place[:k].T, q.F, q.h), (place[k:].T, q.noise_information, q.noise_h)):
            P, h = P.at[at[:, :, None], at[:, None, :]].add(F), h.at[at].add(pull)
        return P, h

    def to_sites(z: jax.Array, q: Quadratic) -> tuple[dict[str, jax.Array], jax.Array]:
        P, h = posterior(q)
        inverse, log_det = inverse_cholesky(P)
        theta = _solve(inverse, h, z[top:])
        sites = {"tail": z[0]} if top else {}
        sites |= {p.name: theta[offsets[i] : offsets[i + 1]] for i, p in enumerate(parameters)}
        return sites, -log_det

    return Coordinates(top + size, to_sites, np.concatenate([[np.log(10.0)] * top, np.zeros(size)]))
