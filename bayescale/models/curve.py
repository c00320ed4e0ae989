"""Ridges: curves in the parameters along which the runs fit equally well.

The sampler straightens a ridge; no result depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

# Natural values of the parameters of a law or a link, by name.
type Values = Mapping[str, jax.Array]
# (values, values at a mode, point) -> the values of some parameters on the ridge through the mode.
type Ridge = Callable[[Values, Values, Any], dict[str, jax.Array]]


def same_slope(exponent: jax.Array, scale: jax.Array, place: jax.Array) -> jax.Array:
    """The e that solves scale e exp(-e t) = exponent exp(-exponent t), t the place.

    Two steps of Newton's method on ln e - e t, which is concave and increasing where t < 0, as it
    is at the centre of the runs.

    Parameters
    ----------
    exponent
        The exponent at the mode.
    scale
        By how much the term of the law is larger than at the mode.
    place
        n, d or c of the point (see `Point`); positive places count as 0.

    Returns
    -------
    Array
        The exponent with which the term, scaled, has the slope that it has at the mode.
    """
    lever = jnp.maximum(-place, 0.0)
    total = jnp.log(exponent) + lever * exponent - jnp.log(scale)
    log_e = jnp.log(exponent) - jnp.log(scale) / (1 + lever * exponent)
    for _ in range(2):
        e = jnp.exp(log_e)
        log_e = log_e - (log_e + lever * e - total) / (1 + lever * e)
    return jnp.exp(log_e)
