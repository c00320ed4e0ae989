"""Whitening: where the likelihood is quadratic, standard normal coordinates are the posterior."""

from itertools import count
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from bayescale.inference.ridges import parameter_order
from bayescale.inference.whitening import GroupData, Pieces, make_group, piece_shapes, whiten
from bayescale.models.laws import LAWS
from bayescale.models.parameters import Parameter
from bayescale.models.pooling import Groups
from bayescale.models.series import SeriesModel
from bayescale.models.stage_models import loss_model
from helpers.layouts import CROSSED, LONE, ONE_FACTOR, TWO_KINDS, TWO_POPULATIONS, Array

GROUPS = {
    "one series": LONE,
    "one factor": ONE_FACTOR,
    "two kinds, one of a single series": TWO_KINDS,
    "two kinds of several": TWO_POPULATIONS,
    "crossed": CROSSED,
}


def natural(spread: Any) -> Array:
    return 0.01 * np.log1p(np.exp(np.asarray(spread))) ** 2


def spreads(model: SeriesModel, rng: np.random.Generator) -> dict[str, jax.Array]:
    """A spread for each pooled parameter and factor, real values."""
    pooling = model.pooling
    several = len(pooling.groups.several)
    return {
        name: jnp.asarray(rng.normal(2.0, 1.0, several))
        for p in pooling.parameters
        if pooling.pooled(p)
        for name in pooling.spreads(p)
    }


def quadratic(groups: Groups, k: int, rng: np.random.Generator) -> GroupData:
    """Information of each series, singular in the last one."""
    root = 3 * rng.standard_normal((groups.series, k, k + 2))
    root[-1, :, 1:] = 0.0
    F = root @ root.transpose(0, 2, 1)
    h = np.einsum("sij,sj->si", F, rng.standard_normal((groups.series, k)))
    return GroupData(jnp.asarray(F), jnp.asarray(h))


class Equations:
    """The posterior as one dense linear system: a row (a, b, sd) for each prior, a x around b."""

    def __init__(self, model: SeriesModel, sites: dict[str, jax.Array]) -> None:
        self.pooling, self.groups, self.sites = model.pooling, model.pooling.groups, sites
        self.curve = parameter_order(model)
        number = count()
        self.place: dict[str, list[int]] = {}
        for p in self.curve:
            self.place[p.name] = [next(number) for _ in range(self.groups.series)]
            if self.pooling.pooled(p):
                self.place[f"population_{p.name}"] = [next(number) for _ in self.groups.kinds]
                for factor, effects in self.groups.crossed.items():
                    name = f"effect_{p.name}_{factor}"
                    self.place[name] = [next(number) for _ in effects.labels]
        size = next(number)
        self.precision, self.pull = np.zeros((size, size)), np.zeros(size)

    def normal(self, terms: dict[int, float], mean: float, sd: float) -> None:
        a = np.zeros(len(self.pull))
        a[list(terms)] = list(terms.values())
        self.precision += np.outer(a, a) / sd**2
        self.pull += a * mean / sd**2

    def priors(self, p: Parameter) -> None:
        """Of the populations, or of the series where they share nothing."""
        pooled = self.pooling.pooled(p)
        # every prior of law ``compute`` is normal on the real line
        prior = p.prior.base_dist  # type: ignore[attr-defined]
        for index in self.place[f"population_{p.name}" if pooled else p.name]:
            self.normal({index: 1.0}, float(prior.loc), float(prior.scale))
        if pooled:
            for factor in self.groups.crossed:
                for index in self.place[f"effect_{p.name}_{factor}"]:
                    self.normal({index: 1.0}, 0.0, 1.0)
            self.series_around_population(p)

    def series_around_population(self, p: Parameter) -> None:
        own = np.full(len(self.groups.kinds), 1e-3)
        own[self.groups.several] = natural(self.sites[f"sd_{p.name}_{self.groups.own}"])
        for s, kind in enumerate(self.groups.kind):
            terms = {self.place[p.name][s]: 1.0, self.place[f"population_{p.name}"][kind]: -1.0}
            for factor, effects in self.groups.crossed.items():
                sd = natural(self.sites[f"sd_{p.name}_{factor}"])[effects.kind]
                touches = effects.touches[s] * sd
                terms |= dict(zip(self.place[f"effect_{p.name}_{factor}"], -touches, strict=True))
            self.normal(terms, 0.0, own[kind])

    def solve(self, data: GroupData) -> tuple[Array, Array]:
        """Mean and covariance."""
        for p in self.curve:
            self.priors(p)
        for s in range(self.groups.series):
            of_series = [self.place[p.name][s] for p in self.curve]
            self.precision[np.ix_(of_series, of_series)] += np.asarray(data.F[s])
            self.pull[of_series] += np.asarray(data.h[s])
        covariance = np.linalg.inv(self.precision)
        return covariance @ self.pull, covariance


@pytest.mark.parametrize("case", GROUPS)
def test_a_quadratic_likelihood_is_whitened_exactly(case: str) -> None:
    """The map is affine: its value at 0 is the mean, its Jacobian a root of the covariance."""
    groups = GROUPS[case]
    model = loss_model(LAWS["compute"], groups)
    curve = parameter_order(model)
    group = make_group(model, curve)
    rng = np.random.default_rng(0)
    data, sites = quadratic(groups, len(curve), rng), spreads(model, rng)
    zero = Pieces(*(jnp.zeros(shape) for shape in piece_shapes(group)))
    flat, unravel = ravel_pytree(zero)

    @jax.jit
    def to_sites(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        found, log_det = whiten(group, data, sites, unravel(z))
        new = {name: value for name, value in found.items() if name not in sites}
        return jnp.concatenate([jnp.ravel(new[name]) for name in sorted(new)]), log_det

    equations = Equations(model, sites)
    mean, covariance = equations.solve(data)
    order = [index for name in sorted(equations.place) for index in equations.place[name]]
    at_zero, log_det = to_sites(flat)
    jacobian = np.asarray(jax.jacobian(lambda z: to_sites(z)[0])(flat))
    assert jacobian.shape == (len(order), len(order))
    sd = np.sqrt(np.diag(covariance))[order]
    np.testing.assert_allclose((np.asarray(at_zero) - mean[order]) / sd, 0.0, atol=1e-6)
    found = jacobian @ jacobian.T
    np.testing.assert_allclose(
        found / np.outer(sd, sd), covariance[np.ix_(order, order)] / np.outer(sd, sd), atol=1e-6
    )
    assert float(log_det) == pytest.approx(np.linalg.slogdet(jacobian)[1], abs=1e-8)
    away = to_sites(flat + 1.0)[0]
    np.testing.assert_allclose(away, at_zero + jacobian.sum(1), rtol=1e-8, err_msg="affine")
