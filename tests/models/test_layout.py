"""The rectangle of one stage: cells that fill it up count for nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayescale.models.layout import Layout
from helpers.densities import numpyro_log_density, prior_draw
from helpers.layouts import ONE_FACTOR, loss_layout, make_case

CASES = ["one factor", "reruns", "discrepancy in common", "link logistic, discrepancy"]


@pytest.mark.parametrize("case", CASES)
def test_unseen_cells_change_no_density(case: str) -> None:
    model, layout = make_case(case)
    sites = prior_draw(model, layout, 0)
    wide = layout.wider(layout.seen.shape[1] + 3, 5)
    assert wide.seen.shape == (layout.seen.shape[0], layout.seen.shape[1] + 3)
    assert numpyro_log_density(model, wide, sites) == pytest.approx(
        numpyro_log_density(model, layout, sites), rel=1e-12
    )


def test_a_wider_layout_keeps_its_cells_and_sees_no_new_one() -> None:
    layout = loss_layout(ONE_FACTOR)._replace(first=jnp.asarray([[0, 0, 2, 2, 4, 5]] * 3))
    wide = layout.wider(9, 0)
    assert int(np.sum(wide.seen)) == int(np.sum(layout.seen))
    for old, new in zip(jax.tree.leaves(layout), jax.tree.leaves(wide), strict=True):
        np.testing.assert_array_equal(new[:, :6], old)
    assert (wide.group_of_cell[:, 6:] == [6, 7, 8]).all(), "each new cell stands alone"
    assert np.isfinite(wide.y).all(), "a masked cell still enters the gradient"


def test_cells_stand_alone_unless_grouped() -> None:
    layout: Layout = loss_layout(ONE_FACTOR)
    np.testing.assert_array_equal(layout.group_of_cell, [np.arange(6)] * 3)
    first = np.array([[0, 0, 2, 2, 4, 5]] * 3)
    np.testing.assert_array_equal(layout._replace(first=first).group_of_cell, first)
