"""Coordinates in which a posterior of many series is nearly a standard normal.

With theta-hat and F the mode and Fisher information of a series' own data, and Lambda the precision
of its prior around mu,

    P = F + Lambda,   theta = P^-1 (F theta-hat + Lambda mu) + P^(-T/2) u,
    log|dtheta/du| = -1/2 log|P|.

F = 0 gives the non-centred form, a large F the whitened centred one. The map changes no prior and
no posterior, only the coordinates.

Equation numbers, such as (S9), are from docs/mathematics.md, section "The sampler and its
coordinates".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.inference.modes import (
    PROVISIONAL_COMMON,
    kind_of_series,
    prior_moments,
)
from bayescale.inference.quadratic import Quadratic
from bayescale.inference.ridges import amplitude_of, is_common, noise_parameters, parameter_order
from bayescale.inference.whitening import (
    GroupData,
    Pieces,
    Sites,
    make_group,
    piece_shapes,
    whiten,
)
from bayescale.models.linalg import inverse_cholesky, solve
from bayescale.models.noise import COMMON
from bayescale.models.parameters import to_natural
from bayescale.models.series import SeriesModel

# First value of a spread, as a share of the scale of its half-normal prior.
START_SPREAD = 0.5
# First value of `tail`, the degrees of freedom of a Student-t.
START_TAIL = 10.0


class Coordinates(NamedTuple):
    """A flat vector z in place of the sites of a model.

    Parameters
    ----------
    size
        Length of z.
    to_sites
        ``(z, Quadratic) -> (sites, log|dsites/dz|)``: every site of the model at its real value,
        by name, and the log determinant of the map.
    start
        A good first z, shape (size,).
    """

    size: int
    to_sites: Callable[[jax.Array, Quadratic], tuple[Sites, jax.Array]]
    start: np.ndarray


def coordinates(model: SeriesModel) -> Coordinates:
    """The whitened coordinates of a model, by its mode of pooling."""
    return _complete(model) if model.pooling.mode == "complete" else _by_series(model)


def _by_series(model: SeriesModel) -> Coordinates:
    """Coordinates of partial pooling and of none, series by series.

    Spreads and what series have in common stay as they are. Populations and effects are whitened
    given the spreads, and the series given both. The parameters of the noise come before those of
    the curve, whose information is relative to the scales of noise and discrepancy.
    """
    pooling = model.pooling
    pooled = [p for p in pooling.parameters if pooling.pooled(p)]
    several = len(pooling.groups.several)
    tail = ["tail"] if model.noise == "student_t" else []
    common = [p for p in amplitude_of(model) if is_common(model, p)]
    kind = np.array(pooling.groups.kind)
    spreads = [name for p in pooled for name in pooling.spreads(p)]
    noise = make_group(model, noise_parameters(model))
    curve = make_group(model, parameter_order(model))
    unwhitened_names = [*spreads, *tail, *(p.name for p in common)]
    kinds = (len(pooling.groups.kinds),)
    unwhitened_shapes = [*[(several,)] * len(spreads), *[()] * len(tail), *[kinds] * len(common)]
    shapes = [unwhitened_shapes, piece_shapes(noise), piece_shapes(curve)]

    def to_sites(z: jax.Array, q: Quadratic) -> tuple[Sites, jax.Array]:
        unwhitened, noise_pieces, curve_pieces = _split(z, shapes)
        sites = dict(zip(unwhitened_names, unwhitened, strict=True))
        noise_data = GroupData(q.noise_information, q.noise_h)
        sites, noise_log_det = whiten(noise, noise_data, sites, Pieces(*noise_pieces))
        # F and h at the scales of the draw.
        amplitude = None
        if model.amplitude is not None:
            amplitude = sites[model.amplitude]
            amplitude = amplitude[kind] if common else amplitude
        F, h = q.at(sites[model.scale_name], amplitude)
        curve_data = GroupData(F, h, q.ridge, q.weight)
        sites, curve_log_det = whiten(curve, curve_data, sites, Pieces(*curve_pieces))
        if COMMON.name in sites:
            sites = _follow_common(model, sites, q.repeats)
        return sites, noise_log_det + curve_log_det

    start_of_spreads = [
        np.full(
            len(pooling.spreads(p)) * several,
            float(to_natural("spread").inv(START_SPREAD * (p.pooling or 1.0))),
        )
        for p in pooled
    ]
    start_of_common = [np.broadcast_to(pooling.prior(p).mean, kinds) for p in common]
    start = np.concatenate(
        [*start_of_spreads, np.full(len(tail), np.log(START_TAIL)), *start_of_common]
    )
    size = sum(math.prod(shape) for group_shapes in shapes for shape in group_shapes)
    zeros = np.zeros(size - len(start))
    return Coordinates(size, to_sites, np.concatenate([start, zeros]))


def _split(z: jax.Array, shapes: Sequence[Sequence[tuple[int, ...]]]) -> list[list[jax.Array]]:
    """Consecutive pieces of a flat vector: one list for each list of shapes."""
    groups = []
    start = 0
    for group_shapes in shapes:
        pieces = []
        for shape in group_shapes:
            end = start + math.prod(shape)
            pieces.append(z[start:end].reshape(shape))
            start = end
        groups.append(pieces)
    return groups


def _follow_common(model: SeriesModel, sites: Sites, repeats: jax.Array) -> Sites:
    """`sites` with the noise scale, which is that of the whole, moved with the common part, (S14).

    Cells of one group tell the scale within the group, scale x sqrt(1 - common). The shift depends
    on no noise scale, so the determinant of this change is 1. A population moves by the mean shift
    of its series.
    """
    pooling = model.pooling
    noise = pooling.parameters[-1]
    log_ratio = np.log1p(-PROVISIONAL_COMMON) - jax.nn.log_sigmoid(-sites[COMMON.name])
    shift = 0.5 * repeats * log_ratio
    moved = {noise.name: sites[noise.name] + shift}
    if pooling.pooled(noise):
        member = kind_of_series(pooling.groups)
        population = f"population_{noise.name}"
        moved[population] = sites[population] + (shift @ member) / member.sum(0)
    return sites | moved


def _complete(model: SeriesModel) -> Coordinates:
    """Coordinates of complete pooling, one dense and constant map, (S17).

    The flat vector holds the parameters of the curve and then those of the noise: one value per
    kind of a parameter that is shared, one value per series of any other.
    """
    pooling = model.pooling
    curve = parameter_order(model)
    parameters = [*curve, *noise_parameters(model)]
    moments = prior_moments(model)
    tail = int(model.noise == "student_t")
    each_series = list(range(pooling.groups.series))
    columns = [list(pooling.groups.kind) if pooling.shared(p) else each_series for p in parameters]
    offsets = np.cumsum([0, *(max(column) + 1 for column in columns)])
    # Position in the flat vector of every parameter of every series, shape (parameters, series).
    place = np.array(columns) + offsets[:-1, None]
    size = int(offsets[-1])
    loc = np.zeros(size)
    precision = np.zeros(size)
    for i, p in enumerate(parameters):
        loc[place[i]] = moments[p.name][0]
        precision[place[i]] = 1 / moments[p.name][1] ** 2
    curve_place = place[: len(curve)].T
    noise_place = place[len(curve) :].T

    def to_sites(z: jax.Array, q: Quadratic) -> tuple[Sites, jax.Array]:
        P = jnp.diag(jnp.asarray(precision))
        h = jnp.asarray(precision * loc)
        F_of_curve, h_of_curve = q.at(q.log_scale, q.log_amplitude)
        P = P.at[curve_place[:, :, None], curve_place[:, None, :]].add(F_of_curve)
        h = h.at[curve_place].add(h_of_curve)
        P = P.at[noise_place[:, :, None], noise_place[:, None, :]].add(q.noise_information)
        h = h.at[noise_place].add(q.noise_h)
        inverse, log_det = inverse_cholesky(P)
        theta = solve(inverse, h, z[tail:])
        sites = {"tail": z[0]} if tail else {}
        sites |= {p.name: theta[offsets[i] : offsets[i + 1]] for i, p in enumerate(parameters)}
        return sites, -log_det

    start = np.concatenate([np.full(tail, np.log(START_TAIL)), np.zeros(size)])
    return Coordinates(tail + size, to_sites, start)
