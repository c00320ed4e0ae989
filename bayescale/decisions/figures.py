"""What a candidate would show: losses and scores, given each draw of everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from bayescale.errors import SettingError
from bayescale.extrapolation.predictive import AccuracyComponents
from bayescale.forecasts.components import MixedParts, Parts
from bayescale.models.noise import score_sd
from bayescale.models.prediction import expected

RIDGE = 1e-6  # of the regression that finds the combination, relative to its mean square


class Figures(NamedTuple):
    """Figures that a candidate would show, given each draw of everything else: y = mean + loading e
    + sd z, e and z standard normal.

    Parameters
    ----------
    mean, sd
        Shape (draws, figures).
    loading
        Of the noise of each loss, which reaches the scores that go through it too: shape (draws,
        losses, figures).
    """

    mean: np.ndarray
    sd: np.ndarray
    loading: np.ndarray

    def of(self, draws: slice) -> Figures:
        """Some of the draws."""
        return Figures(*(array[draws] for array in self))


def combination(figures: Figures, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The w whose t = w y tells most of x: first principal component of the least-squares
    predictions of x, (draws, targets), from simulated figures y.

    Draws that it was found on would take its chance correlations for knowledge: weigh others.
    """
    noise = np.einsum("jlf,jl->jf", figures.loading, rng.standard_normal(figures.loading.shape[:2]))
    return most_telling(
        figures.mean + noise + figures.sd * rng.standard_normal(figures.sd.shape), x
    )


def most_telling(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The same from figures as they were drawn, y of shape (draws, figures); it rises with x of the
    first target.
    """
    scale = y.std(0) + np.finfo(float).tiny
    u, v = (y - y.mean(0)) / scale, (x - x.mean(0)) / (x.std(0) + np.finfo(float).tiny)
    w = np.linalg.solve(u.T @ u / len(u) + RIDGE * np.eye(u.shape[1]), u.T @ v / len(u))
    found = w @ np.linalg.svd(u @ w, full_matrices=False)[2][0]
    return found * np.sign(v[:, 0] @ u @ found) / scale


def condensed(figures: Figures, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of t = w y given each draw, shape (draws,) each."""
    return figures.mean @ w, np.sqrt(((figures.loading @ w) ** 2).sum(1) + figures.sd**2 @ w**2)


def figures_of_runs(parts: Parts | MixedParts, labels: Sequence[str]) -> Figures:
    """Losses and scores of runs at or below the frontier, by their names in the forecast whose
    parts these are.
    """
    members = parts.members if isinstance(parts, MixedParts) else (parts,)
    names = [key for key in members[0].loss_at if key[0] in labels]
    tasks = [key for key in members[0].accuracy_at if key[0] in labels]
    law = _chosen(
        parts,
        [
            np.stack([m.losses.law[:, s, i] for s, i in map(m.loss_at.__getitem__, names)], 1)
            for m in members
        ],
        [""] * len(names),
    )
    sd = _chosen(
        parts,
        [
            np.stack([m.losses.sd[:, s, i] for s, i in map(m.loss_at.__getitem__, names)], 1)
            for m in members
        ],
        [""] * len(names),
    )
    scores = [_scores(member, names, tasks) for member in members]
    mean, own, loading = (
        _chosen(parts, [found[k] for found in scores], [task for _, task in tasks])
        for k in range(3)
    )
    of_losses = sd[:, :, None] * np.eye(len(names))
    return Figures(
        np.hstack([law, mean]),
        np.hstack([np.zeros_like(sd), own]),
        np.concatenate([of_losses, loading], 2),
    )


def _scores(
    parts: Parts, names: Sequence[tuple[str, str]], tasks: Sequence[tuple[str, str]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and sd of each score, (draws, tasks), and what an sd of each loss's noise does to it,
    (draws, losses, tasks): slopes between one sd either way.
    """
    draws, second = len(parts.losses.law), parts.accuracies
    if second is None or not tasks:
        return np.zeros((draws, 0)), np.zeros((draws, 0)), np.zeros((draws, len(names), 0))

    def at(loss: float, score: float) -> np.ndarray:
        log_loss = parts.losses.law + loss * parts.losses.sd
        found = replace(second, noise=np.full_like(second.noise, score)).accuracy(log_loss)
        return np.stack([found[:, s, i] for s, i in map(parts.accuracy_at.__getitem__, tasks)], 1)

    place = {s: (label, name) for (label, name), (s, _) in parts.loss_at.items()}
    through = [
        names.index((label, place[int(second.via[parts.accuracy_at[label, task][0]])][1]))
        for label, task in tasks
    ]
    slope = 0.5 * (at(1.0, 0.0) - at(-1.0, 0.0))
    loading = np.zeros((draws, len(names), len(tasks)))
    loading[:, through, np.arange(len(tasks))] = slope
    return at(0.0, 0.0), 0.5 * (at(0.0, 1.0) - at(0.0, -1.0)), loading


def figures_of_items(parts: Parts | MixedParts, times: float) -> Figures:
    """Scores of every fitted run on as many further questions as make `times` the number."""
    members = parts.members if isinstance(parts, MixedParts) else (parts,)
    scores = [member.accuracies for member in members if member.accuracies is not None]
    if not scores:
        raise SettingError(
            "items of a candidate",
            rule="need a ladder with accuracies",
            got="losses alone",
            way_out="buy runs instead",
        )
    seen = np.asarray(scores[0].data.layout.seen)
    names = [
        task
        for (_, task), there in zip(scores[0].data.groups.pairs, seen, strict=True)
        for _ in range(int(there.sum()))
    ]
    found = [_scores_again(second, times) for second in scores]
    mean, sd = (_chosen(parts, [f[k][:, seen] for f in found], names) for k in (0, 1))
    return Figures(mean, sd, np.zeros((len(mean), 0, mean.shape[1])))


def joined(one: Figures, other: Figures) -> Figures:
    """Both, their noises independent."""
    apart = [
        np.zeros((len(one.mean), a.loading.shape[1], b.mean.shape[1]))
        for a, b in ((one, other), (other, one))
    ]
    loading = np.concatenate(
        [np.concatenate([one.loading, apart[0]], 2), np.concatenate([apart[1], other.loading], 2)],
        1,
    )
    return Figures(np.hstack([one.mean, other.mean]), np.hstack([one.sd, other.sd]), loading)


def _scores_again(second: AccuracyComponents, times: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of the score on the further questions of every fitted cell: shape (draws, series,
    runs).

    Other questions scatter as questions drawn anew do, sqrt(p (1 - p) / items), more than seeds do
    on the same ones; that all runs meet the same ones is left out.
    """
    data = second.data
    z = (data.through - data.centre[:, None]) / data.scale[:, None]
    items = np.broadcast_to((times - 1) * data.items[:, None], z.shape)
    mean, _ = expected(
        second.model, second.real, np.where(np.asarray(data.layout.seen), z, 0.0), items
    )
    return mean, np.asarray(score_sd(mean, items))


def _chosen(
    parts: Parts | MixedParts, each: Sequence[np.ndarray], names: Sequence[str]
) -> np.ndarray:
    """Of every draw that of its own member: `each` has (draws, ..., figures), `names` the task of
    each figure, empty for a loss.
    """
    found = np.array(each[0])
    if isinstance(parts, MixedParts):
        for f, name in enumerate(names):
            choice = parts.choice.get("", parts.choice.get(name))
            for m, of in enumerate(each):
                if choice is not None:
                    found[choice == m, ..., f] = of[choice == m, ..., f]
    return found
