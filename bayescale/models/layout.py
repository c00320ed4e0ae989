"""The data of one stage as a rectangle of series by runs."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from bayescale.models.traces import keep_records

# Draws that are described or conditioned at once, and numbers that these may take: all draws would
# take gigabytes, and a few megabytes stay in the processor's cache.
MAX_BATCH = 100
MAX_BATCH_NUMBERS = 2**18


@keep_records
class Blocks(NamedTuple):
    """x of a link that is fitted on blocks of a run's checkpoints.

    Parameters
    ----------
    z
        The standardised loss of each block, shape (series, blocks).
    deviation
        The standardised loss minus that of the run's last block, shape (series, blocks).
    """

    z: jax.Array
    deviation: jax.Array


@keep_records
class Layout(NamedTuple):
    """The data of one stage, a rectangle of series by runs.

    A cell is one run of one series (or one block of a run's checkpoints). The cells of a group
    have part of their noise in common: reruns of a configuration, blocks of a run.

    Parameters
    ----------
    y
        ln loss, or accuracy, shape (series, runs).
    seen
        Whether the series has such a run, shape (series, runs); where False, y is not used.
    x
        What the law or the link takes for one point: a pytree of arrays of shape (series, runs).
    items
        Number of questions, shape (series, runs); ones for losses.
    first
        Index of the first cell of each cell's group, shape (series, runs); the cells of a group are
        side by side. None where every cell is a group of its own.
    lag
        ln(Cmax / C) of each cell, e-folds of compute below the largest run, shape (series, runs).
        None where noise does not depend on it.
    basis
        The terms of the discrepancy at each cell (see `bayescale.models.kernel`): shape
        (runs, terms) where they are the same for all series, else (series, runs, terms). The cells
        of a group have the same terms. None where there is no discrepancy.
    """

    y: jax.Array
    seen: jax.Array
    x: Any
    items: jax.Array
    first: jax.Array | None = None
    lag: jax.Array | None = None
    basis: jax.Array | None = None

    @property
    def group_of_cell(self) -> np.ndarray:
        """Index of the first cell of each cell's group, shape (series, runs), as an array."""
        if self.first is None:
            return np.broadcast_to(np.arange(self.seen.shape[1]), self.seen.shape)
        return np.asarray(self.first)

    @property
    def batch(self) -> int:
        """Number of draws of the parameters for which something is computed at once."""
        if self.basis is None:
            return MAX_BATCH
        series, terms = self.seen.shape[0], self.basis.shape[-1]
        return min(MAX_BATCH, max(1, MAX_BATCH_NUMBERS // max(self.basis.size, series * terms**2)))

    def wider(self, width: int, terms: int) -> Layout:
        """The same cells, then unseen ones up to a width, and more terms, which are 0.

        Parameters
        ----------
        width
            Number of cells per series, at least the present one.
        terms
            Number of terms of the discrepancy, at least the present one; not used without them.
        """
        present = self.seen.shape[1]
        added = ((0, 0), (0, width - present))
        y, x, items, lag = jax.tree.map(
            lambda v: np.pad(np.asarray(v), added, mode="edge"),
            (self.y, self.x, self.items, self.lag),
        )
        first = None
        if self.first is not None:
            # Each added cell is a group of its own.
            alone = np.broadcast_to(np.arange(present, width), (len(y), width - present))
            first = np.concatenate([np.asarray(self.first), alone], 1)
        basis = self.basis
        if basis is not None:
            more = ((0, width - present), (0, terms - basis.shape[-1]))
            basis = np.pad(np.asarray(basis), ((0, 0), *more) if basis.ndim == 3 else more)
        seen = np.pad(np.asarray(self.seen), added)
        return Layout(y=y, seen=seen, x=x, items=items, first=first, lag=lag, basis=basis)
