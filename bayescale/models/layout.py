"""The data of one stage as a rectangle of series by runs."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np


class Blocks(NamedTuple):
    """x of a link that sees blocks of a run's checkpoints: the standardised loss, and its deviation
    from that of the run's last block.
    """

    z: jax.Array
    deviation: jax.Array


class Layout(NamedTuple):
    """The data of one step, a rectangle of series by runs.

    Parameters
    ----------
    y
        ln loss, or accuracy: shape (series, runs).
    seen
        False where a series has no such run; y is then not used.
    x
        Whatever the curve takes for one point: a pytree of arrays of shape (series, runs).
    items
        Number of questions, shape (series, runs); ones for losses.
    first
        Index of the first cell of the group that each cell belongs to, shape (series, runs), cells
        of a group side by side; None where all stand alone. Cells of a group have part of their
        noise in common: reruns of a configuration, blocks of a run's checkpoints.
    lag
        ln(Cmax / C) of each cell, shape (series, runs), where noise grows with it; None where it
        does not.
    """

    y: jax.Array
    seen: jax.Array
    x: Any
    items: jax.Array
    first: jax.Array | None = None
    lag: jax.Array | None = None

    @property
    def group_of_cell(self) -> np.ndarray:
        """`first`, or each cell's own index where all stand alone: shape (series, runs)."""
        return (
            np.broadcast_to(np.arange(self.seen.shape[1]), self.seen.shape)
            if self.first is None
            else np.asarray(self.first)
        )

    def wider(self, width: int) -> Layout:
        """The same cells and as many unseen ones as make `width` of them."""
        more = ((0, 0), (0, width - self.seen.shape[1]))
        if not more[1][1]:
            return self
        y, x, items, lag = jax.tree.map(
            lambda v: np.pad(np.asarray(v), more, mode="edge"),
            (self.y, self.x, self.items, self.lag),
        )
        alone = np.broadcast_to(np.arange(width), (len(y), width))
        first = (
            None
            if self.first is None
            else np.concatenate([np.asarray(self.first), alone[:, self.seen.shape[1] :]], 1)
        )
        return Layout(y, np.pad(np.asarray(self.seen), more), x, items, first, lag)
