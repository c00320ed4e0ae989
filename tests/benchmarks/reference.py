"""Fixed work that tells how fast a machine is: 480 nonlinear least-squares fits by SciPy."""

import time

import numpy as np
from scipy.optimize import least_squares

FITS = 480


def reference_seconds() -> float:
    """Seconds that the fixed work takes here: the unit of the benchmarks."""
    rng = np.random.default_rng(0)
    n = np.tile(np.log([0.38, 0.74, 1.5, 2.6]), 4)
    d = np.repeat(np.log([0.1, 0.2, 0.5, 1.0]), 4)

    def loss(p: np.ndarray) -> np.ndarray:
        return np.log(p[4] + np.exp(p[0] - p[2] * n) + np.exp(p[1] - p[3] * d))

    began = time.perf_counter()
    for _ in range(FITS):
        y = np.log(0.5 + 0.2 * np.exp(-0.4 * n) + 0.2 * np.exp(-0.3 * d))
        y += 0.01 * rng.standard_normal(16)
        least_squares(
            lambda p, y=y: loss(p) - y,
            [-1.5, -1.5, 0.3, 0.3, 0.4],
            bounds=([-9, -9, 0.01, 0.01, 0.01], [3, 3, 3, 3, 3]),
        )
    return time.perf_counter() - began
