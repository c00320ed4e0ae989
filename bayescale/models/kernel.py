"""The correlation of a law's error between two runs, and the few terms that carry it.

    k(x, x') = m(|x - x'| / 4) + s^2 m(|ln N - ln N'| / 0.5),    x = (ln N, ln D)
    m(d) = (1 + r + r^2 / 3) e^-r,  r = sqrt(5) d                            (Matern-5/2)

The first part is smooth in size and tokens. The second is what the runs of one size have in common:
whole sizes of public sweeps lie off their law together. The page on discrepancy in the docs says
where the lengths come from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Length of the smooth part, in e-folds of N and of D.
LENGTH = 4.0
# Length of the part of a size in e-folds of N, and its sd s in units of the smooth part's.
SIZE_LENGTH = 0.5
SIZE_SD = 0.25
# Largest share of the variance at a fitted run that the terms may leave out.
LEFT_OUT = 0.001


class Terms(NamedTuple):
    """phi(x) = k(x, X) U w^(-1/2): functions with phi(x) phi(x')' nearly k(x, x').

    U w U' = k(X, X) has as many columns as leave out less than `LEFT_OUT` at every x of X.

    Parameters
    ----------
    x
        X, the points of the fitted runs, shape (points, 2).
    root
        U w^(-1/2), shape (points, terms).
    """

    x: np.ndarray
    root: np.ndarray

    def at(self, x: np.ndarray) -> np.ndarray:
        """phi at some points (..., 2), shape (..., terms)."""
        return kernel(x, self.x) @ self.root

    def at_cells(self, x: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """phi at the cells of series by runs (series, runs, 2), as in `Layout.basis`."""
        column = x[seen.argmax(0), np.arange(x.shape[1])]
        alike = np.isclose(x, column) | ~seen[..., None]
        return self.at(column if alike.all() else x)

    def left_out(self, x: np.ndarray) -> np.ndarray:
        """k(x, x') - phi(x) phi(x')', shape (points, points): what no term carries."""
        phi = self.at(x)
        return kernel(x, x) - phi @ phi.T


def locations(params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """x = (ln N, ln D), shape (..., 2)."""
    return np.stack([np.log(params), np.log(tokens)], -1)


def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """k between every point of `a` (..., 2) and every point of `b` (points, 2)."""
    difference = a[..., None, :] - b
    smooth = _matern(np.sqrt((difference**2).sum(-1)) / LENGTH)
    return smooth + SIZE_SD**2 * _matern(np.abs(difference[..., 0]) / SIZE_LENGTH)


def _matern(distance: np.ndarray) -> np.ndarray:
    r = np.sqrt(5.0) * distance
    return (1 + r + r**2 / 3) * np.exp(-r)


def make_terms(x: np.ndarray) -> Terms:
    """The terms of some points (points, 2); points that come more than once count once."""
    points = np.unique(x.round(6), axis=0)
    w, U = np.linalg.eigh(kernel(points, points))
    w, U = w[::-1], U[:, ::-1]
    carried = np.cumsum(U**2 * np.maximum(w, 0.0), 1)
    variance = 1 + SIZE_SD**2
    enough = carried.min(0) >= (1 - LEFT_OUT) * variance
    count = int(np.argmax(enough)) + 1 if enough.any() else len(w)
    return Terms(points, U[:, :count] / np.sqrt(w[:count]))
