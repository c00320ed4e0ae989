"""Law, discrepancy, noise and link chained: draws of a loss, then draws of an accuracy.

Each component of a forecast is drawn by itself, so any of them can be drawn again or scaled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.extrapolation.discrepancy import Error
from bayescale.models.inputs import AccuracyData
from bayescale.models.laws import Point
from bayescale.models.pooling import Groups
from bayescale.models.prediction import (
    Real,
    expected,
    shifted_accuracy,
    standard_noise,
    unobserved,
)
from bayescale.models.series import SeriesModel, asymptotes
from bayescale.models.traces import kept

type Order = Mapping[str, np.ndarray]
LOSS_COMPONENTS = ("law parameters", "discrepancy", "run-to-run noise")
COMPONENTS = (*LOSS_COMPONENTS, "link parameters", "link discrepancy", "scoring noise")


@dataclass(frozen=True)
class LossComponents:
    """ln L* = law + error + sd noise + shift, for every draw, series and target.

    Parameters
    ----------
    law
        ln f at the target, with the mean of its error given the data: shape
        (draws, series, targets).
    sd
        Standard deviation of the noise of one run: shape (draws, series, targets).
    error
        The rest of the law's error, of the same shape.
    noise
        Noise of each run in units of `sd`: shape (draws, series, targets).
    shift
        Extra error of log loss that a target asks for, common to its losses: shape
        (draws, targets).
    """

    law: np.ndarray
    sd: np.ndarray
    error: np.ndarray
    noise: np.ndarray
    shift: np.ndarray

    def without_noise(self, order: Order | None = None) -> np.ndarray:
        """ln L* but for the noise of the run, shape (draws, series, targets)."""
        law, error, _ = _chosen(order, LOSS_COMPONENTS)
        return self.law[law] + self.error[error] + self.shift[error][:, None, :]

    def log_loss(self, order: Order | None = None) -> np.ndarray:
        """ln L*, shape (draws, series, targets).

        Parameters
        ----------
        order
            For each component the indices of its draws, to combine draws anew; None combines
            equal indices.
        """
        law, _, noise = _chosen(order, LOSS_COMPONENTS)
        return self.without_noise(order) + self.sd[law] * self.noise[noise]


@dataclass(frozen=True)
class AccuracyComponents:
    """logit((link(L*) - lo) / (hi - lo)) + known + error, as an accuracy, + noise, cut to [0, 1].

    Parameters
    ----------
    model
        Model of the link, for a finished run.
    real
        Parameters of the link on the real line: arrays of shape (draws, series), by name.
    data
        Accuracies that the link was fitted on.
    via
        Index of the loss series that each series goes through, -1 where the law has no such loss:
        shape (series,).
    known
        Mean of the link's error given the data, in logits: shape (draws, series, targets).
    error
        The rest of it, of the same shape.
    noise
        Noise of each score in units of its standard deviation: shape (draws, series, targets).
    of_fitted
        The error in logits at the runs that the link was fitted on: shape (draws, series, runs).
    """

    model: SeriesModel
    real: Real
    data: AccuracyData
    via: np.ndarray
    known: np.ndarray
    error: np.ndarray
    noise: np.ndarray
    of_fitted: np.ndarray

    @cached_property
    def items(self) -> np.ndarray:
        """Number of items behind each score, shape (series, targets)."""
        return np.broadcast_to(self.data.items[:, None], self.noise.shape[1:])

    def accuracy(self, log_loss: np.ndarray, order: Order | None = None) -> np.ndarray:
        """Accuracies, shape (draws, series, targets); nan where the law has no loss to go through.

        Parameters
        ----------
        log_loss
            ln L* of the same draws, shape (draws, loss series, targets).
        order
            As in `LossComponents.log_loss`.
        """
        link, error, noise = _chosen(order, COMPONENTS[len(LOSS_COMPONENTS) :])
        z = (np.exp(log_loss[:, self.via]) - self.data.centre[:, None]) / self.data.scale[:, None]
        real = {name: values[link] for name, values in self.real.items()}
        total = self.known[link] + self.error[error]
        drawn = shifted_scores(self.model, real, z, total, self.noise[noise], items=self.items)
        return np.where(self.via[:, None] >= 0, np.asarray(drawn), np.nan)


def _chosen(order: Order | None, names: Sequence[str]) -> tuple[np.ndarray | slice, ...]:
    """The draws of each component."""
    return tuple(slice(None) if order is None else order[name] for name in names)


def predict_losses(
    model: SeriesModel,
    real: Real,
    x: Point,
    log_factor: np.ndarray,
    *,
    error: Error | None,
    noise_key: jax.Array,
    shift: np.ndarray | None = None,
) -> LossComponents:
    """Draws of every component of ln L* at points that have no observation.

    Parameters
    ----------
    model
        Model of the law.
    real
        Parameters on the real line: arrays of shape (draws, series), by name; ``tail`` holds the
        logarithm of the degrees of freedom, shape (draws,), where the noise is Student-t.
    x
        The points, fields of shape (series, points).
    log_factor
        ln(C* / Cmax), negative inside the ladder, where noise may be larger: shape
        (series, points).
    error
        The law's error at the points; None where the law is true.
    noise_key
        Random key of the noise.
    shift
        Extra error of log loss, shape (draws, points); None for 0.
    """
    lag = np.maximum(-log_factor, 0.0)
    law, sd = expected(model, real, x, np.ones(log_factor.shape), lag)
    noise = standard_noise(model, real.get("tail"), law.shape, noise_key)
    extra = np.zeros((len(law), law.shape[2])) if shift is None else shift
    if error is None:
        return LossComponents(law, sd, np.zeros_like(law), noise, extra)
    return LossComponents(law + error.known, sd, error.random, noise, extra)


def series_through(losses: Groups, data: AccuracyData) -> np.ndarray:
    """Index of the loss series that each accuracy series goes through; -1 where there is none."""
    index_of = {pair: s for s, pair in enumerate(losses.pairs)}
    pairs = [(corpus, name) for (corpus, _), name in zip(data.groups.pairs, data.via, strict=True)]
    return np.array([index_of.get(pair, -1) for pair in pairs])


def shifted_scores(
    model: SeriesModel,
    real: Real,
    z: jax.Array,
    error: jax.Array,
    noise: jax.Array,
    *,
    items: jax.Array,
) -> jax.Array:
    """Accuracies of a link with an error in logits and noise, shape (draws, series, points).

    Parameters
    ----------
    model
        Model of the link.
    real
        Its parameters on the real line, arrays of shape (draws, series).
    z
        Standardised losses, shape (draws, series, points).
    error
        Error of the link in logits, of the same shape.
    noise
        Noise in units of its standard deviation, of the same shape.
    items
        Number of questions, shape (series, points).
    """

    def one(
        real: Real, z: jax.Array, error: jax.Array, noise: jax.Array, items: jax.Array
    ) -> jax.Array:
        mean, _ = model.expectation(real, unobserved(z, items))
        values = model.pooling.values(real)
        lo, hi = (end[:, None] for end in asymptotes(values))
        shifted = shifted_accuracy(mean, lo, hi, error)
        scale = values[model.scale_name][:, None]
        return jnp.clip(shifted + scale * model.unit_sd(shifted, items) * noise, 0.0, 1.0)

    of_draws = jax.vmap(one, in_axes=(0, 0, 0, 0, None))
    program = kept(of_draws, "shifted scores", model.without_priors)
    return program(*jax.tree.map(jnp.asarray, (dict(real), z, error, noise, items)))
