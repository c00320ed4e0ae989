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
from bayescale.models.pooling import Groups
from bayescale.models.series import SeriesModel, loss_model
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


def by_normal_equations(
    model: SeriesModel, data: GroupData, sites: dict[str, jax.Array]
) -> tuple[dict[str, list[int]], Array, Array]:
    """Place of each site, mean and covariance of the posterior: one dense linear system.

    Each prior is a row (a, b, precision): a x is normal around b.
    """
    pooling, groups = model.pooling, model.pooling.groups
    curve = parameter_order(model)
    number = count()
    place: dict[str, list[int]] = {}
    for p in curve:
        place[p.name] = [next(number) for _ in range(groups.series)]
        if pooling.pooled(p):
            place[f"population_{p.name}"] = [next(number) for _ in groups.kinds]
            for factor, effects in groups.crossed.items():
                name = f"effect_{p.name}_{factor}"
                place[name] = [next(number) for _ in effects.labels]
    size = next(number)
    precision, pull = np.zeros((size, size)), np.zeros(size)

    def normal(terms: dict[int, float], mean: float, sd: float) -> None:
        a = np.zeros(size)
        a[list(terms)] = list(terms.values())
        precision[:] += np.outer(a, a) / sd**2
        pull[:] += a * mean / sd**2

    for p in curve:
        # every prior of law ``compute`` is normal on the real line
        prior = p.prior.base_dist  # type: ignore[attr-defined]
        loc, scale = float(prior.loc), float(prior.scale)
        if not pooling.pooled(p):
            for index in place[p.name]:
                normal({index: 1.0}, loc, scale)
            continue
        for index in place[f"population_{p.name}"]:
            normal({index: 1.0}, loc, scale)
        own = np.full(len(groups.kinds), 1e-3)
        own[groups.several] = natural(sites[f"sd_{p.name}_{groups.own}"])
        for s, kind in enumerate(groups.kind):
            terms = {place[p.name][s]: 1.0, place[f"population_{p.name}"][kind]: -1.0}
            for factor, effects in groups.crossed.items():
                sd = natural(sites[f"sd_{p.name}_{factor}"])
                for level, index in enumerate(place[f"effect_{p.name}_{factor}"]):
                    terms[index] = -float(effects.touches[s, level] * sd[effects.kind[level]])
            normal(terms, 0.0, own[kind])
        for factor in groups.crossed:
            for index in place[f"effect_{p.name}_{factor}"]:
                normal({index: 1.0}, 0.0, 1.0)
    for s in range(groups.series):
        of_series = [place[p.name][s] for p in curve]
        precision[np.ix_(of_series, of_series)] += np.asarray(data.F[s])
        pull[of_series] += np.asarray(data.h[s])
    covariance = np.linalg.inv(precision)
    return place, covariance @ pull, covariance


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

    def to_sites(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        found, log_det = whiten(group, data, sites, unravel(z))
        new = {name: value for name, value in found.items() if name not in sites}
        return jnp.concatenate([jnp.ravel(new[name]) for name in sorted(new)]), log_det

    place, mean, covariance = by_normal_equations(model, data, sites)
    order = [index for name in sorted(place) for index in place[name]]
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
