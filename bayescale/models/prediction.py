"""Expectation and noise of a model at points that nobody has observed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.models.layout import Layout
from bayescale.models.series import SeriesModel

type Real = Mapping[str, jax.Array]
EDGE = 1e-12  # shares of 0 and 1 have no logit


def expected(
    model: SeriesModel, real: Real, x: Any, items: np.ndarray, lag: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of y, (draws, series, points) each; x holds arrays of shape (series, points);
    `lag` as in `Layout`, None for the dearest run's noise.
    """
    return jax.tree.map(
        np.asarray, _expected(model, dict(real), *jax.tree.map(jnp.asarray, (x, items, lag)))
    )


@partial(jax.jit, static_argnums=0)
def _expected(
    model: SeriesModel, real: Real, x: Any, items: jax.Array, lag: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    return jax.vmap(lambda one: model.expectation(one, unobserved(x, items)._replace(lag=lag)))(
        real
    )


def standard_noise(
    model: SeriesModel, tail: jax.Array | None, shape: tuple[int, ...], key: jax.Array
) -> np.ndarray:
    """Noise of y in units of its scale, (draws, series, points); each draw by its own degrees of
    freedom where there are such.
    """
    log_df = None if tail is None else tail[:, None, None]
    return np.asarray(model.scatter(jnp.zeros(shape), jnp.ones(shape), log_df).sample(key))


def unobserved(x: Any, items: jax.Array) -> Layout:
    """Cells whose outcome nobody knows yet; their noise is that of the dearest run."""
    return Layout(jnp.zeros(items.shape), jnp.zeros(items.shape, bool), x, items)


def asymptotes(model: SeriesModel, real: Real) -> tuple[jax.Array, jax.Array]:
    """`lo` and `hi` of every series, shape (series, 1): the link's parameters of those names, 0 and
    1 where it has none.
    """
    values = {
        p.name: p.transform(real[p.name])[:, None]
        for p in model.pooling.parameters
        if p.name in ("lo", "hi")
    }
    nothing = jnp.zeros_like(next(iter(real.values())))[:, None]
    return values.get("lo", nothing), values.get("hi", nothing + 1.0)


def bent_accuracy(accuracy: jax.Array, lo: jax.Array, hi: jax.Array, bend: jax.Array) -> jax.Array:
    """The accuracy whose logit between its asymptotes is larger by `bend`."""
    share = jnp.clip((accuracy - lo) / (hi - lo), EDGE, 1 - EDGE)
    return jnp.where(
        bend == 0,
        jnp.clip(accuracy, 0.0, 1.0),
        lo + (hi - lo) * jax.nn.sigmoid(jnp.log(share) - jnp.log1p(-share) + bend),
    )
