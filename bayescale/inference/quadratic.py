"""The log likelihood of each series near its mode, at any scale of its noise and its discrepancy.

Equation numbers, such as (S1), are from docs/mathematics.md, section "The sampler and its
coordinates".
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.inference.ridges import Tangent
from bayescale.models.traces import keep_records

# Grid of ln(lambda / sigma): from a discrepancy far below the noise to one far above it.
LOG_RATIOS = np.linspace(-4.0, 5.0, 37)
# Weight of the prior in the provisional noise scale, in runs: five runs cannot tell the noise scale
# from four parameters.
NOISE_PRIOR_WEIGHT = 4.0


class NoiseScale(NamedTuple):
    """What gives the provisional noise scale: its prior median, and the number of runs."""

    median2: np.ndarray
    runs: np.ndarray

    def variance(self, r: np.ndarray) -> np.ndarray:
        """Provisional squared noise scale of each series from residuals, (S2)."""
        return self.of_squares((r**2).sum(1))

    def of_squares(self, total: np.ndarray) -> np.ndarray:
        """The same from the sum of their squares."""
        return (total + NOISE_PRIOR_WEIGHT * self.median2) / (self.runs + NOISE_PRIOR_WEIGHT)


@keep_records
class Removed(NamedTuple):
    """What the discrepancy takes from F and h, by its eigenvectors, (S20).

    Parameters
    ----------
    strength
        Eigenvalues e of B'B, B the terms in units of the noise at scales 1: shape (series, terms).
    F
        P_j P_j' of each eigenvector q_j, P_j = J'B q_j: shape (series, terms, k, k).
    h
        P_j (B q_j)'(J theta - r): shape (series, terms, k).
    """

    strength: jax.Array
    F: jax.Array
    h: jax.Array


@keep_records
class Quadratic(NamedTuple):
    """-1/2 theta' F theta + h' theta: the log likelihood of each series near its mode.

    Parameters
    ----------
    F
        Gauss-Newton information on the parameters of the curve at noise scale 1 and without a
        discrepancy: shape (series, parameters, parameters).
    h
        F theta-hat, written so that a singular F does no harm: shape (series, parameters).
    removed
        What the discrepancy takes away; None where the curve is true.
    log_scale, log_amplitude
        Logarithms of the provisional scales of noise and discrepancy: shape (series,).
    noise_information, noise_h
        F and h for the parameters of the noise, in the order of `noise_parameters`: shapes
        (series, k, k) and (series, k).
    weight
        Weight of each series in the location of its population, for each parameter of the curve:
        shape (series, parameters).
    repeats
        Share of the cells that are not the first of their group: shape (series,); zero where every
        cell stands alone.
    ridge
        The ridge of each series, by its tangent.
    """

    F: jax.Array
    h: jax.Array
    removed: Removed | None
    log_scale: jax.Array
    log_amplitude: jax.Array
    noise_information: jax.Array
    noise_h: jax.Array
    weight: jax.Array
    repeats: jax.Array
    ridge: Tangent

    def at(
        self, log_scale: jax.Array, log_amplitude: jax.Array | None
    ) -> tuple[jax.Array, jax.Array]:
        """F and h at some scales of noise and discrepancy, (S20).

        Parameters
        ----------
        log_scale
            ln sigma of each series.
        log_amplitude
            ln lambda of each series; not used where the curve is true.
        """
        F, h = self.F, self.h
        if self.removed is not None and log_amplitude is not None:
            ratio2 = jnp.exp(2 * (log_amplitude - log_scale))[:, None]
            gain = ratio2 / (1 + ratio2 * self.removed.strength)
            F = F - jnp.sum(gain[..., None, None] * self.removed.F, 1)
            h = h - jnp.sum(gain[..., None] * self.removed.h, 1)
        precision = jnp.exp(-2 * log_scale)[:, None]
        return F * precision[..., None], h * precision


class Linear(NamedTuple):
    """Residuals of each series and what they are linear in, in units of the noise at scale 1.

    Parameters
    ----------
    r
        Residuals, shape (series, runs).
    J
        Their derivatives by the parameters of the curve, shape (series, runs, parameters).
    B
        Terms of the discrepancy at scale 1, shape (series, runs, terms).
    real
        Real values of the parameters, shape (series, parameters).
    """

    r: np.ndarray
    J: np.ndarray
    B: np.ndarray
    real: np.ndarray


def whitener(B: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """(I + ratio^2 B B')^(-1/2), shape (series, runs, runs): it makes residuals independent."""
    X, s, _ = np.linalg.svd(B, full_matrices=False)
    shrunk = 1 - 1 / np.sqrt(1 + (ratio[:, None] * s) ** 2)
    return np.eye(B.shape[1]) - (X * shrunk[:, None, :]) @ X.mT


def removed_by(at: Linear, theta: np.ndarray) -> Removed:
    """The parts of F and h that a discrepancy takes, at the mode `theta`, (S20)."""
    strength, Q = np.linalg.eigh(at.B.mT @ at.B)
    BQ = at.B @ Q
    P = BQ.mT @ at.J
    target = np.einsum("srk,sk->sr", at.J, theta) - at.r
    p = np.einsum("srj,sr->sj", BQ, target)
    outer = P[..., :, None] * P[..., None, :]
    return Removed(np.maximum(strength, 0.0), outer, P * p[..., None])


def probable_ratio(
    at: Linear,
    *,
    prior_precision: np.ndarray,
    scale2: np.ndarray,
    noise: NoiseScale,
    amplitude: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """The most probable lambda / sigma of each series on a grid, theta and sigma maximised over.

    The likelihood is the restricted one, in which theta is integrated out, (S21).

    Parameters
    ----------
    at
        The series at their modes.
    prior_precision
        Precision of the prior of the parameters of the curve, shape (series, parameters).
    scale2
        Provisional squared noise scale, shape (series,).
    noise
        What gives the provisional noise scale.
    amplitude
        Mean and sd of ln lambda by its prior, shape (series,) each.
    """
    loc, sd = amplitude
    weight = noise.runs + NOISE_PRIOR_WEIGHT
    X, s, _ = np.linalg.svd(at.B, full_matrices=False)
    ridge = (prior_precision * scale2[:, None])[..., None] * np.eye(at.J.shape[2])
    costs = []
    for ratio2 in np.exp(2 * LOG_RATIOS):
        factor = 1 + ratio2 * s**2
        white = np.eye(at.B.shape[1]) - (X * (1 - factor**-0.5)[:, None, :]) @ X.mT
        r = np.einsum("sij,sj->si", white, at.r)
        J = white @ at.J
        information = J.mT @ J + ridge
        pull = np.einsum("srk,sr->sk", J, r)
        left = (r**2).sum(1) - (pull * np.linalg.solve(information, pull[..., None])[..., 0]).sum(1)
        variance = noise.of_squares(np.maximum(left, 0.0))
        z = (0.5 * np.log(ratio2 * variance) - loc) / sd
        costs.append(
            0.5 * weight * np.log(variance)
            + 0.5 * np.log(factor).sum(1)
            + 0.5 * np.linalg.slogdet(information / scale2[:, None, None])[1]
            + 0.5 * z**2
        )
    return np.exp(LOG_RATIOS[np.argmin(costs, 0)])


def noise_information(
    at: Linear,
    *,
    prior_precision: np.ndarray,
    scale2: np.ndarray,
    ratio: np.ndarray | None,
    slopes: list[np.ndarray],
    amplitude_at: int | None,
) -> np.ndarray:
    """Information on ln sd of noise and discrepancy, 2 tr(P D_a P D_b), (S7).

    P = V^-1 - V^-1 J (J' V^-1 J + prior)^-1 J' V^-1, and D_a is half the derivative of V by the
    logarithm of the scale a.

    Parameters
    ----------
    at
        The series at their modes.
    prior_precision, scale2
        As in `probable_ratio`.
    ratio
        lambda / sigma of each series; None where the curve is true.
    slopes
        Derivatives of ln sd of each run by each parameter of the noise alone.
    amplitude_at
        Place of the discrepancy among the parameters; None where it is not one of them.
    """
    size = at.r.shape[1]
    V = np.broadcast_to(np.eye(size), (len(at.r), size, size))
    D = [slope[:, :, None] * np.eye(size) for slope in slopes]
    if ratio is not None:
        of_terms = ratio[:, None, None] ** 2 * at.B @ at.B.mT
        V = V + of_terms
        if amplitude_at is not None:
            D.insert(amplitude_at, of_terms)
    inverse = np.linalg.inv(V)
    VJ = inverse @ at.J
    ridge = (prior_precision * scale2[:, None])[..., None] * np.eye(at.J.shape[2])
    P = inverse - VJ @ np.linalg.solve(at.J.mT @ VJ + ridge, VJ.mT)
    PD = [P @ one for one in D]
    return np.array([[2 * np.einsum("sij,sji->s", a, b) for b in PD] for a in PD]).transpose(
        2, 0, 1
    )
