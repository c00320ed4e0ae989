"""Law, discrepancy, noise and link chained: draws of a loss, then draws of an accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.models.inputs import AccuracyData
from bayescale.models.pooling import Groups
from bayescale.models.prediction import Real, asymptotes, bent_accuracy, unobserved
from bayescale.models.series import SeriesModel

type Order = Mapping[str, np.ndarray]
LOSS_COMPONENTS = ("law parameters", "discrepancy", "run-to-run noise")
COMPONENTS = (*LOSS_COMPONENTS, "link parameters", "link discrepancy", "scoring noise")


@dataclass(frozen=True)
class LossComponents:
    """ln L* = law - efolds drift + sd noise + shift, for every draw, series and target.

    Parameters
    ----------
    law, sd
        ln f and the noise scale, shape (draws, series, targets).
    drift
        The law's error an e-fold of compute, shape (draws, series).
    efolds
        max(0, ln(C* / Cmax)) of each target, Cmax that of the dearest run of the series: shape
        (series, targets).
    noise
        Of each run in units of sd, shape (draws, series, targets).
    shift
        What a target asks for besides, shape (draws, targets): common to its losses.
    """

    law: np.ndarray
    sd: np.ndarray
    drift: np.ndarray
    efolds: np.ndarray
    noise: np.ndarray
    shift: np.ndarray

    def log_loss(self, order: Order | None = None) -> np.ndarray:
        """(draws, series, targets); `order` says which draw of each part goes with which, the same
        for all where it is None.
        """
        law, drift, noise = (
            slice(None) if order is None else order[part] for part in LOSS_COMPONENTS
        )
        error = self.efolds * self.drift[drift][:, :, None] - self.shift[drift][:, None, :]
        return self.law[law] - error + self.sd[law] * self.noise[noise]


@dataclass(frozen=True)
class AccuracyComponents:
    """logit((link(L*) - lo) / (hi - lo)) + efolds bend, back to an accuracy, + noise of the score,
    cut off at 0 and 1.

    Parameters
    ----------
    model
        The link's.
    real
        Its parameters on the real line, shape (draws, series).
    data
        What it was fitted on.
    via
        Series of the losses that each series goes through; -1 where the law has no such loss.
    bend
        The link's error an e-fold of compute, in logits, shape (draws, series).
    efolds
        max(0, ln(C* / Cmax)) of each target, Cmax that of the dearest run which the link of the
        series saw: shape (series, targets).
    noise
        Of each score in units of its sd, shape (draws, series, targets).
    """

    model: SeriesModel
    real: Real
    data: AccuracyData
    via: np.ndarray
    bend: np.ndarray
    efolds: np.ndarray
    noise: np.ndarray

    @cached_property
    def items(self) -> np.ndarray:
        """Questions of each (series, target)."""
        return np.broadcast_to(self.data.items[:, None], self.noise.shape[1:])

    def accuracy(self, log_loss: np.ndarray, order: Order | None = None) -> np.ndarray:
        """(draws, series, targets) from the losses of the same draws; nan where there is no loss to
        go through.
        """
        link, bend, noise = (
            slice(None) if order is None else order[part]
            for part in COMPONENTS[len(LOSS_COMPONENTS) :]
        )
        z = (np.exp(log_loss[:, self.via]) - self.data.centre[:, None]) / self.data.scale[:, None]
        real = {name: v[link] for name, v in self.real.items()}
        drawn = _accuracy(
            self.model,
            real,
            z,
            self.efolds * self.bend[bend][:, :, None],
            self.noise[noise],
            self.items,
        )
        return np.where(self.via[:, None] >= 0, np.asarray(drawn), np.nan)


def series_through(losses: Groups, data: AccuracyData) -> np.ndarray:
    """Index of the loss series that each series of accuracies is linked through, -1 where the law
    has none.
    """
    at = {pair: s for s, pair in enumerate(losses.pairs)}
    return np.array(
        [
            at.get((corpus, name), -1)
            for (corpus, _), name in zip(data.groups.pairs, data.via, strict=True)
        ]
    )


@partial(jax.jit, static_argnums=0)
def _accuracy(
    model: SeriesModel,
    real: Real,
    z: jax.Array,
    bend: jax.Array,
    noise: jax.Array,
    items: jax.Array,
) -> jax.Array:
    def one(real: Real, z: jax.Array, bend: jax.Array, noise: jax.Array) -> jax.Array:
        mean, _ = model.expectation(real, unobserved(z, items))
        lo, hi = asymptotes(model, real)
        bent = bent_accuracy(mean, lo, hi, bend)
        scale = {p.name: p.transform(real[p.name]) for p in model.pooling.parameters}[
            model.scale_name
        ][:, None]
        return jnp.clip(bent + scale * model.unit_sd(bent, items) * noise, 0.0, 1.0)

    return jax.vmap(one)(real, z, bend, noise)
