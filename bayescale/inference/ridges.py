"""Ridges, made straight: curves along which the runs of a series do not determine the parameters.

Equation numbers, such as (S15), are from docs/mathematics.md, section "The sampler and its
coordinates".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.models.laws import Point
from bayescale.models.noise import WIDENING
from bayescale.models.parameters import Parameter
from bayescale.models.series import SeriesModel
from bayescale.models.traces import keep_records, kept


@keep_records
class Tangent(NamedTuple):
    """The point at which the ridge of each series is straightened, and the ridge's tangent there.

    Parameters
    ----------
    at
        The point: real values of the parameters of the curve, shape (series, parameters).
    centre
        The curve's argument x at the mean of the runs: a pytree of arrays of shape (series,).
    value
        Real values, at that point, of the parameters that lie on the ridge: shape
        (series, parameters on the ridge).
    slope
        Derivatives of `value` by the parameters of the curve: shape
        (series, parameters on the ridge, parameters).
    """

    at: jax.Array
    centre: Any
    value: jax.Array
    slope: jax.Array


def tangent(model: SeriesModel, curve: Sequence[Parameter]) -> Callable[[np.ndarray, Any], Tangent]:
    """The function that finds the tangent of each series' ridge, (at, centre) -> Tangent.

    `at` (series, parameters) are real values and `centre` is x at the mean of the runs of each
    series, as in `Tangent`.
    """

    def one(at: jax.Array, centre: Any) -> Tangent:
        def value(theta: jax.Array) -> tuple[jax.Array, jax.Array]:
            on_ridge = _on_ridge(model, curve, theta, at, centre)
            return on_ridge, on_ridge

        slope, at_value = jax.jacfwd(value, has_aux=True)(at)
        return Tangent(at, centre, at_value, slope)

    return kept(jax.vmap(one), "tangent", model)


def curvature(
    model: SeriesModel, curve: Sequence[Parameter], theta: jax.Array, ridge: Tangent
) -> jax.Array:
    """c(theta), the ridge less its tangent at theta, for each parameter on the ridge, (S15).

    The straight coordinate of such a parameter is its real value less c. No parameter on the ridge
    enters c, so this change of coordinates has determinant 1.

    Parameters
    ----------
    model
        The model, whose law or link gives the ridge.
    curve
        The parameters of the curve in the order of `parameter_order`.
    theta
        Real values, shape (..., parameters); parameters on the ridge are not used.
    ridge
        The tangent, of one series or of as many as theta has.

    Returns
    -------
    jax.Array
        Shape (..., parameters on the ridge); they are the first ones of `curve`.
    """
    straight = ridge.value + jnp.sum(ridge.slope * (theta - ridge.at)[..., None, :], -1)
    return _on_ridge(model, curve, theta, ridge.at, ridge.centre) - straight


def _on_ridge(
    model: SeriesModel, curve: Sequence[Parameter], theta: jax.Array, at: jax.Array, centre: Any
) -> jax.Array:
    """Real values that put the parameters on the ridge through `at`, given the others in theta."""
    mode = _natural(curve, at)
    values = model.ridge(_natural(curve, theta), mode, centre)
    if not values:
        return jnp.zeros((*theta.shape[:-1], 0))
    return jnp.stack([p.transform.inv(values[p.name]) for p in curve[: len(values)]], -1)


def _natural(curve: Sequence[Parameter], theta: jax.Array) -> dict[str, jax.Array]:
    """Natural values by name, from real values (..., parameters)."""
    return {p.name: p.transform(theta[..., i]) for i, p in enumerate(curve)}


def parameter_order(model: SeriesModel) -> list[Parameter]:
    """The parameters of the curve, those that lie on a ridge first."""
    others = [*noise_parameters(model), *amplitude_of(model)]
    curve = [p for p in model.pooling.parameters if p not in others]
    by_name = {p.name: p for p in curve}
    half = {p.name: 0.5 for p in curve}
    on_ridge = jax.eval_shape(model.ridge, half, half, Point(0.0, 0.0, 0.0, 0.0))
    first = [by_name.pop(name) for name in on_ridge]
    return [*first, *by_name.values()]


def noise_parameters(model: SeriesModel) -> list[Parameter]:
    """The parameters that set the size of the noise of each series, its scale last.

    The size of the discrepancy is among them, unless series that differ in all else share it.
    """
    pooling = model.pooling
    names = [WIDENING.name, model.scale_name]
    names += [p.name for p in amplitude_of(model) if not is_common(model, p)]
    return [p for p in pooling.parameters if p.name in names]


def amplitude_of(model: SeriesModel) -> list[Parameter]:
    """The size of the discrepancy; none where the curve is true."""
    return [p for p in model.pooling.parameters if p.name == model.amplitude]


def is_common(model: SeriesModel, p: Parameter) -> bool:
    """Whether series that differ in other parameters share this one."""
    return model.pooling.mode != "complete" and model.pooling.shared(p)
