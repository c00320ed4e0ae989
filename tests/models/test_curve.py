"""Ridges: exponents that keep the slope of a curve when its scale moves."""

import jax.numpy as jnp
import numpy as np
import pytest

from bayescale.models.curve import same_slope
from bayescale.models.laws import LAWS, Point


@pytest.mark.parametrize("place", [-4.0, -1.0, -0.1])
@pytest.mark.parametrize("scale", [0.5, 0.9, 1.0, 1.1, 2.0])
def test_the_slope_of_the_scaled_term_is_kept(place: float, scale: float) -> None:
    exponent = 0.37
    found = float(same_slope(jnp.asarray(exponent), jnp.asarray(scale), jnp.asarray(place)))
    kept = exponent * np.exp(-exponent * place)
    # two steps of Newton's method: good to 1 % at twice the scale, and exact at the mode
    assert scale * found * np.exp(-found * place) == pytest.approx(kept, rel=0.01)
    assert scale != 1.0 or found == pytest.approx(exponent, rel=1e-12)


def test_a_centre_beyond_the_reference_counts_as_there() -> None:
    exponent, scale = jnp.asarray(0.37), jnp.asarray(1.3)
    beyond, there = (same_slope(exponent, scale, jnp.asarray(t)) for t in (0.7, 0.0))
    assert float(beyond) == float(there) == pytest.approx(0.37 / 1.3)


@pytest.mark.parametrize("law", sorted(LAWS))
def test_no_ridge_depends_on_the_exponents_that_it_gives(law: str) -> None:
    """Otherwise the change of coordinates would have a Jacobian of its own."""
    names = [p.name for p in LAWS[law].parameters]
    at = {name: jnp.asarray(0.3 + 0.05 * i) for i, name in enumerate(names)}
    x = Point(*(jnp.asarray(v) for v in (-1.0, -0.5, -1.5, -1.0)))
    away = {name: value + 0.1 for name, value in at.items()}
    ridge = LAWS[law].ridge(away, at, x)
    assert ridge, "each law has one"
    moved = {name: value + (0.2 if name in ridge else 0.0) for name, value in away.items()}
    for name, value in LAWS[law].ridge(moved, at, x).items():
        assert float(value) == float(ridge[name])
    back = LAWS[law].ridge(at, at, x)
    for name, value in back.items():
        assert float(value) == pytest.approx(float(at[name]), rel=1e-9), "through the mode itself"
