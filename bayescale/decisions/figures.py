"""What a candidate would show: losses and scores, given each draw of everything else.

The many figures of a candidate are condensed to the one linear combination that tells most of the
targets. So the weights of the draws, given an outcome, stay even. The figures that are thrown away
make the value of the candidate no larger than it is (Bayes linear: Goldstein and Wooff 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from bayescale.errors import SettingError
from bayescale.extrapolation.predictive import AccuracyComponents, shifted_scores
from bayescale.forecasts.components import FitComponents
from bayescale.models.noise import score_sd

# Ridge of the regression that finds the combination, relative to its mean square.
RIDGE = 1e-6


class Figures(NamedTuple):
    """y = mean + loading e + sd z, e and z ~ Normal(0, 1): figures given each draw of the rest.

    Parameters
    ----------
    mean
        Expectation of each figure, shape (draws, figures).
    sd
        Standard deviation of a figure's own noise, shape (draws, figures).
    loading
        Effect of the noise of each loss, which reaches the scores that go through it too: shape
        (draws, losses, figures).
    """

    mean: np.ndarray
    sd: np.ndarray
    loading: np.ndarray

    def of(self, draws: slice) -> Figures:
        """The figures of some of the draws."""
        return Figures(*(array[draws] for array in self))


def combination(figures: Figures, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """w such that t = w y tells most of x, from simulated figures y: see `most_telling`.

    Use w on other draws. On the draws that it was found on, it would take chance correlations for
    knowledge.

    Parameters
    ----------
    figures
        Figures given each draw.
    x
        What is to be told, shape (draws, targets).
    rng
        Source of the noise of the figures.
    """
    e = rng.standard_normal(figures.loading.shape[:2])
    noise = np.einsum("jlf,jl->jf", figures.loading, e)
    own_noise = figures.sd * rng.standard_normal(figures.sd.shape)
    return most_telling(figures.mean + noise + own_noise, x)


def most_telling(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """w such that t = w y is the first principal component of the least-squares predictions of x.

    t rises with x of the first target.

    Parameters
    ----------
    y
        Figures as they were drawn, shape (draws, figures).
    x
        What is to be told, shape (draws, targets).
    """
    tiny = np.finfo(float).tiny
    scale = y.std(0) + tiny
    u = (y - y.mean(0)) / scale
    v = (x - x.mean(0)) / (x.std(0) + tiny)
    ridge = RIDGE * np.eye(u.shape[1])
    coefficients = np.linalg.solve(u.T @ u / len(u) + ridge, u.T @ v / len(u))
    component = np.linalg.svd(u @ coefficients, full_matrices=False)[2][0]
    w = coefficients @ component
    return w * np.sign(v[:, 0] @ u @ w) / scale


def condensed(figures: Figures, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of t = w y given each draw, shape (draws,) each."""
    variance = ((figures.loading @ w) ** 2).sum(1) + figures.sd**2 @ w**2
    return figures.mean @ w, np.sqrt(variance)


def figures_of_runs(components: FitComponents, labels: Sequence[str]) -> Figures:
    """Losses and scores of runs, given each draw of everything but their noise.

    Parameters
    ----------
    components
        Components of a forecast of these runs.
    labels
        Names of the runs in that forecast.
    """
    losses = [key for key in components.loss_index if key[0] in labels]
    scores = [key for key in components.accuracy_index if key[0] in labels]
    index = [components.loss_index[key] for key in losses]
    expected_loss, sd = (
        np.stack([values[:, s, i] for s, i in index], 1)
        for values in (components.losses.without_noise(), components.losses.sd)
    )
    mean, own, loading = _scores(components, losses, scores)
    own_loading = sd[:, :, None] * np.eye(len(losses))
    return Figures(
        mean=np.hstack([expected_loss, mean]),
        sd=np.hstack([np.zeros_like(sd), own]),
        loading=np.concatenate([own_loading, loading], 2),
    )


def _scores(
    fit: FitComponents, losses: Sequence[tuple[str, str]], scores: Sequence[tuple[str, str]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and sd of each score, and the effect of the noise of each loss on it.

    Shapes (draws, scores), (draws, scores) and (draws, losses, scores). Effects are slopes between
    one sd to either side.
    """
    draws = len(fit.losses.law)
    accuracies = fit.accuracies
    loading = np.zeros((draws, len(losses), len(scores)))
    if accuracies is None or not scores:
        return np.zeros((draws, 0)), np.zeros((draws, 0)), loading[:, :, :0]
    index = [fit.accuracy_index[key] for key in scores]

    def at(loss_noise: float, score_noise: float) -> np.ndarray:
        log_loss = fit.losses.without_noise() + loss_noise * fit.losses.sd
        same = replace(accuracies, noise=np.full_like(accuracies.noise, score_noise))
        accuracy = same.accuracy(log_loss)
        return np.stack([accuracy[:, s, i] for s, i in index], 1)

    loss_name_of = {s: name for (_, name), (s, _) in fit.loss_index.items()}
    via = [
        losses.index((label, loss_name_of[int(accuracies.via[s])]))
        for (label, _), (s, _) in zip(scores, index, strict=True)
    ]
    loading[:, via, np.arange(len(scores))] = 0.5 * (at(1.0, 0.0) - at(-1.0, 0.0))
    return at(0.0, 0.0), 0.5 * (at(0.0, 1.0) - at(0.0, -1.0)), loading


def figures_of_items(components: FitComponents, times: float) -> Figures:
    """Scores of every fitted run on further items, `times` as many in all.

    Raises
    ------
    SettingError
        For a ladder without accuracies.
    """
    accuracies = components.accuracies
    if accuracies is None:
        raise SettingError(
            "items of a candidate",
            rule="need a ladder with accuracies",
            got="losses alone",
            way_out="buy runs instead",
        )
    seen = np.asarray(accuracies.data.layout.seen)
    mean, sd = (scores[:, seen] for scores in _further_scores(accuracies, times))
    return Figures(mean, sd, np.zeros((len(mean), 0, mean.shape[1])))


def _further_scores(accuracies: AccuracyComponents, times: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of the score on the further items of every cell, shape (draws, series, runs).

    Other items scatter as items drawn anew do, sqrt(p (1 - p) / items). That is more than seeds
    scatter on the same items. That all runs meet the same further items is left out.
    """
    data = accuracies.data
    z = (data.through - data.centre[:, None]) / data.scale[:, None]
    z = np.where(np.asarray(data.layout.seen), z, 0.0)
    items = np.broadcast_to((times - 1) * data.items[:, None], z.shape)
    error = accuracies.of_fitted
    at = np.broadcast_to(z, error.shape)
    model, real = accuracies.model, accuracies.real
    mean = shifted_scores(model, real, at, error, np.zeros_like(error), items=items)
    return np.asarray(mean), np.asarray(score_sd(mean, items))


def joined(one: Figures, other: Figures) -> Figures:
    """The figures of both, with independent noise."""
    draws = len(one.mean)
    above = np.zeros((draws, one.loading.shape[1], other.mean.shape[1]))
    below = np.zeros((draws, other.loading.shape[1], one.mean.shape[1]))
    top = np.concatenate([one.loading, above], 2)
    bottom = np.concatenate([below, other.loading], 2)
    return Figures(
        mean=np.hstack([one.mean, other.mean]),
        sd=np.hstack([one.sd, other.sd]),
        loading=np.concatenate([top, bottom], 1),
    )
