"""The components of a forecast, from a fit and its targets.

Each component is drawn by itself, so any of them can be drawn again: see `shared_variance`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.data.target import Target
from bayescale.errors import DataError
from bayescale.extrapolation.discrepancy import Error, Points, law_error, link_error
from bayescale.extrapolation.predictive import (
    COMPONENTS,
    LOSS_COMPONENTS,
    AccuracyComponents,
    LossComponents,
    predict_losses,
    series_through,
)
from bayescale.fits.record import Fit
from bayescale.forecasts.placement import compute_of, factor
from bayescale.inference.posterior import real_draws
from bayescale.models.discrepancy import at_runs
from bayescale.models.inputs import AccuracyData, LossData, point
from bayescale.models.kernel import locations
from bayescale.models.laws import Point
from bayescale.runtime import random_generator, random_key

# How often the other components are drawn again for a share of the variance.
REDRAWN = 8

type Cell = tuple[str, str, str]


@dataclass(frozen=True)
class FitComponents:
    """The components of a forecast by one fit.

    Parameters
    ----------
    losses
        Components of the losses.
    accuracies
        Components of the accuracies; None without a link.
    loss_index
        (series, target) index of each (name of the target, loss name).
    accuracy_index
        (series, target) index of each (name of the target, task).
    """

    losses: LossComponents
    accuracies: AccuracyComponents | None
    loss_index: dict[tuple[str, str], tuple[int, int]]
    accuracy_index: dict[tuple[str, str], tuple[int, int]]

    def cells(self, order: Mapping[str, np.ndarray] | None) -> dict[Cell, np.ndarray]:
        """Draws of each (quantity, target, name): see `ForecastComponents.cells`."""
        log_loss = self.losses.log_loss(order)
        cells: dict[Cell, np.ndarray] = {
            ("loss", *key): np.exp(log_loss[:, s, i]) for key, (s, i) in self.loss_index.items()
        }
        if self.accuracies is not None:
            accuracy = self.accuracies.accuracy(log_loss, order)
            for key, (s, i) in self.accuracy_index.items():
                cells["accuracy", *key] = accuracy[:, s, i]
        return cells

    def scaled(self, by: float) -> FitComponents:
        """The same, with the random errors of law and link `by` times as large."""
        losses = replace(self.losses, error=by * self.losses.error)
        if self.accuracies is None:
            return replace(self, losses=losses)
        accuracies = replace(self.accuracies, error=by * self.accuracies.error)
        return replace(self, losses=losses, accuracies=accuracies)


@dataclass(frozen=True)
class ForecastComponents:
    """The components of a forecast: those of each fit, and which fit each draw comes from.

    Parameters
    ----------
    fits
        Components by each fit of a mixture, or by the single fit.
    choice
        Index of the fit of each draw, shape (draws,); None for a single fit.
    choice_is_of
        The component that the choice counts as: the law's parameters where the fits differ in
        their losses, else the link's.
    """

    fits: tuple[FitComponents, ...]
    choice: np.ndarray | None
    choice_is_of: Literal["law parameters", "link parameters"]

    def cells(self, order: Mapping[str, np.ndarray] | None) -> dict[Cell, np.ndarray]:
        """Draws of each (quantity, target, name), shape (draws,).

        Parameters
        ----------
        order
            For each component the indices of its draws, to combine draws anew; None combines equal
            indices.
        """
        each = [fit.cells(order) for fit in self.fits]
        if self.choice is None:
            return each[0]
        chosen = self.choice if order is None else self.choice[order[self.choice_is_of]]
        return {key: np.choose(chosen, [of_fit[key] for of_fit in each]) for key in each[0]}

    def scaled(self, by: float) -> ForecastComponents:
        """The same, with the random errors of law and link `by` times as large."""
        return replace(self, fits=tuple(fit.scaled(by) for fit in self.fits))


def shared_variance(
    components: ForecastComponents,
    whole: Mapping[Cell, np.ndarray],
    kept: Sequence[str],
    rng: np.random.Generator,
) -> dict[Cell, float]:
    """Var E[y | kept] of every cell: its covariance with itself when the rest is drawn again.

    Parameters
    ----------
    components
        Components of the forecast.
    whole
        Its cells, as `ForecastComponents.cells` gives them.
    kept
        Names of the components that are conditioned on.
    rng
        Source of the new orders.
    """
    n = len(next(iter(whole.values())))
    total: dict[Cell, Any] = dict.fromkeys(whole, 0.0)
    for _ in range(REDRAWN):
        order = {name: np.arange(n) if name in kept else rng.permutation(n) for name in COMPONENTS}
        for key, again in components.cells(order).items():
            product = (whole[key] - whole[key].mean()) * (again - again.mean())
            total[key] += float(np.mean(product)) / REDRAWN
    return total


def variance_shares(
    components: ForecastComponents, rng: np.random.Generator
) -> dict[Cell, dict[str, float]]:
    """sd of every cell, and the share of its variance that each component adds, in their order.

    Share_k = (Var E[y | components 1..k] - Var E[y | components 1..k-1]) / Var y. The shares of a
    cell sum to 1; a component that comes after the cell has share 0.

    Parameters
    ----------
    components
        Components of the forecast.
    rng
        Source of new orders of the draws.
    """
    whole = components.cells(None)
    shared = [
        shared_variance(components, whole, COMPONENTS[: k + 1], rng)
        for k in range(len(COMPONENTS) - 1)
    ]
    shares = {}
    for cell, draws in whole.items():
        if np.isnan(draws).all():
            continue
        total = float(draws.var())
        own = LOSS_COMPONENTS if cell[0] == "loss" else COMPONENTS
        explained = [table[cell] for table in shared[: len(own) - 1]]
        rising = np.clip(np.maximum.accumulate([0.0, *explained, total]), 0.0, total)
        added = np.diff(rising) / total if total > 0 else np.eye(len(own))[0]
        after = [0.0] * (len(COMPONENTS) - len(own))
        columns = dict(zip(COMPONENTS, [*added, *after], strict=True))
        shares[cell] = {"sd": total**0.5, **columns}
    return shares


def make_components(
    fit: Fit, targets: Sequence[Target], corpora: Sequence[str], seed: int
) -> ForecastComponents:
    """Draws of every component for some targets, each trained on its corpus.

    Parameters
    ----------
    fit
        A fit, or a mixture of fits.
    targets
        The targets.
    corpora
        The corpus of each target.
    seed
        Seed of the noise, the discrepancy and the choice of a fit.
    """
    draws = fit.sampler.chains * fit.sampler.draws
    choice = None
    if fit.is_mixture:
        weights = fit.weights["weight"].to_numpy()
        rng = random_generator(seed, "components")
        choice = rng.choice(len(weights), draws, p=weights / weights.sum())
    fits = tuple(_of_one_fit(one, targets, corpora, seed) for one in fit.components)
    one_law = all(np.array_equal(one.losses.law, fits[0].losses.law) for one in fits)
    return ForecastComponents(fits, choice, "link parameters" if one_law else "law parameters")


def _of_one_fit(
    fit: Fit, targets: Sequence[Target], corpora: Sequence[str], seed: int
) -> FitComponents:
    noise_key, shift_key, score_key = jax.random.split(random_key(seed, "forecast"), 3)
    rng = random_generator(seed, "discrepancy")
    losses = _losses(fit, targets, noise_key, shift_key, rng)
    pairs = fit.loss_data.groups.pairs
    loss_index = _index(pairs, targets, corpora)
    accuracies = _accuracies(fit, targets, losses.law.shape[0], score_key, rng)
    if accuracies is None:
        return FitComponents(losses, None, loss_index, {})
    accuracy_index = _index(accuracies.data.groups.pairs, targets, corpora)
    linked = {key: (s, i) for key, (s, i) in accuracy_index.items() if accuracies.via[s] >= 0}
    return FitComponents(losses, accuracies, loss_index, linked)


def _index(
    pairs: Sequence[tuple[str, str]], targets: Sequence[Target], corpora: Sequence[str]
) -> dict[tuple[str, str], tuple[int, int]]:
    """(series, target) index of each (name of the target, name of the series) of its corpus."""
    return {
        (target.label, name): (s, i)
        for s, (of_series, name) in enumerate(pairs)
        for i, (target, corpus) in enumerate(zip(targets, corpora, strict=True))
        if of_series == corpus
    }


def _losses(
    fit: Fit,
    targets: Sequence[Target],
    noise_key: jax.Array,
    shift_key: jax.Array,
    rng: np.random.Generator,
) -> LossComponents:
    data = fit.loss_data
    series = data.groups.series
    real, shape = real_draws(
        fit.posteriors.loss.draws, fit.loss_model, data.groups.names, "loss_name"
    )
    draws = shape[0] * shape[1]
    points = _points(data, fit.law.name, targets)
    x = jax.tree.map(lambda v: np.broadcast_to(v, (series, len(targets))), points)
    sd_of_shift = np.array([target.shift or 0.0 for target in targets])
    log_factor = log_factors(fit, data, targets)
    error = None
    if fit.loss_error is not None:
        of_task = np.array([data.groups.kinds[k] == "task" for k in data.groups.kind])
        places = _places(targets, log_factor)
        error = law_error(fit.loss_error, data.terms, places, of_task=of_task, rng=rng)
    return predict_losses(
        fit.loss_model,
        real,
        x,
        log_factor,
        error=error,
        noise_key=noise_key,
        shift=sd_of_shift * np.asarray(jax.random.normal(shift_key, (draws, len(targets)))),
    )


def _places(targets: Sequence[Target], log_factor: np.ndarray) -> Points:
    """Where the targets lie, for the errors of law and link."""
    params, tokens = (
        np.array([getattr(target, name) for target in targets]) for name in ("params", "tokens")
    )
    return Points(locations(params, tokens), np.maximum(log_factor, 0.0))


def _accuracies(
    fit: Fit,
    targets: Sequence[Target],
    draws: int,
    noise_key: jax.Array,
    rng: np.random.Generator,
) -> AccuracyComponents | None:
    data, model = fit.accuracy_data, fit.accuracy_model
    found = fit.posteriors.accuracy
    if data is None or model is None or found is None:
        return None
    series = data.groups.series
    real, _ = real_draws(found.draws, model, data.groups.names, "task")
    noise = np.asarray(jax.random.normal(noise_key, (draws, series, len(targets))))
    known = fit.accuracy_error
    error = Error(np.zeros_like(noise), np.zeros_like(noise))
    of_fitted = np.zeros((draws, *data.through.shape))
    if known is not None:
        places = _places(targets, log_factors(fit, data, targets))
        error = link_error(known, data.terms, places, rng)
        of_fitted = np.asarray(at_runs(jnp.asarray(data.layout.basis), jnp.asarray(known.drawn)))
    return AccuracyComponents(
        model=model,
        real=real,
        data=data,
        via=series_through(fit.loss_data.groups, data),
        known=error.known,
        error=error.random,
        noise=noise,
        of_fitted=of_fitted,
    )


def log_factors(fit: Fit, data: LossData | AccuracyData, targets: Sequence[Target]) -> np.ndarray:
    """ln(C* / Cmax), Cmax the largest compute of each series: shape (series, targets)."""
    runs, measured = fit.ladder.runs, fit.loss_data.compute_is_measured
    seen = np.asarray(data.layout.seen)
    of_series = [
        runs.loc[np.unique(names[cells])] for names, cells in zip(data.runs, seen, strict=True)
    ]
    return np.log([[factor(t, series, measured) for t in targets] for series in of_series])


def _points(data: LossData, law: str, targets: Sequence[Target]) -> Point:
    """The targets as points of the law, fields of shape (targets,)."""
    unmeasured = [target.label for target in targets if target.flops is None]
    if law == "compute" and data.compute_is_measured and unmeasured:
        raise DataError(
            f"flops of target {unmeasured[0]!r}",
            rule="must be given where law compute was fitted on measured FLOPs",
            got="none",
            way_out="give flops=, or fit a ladder without a flops column",
        )
    params = np.array([target.params for target in targets])
    tokens = np.array([target.tokens for target in targets])
    flops = np.array([compute_of(target, data.compute_is_measured) for target in targets])
    unique = np.array([target.unique_tokens or target.tokens for target in targets])
    return point(params, tokens, flops, data.reference, unique)
