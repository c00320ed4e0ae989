"""Expectation and noise of a model at points that have not been observed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.models.layout import Layout
from bayescale.models.series import SeriesModel
from bayescale.models.traces import kept

# Parameters on the real line, by name: one draw, shape (series,), or many, shape (draws, series).
type Real = Mapping[str, jax.Array]
# Shares are kept this far from 0 and 1, which have no logit.
EDGE = 1e-12


def expected(
    model: SeriesModel, real: Real, x: Any, items: np.ndarray, lag: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of y for each draw, series and point.

    Parameters
    ----------
    model
        The model of the losses or of the accuracies.
    real
        Draws of its parameters on the real line, by name, shape (draws, series).
    x
        The points, arrays of shape (series, points), as in `Layout`.
    items
        Number of questions, shape (series, points); ones for losses.
    lag
        e-folds of compute below the largest run, shape (series, points); None for the noise of the
        largest run.

    Returns
    -------
    mean : ndarray
        Expectation of ln loss or accuracy, shape (draws, series, points).
    sd : ndarray
        Standard deviation of the noise, of the same shape.
    """
    arrays = jax.tree.map(jnp.asarray, (x, items, lag))
    program = kept(partial(_expected, model), "expected", model.without_priors)
    return jax.tree.map(np.asarray, program(dict(real), *arrays))


def _expected(
    model: SeriesModel, real: Real, x: Any, items: jax.Array, lag: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """`expected` of arrays."""
    layout = unobserved(x, items)._replace(lag=lag)
    return jax.vmap(lambda draw: model.expectation(draw, layout))(real)


def standard_noise(
    model: SeriesModel, tail: jax.Array | None, shape: tuple[int, ...], key: jax.Array
) -> np.ndarray:
    """Noise of y in units of its standard deviation.

    Parameters
    ----------
    model
        The model, which knows the distribution of the noise.
    tail
        ln of the degrees of freedom of each draw, shape (draws,), for noise `student_t`; None for
        another noise.
    shape
        (draws, series, points).
    key
        A JAX random key.

    Returns
    -------
    ndarray
        Random numbers of that shape.
    """
    log_df = None if tail is None else tail[:, None, None]
    return np.asarray(model.scatter(jnp.zeros(shape), jnp.ones(shape), log_df).sample(key))


def unobserved(x: Any, items: jax.Array) -> Layout:
    """The layout of cells whose y is not known; their noise is that of the largest run.

    Parameters
    ----------
    x
        The points, arrays of shape (series, points), as in `Layout`.
    items
        Number of questions, shape (series, points); ones for losses.
    """
    return Layout(jnp.zeros(items.shape), jnp.zeros(items.shape, bool), x, items)


def shifted_accuracy(
    accuracy: jax.Array, lo: jax.Array, hi: jax.Array, shift: jax.Array
) -> jax.Array:
    """The accuracy whose logit between lo and hi is larger by a shift.

    Parameters
    ----------
    accuracy
        Accuracies that a link gives.
    lo, hi
        The link's asymptotes.
    shift
        What is added to logit((accuracy - lo) / (hi - lo)). Where it is 0, the accuracy stays, kept
        within 0 and 1.

    Returns
    -------
    Array
        Accuracies, of the shape to which all four arguments broadcast.
    """
    share = jnp.clip((accuracy - lo) / (hi - lo), EDGE, 1 - EDGE)
    return jnp.where(
        shift == 0,
        jnp.clip(accuracy, 0.0, 1.0),
        lo + (hi - lo) * jax.nn.sigmoid(jnp.log(share) - jnp.log1p(-share) + shift),
    )
