"""The parts of a forecast, from a fit and its targets: each is drawn by itself, so that any of them
can be drawn anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import numpy as np

from bayescale.data.target import Target
from bayescale.errors import DataError
from bayescale.extrapolation.predictive import (
    COMPONENTS,
    AccuracyComponents,
    LossComponents,
    series_through,
)
from bayescale.fits.record import Fit
from bayescale.forecasts.placement import compute_of, factor
from bayescale.inference.posterior import real_draws
from bayescale.models.inputs import AccuracyData, LossData, point
from bayescale.models.laws import Point
from bayescale.models.prediction import expected, standard_noise
from bayescale.models.series import accuracy_model, loss_model
from bayescale.runtime import STREAMS, random_key

REDRAWN = 8  # times that the other parts are drawn anew for a share of the variance


@dataclass(frozen=True)
class Parts:
    """What a forecast is put together from.

    Parameters
    ----------
    losses, accuracies
        The parts of each; `accuracies` is None where there is no link.
    loss_at, accuracy_at
        (series, target) of each (target's name, loss name or task).
    """

    losses: LossComponents
    accuracies: AccuracyComponents | None
    loss_at: dict[tuple[str, str], tuple[int, int]]
    accuracy_at: dict[tuple[str, str], tuple[int, int]]

    def cells(
        self, order: Mapping[str, np.ndarray] | None
    ) -> dict[tuple[str, str, str], np.ndarray]:
        """Draws of each (quantity, target, name), shape (draws,); `order` says which draw of each
        part goes with which.
        """
        log_loss = self.losses.log_loss(order)
        found = {("loss", *key): np.exp(log_loss[:, s, i]) for key, (s, i) in self.loss_at.items()}
        if self.accuracies is not None:
            accuracy = self.accuracies.accuracy(log_loss, order)
            found |= {
                ("accuracy", *key): accuracy[:, s, i] for key, (s, i) in self.accuracy_at.items()
            }
        return found

    def scaled(self, by: float) -> Parts:
        """The same, the errors of law and link beyond the ladder so many times as large."""
        accuracies = (
            None
            if self.accuracies is None
            else replace(self.accuracies, bend=by * self.accuracies.bend)
        )
        return replace(
            self, losses=replace(self.losses, drift=by * self.losses.drift), accuracies=accuracies
        )


@dataclass(frozen=True)
class MixedParts:
    """A mixture, one member chosen for each draw by their weights.

    Parameters
    ----------
    members
        The parts of each.
    choice
        Index of the member of each draw, shape (draws,), by task; under an empty name that of every
        cell, losses included.
    part
        What the choice is a part of: of the law's parameters where members differ in their losses,
        else of the link's.
    """

    members: tuple[Parts, ...]
    choice: dict[str, np.ndarray]
    part: Literal["law parameters", "link parameters"]

    def cells(
        self, order: Mapping[str, np.ndarray] | None
    ) -> dict[tuple[str, str, str], np.ndarray]:
        """As `Parts.cells`."""
        each = [member.cells(order) for member in self.members]
        found = dict(each[0])
        for key in found:
            choice = self.choice.get("", self.choice.get(key[2]))
            if choice is not None:
                choice = choice if order is None else choice[order[self.part]]
                found[key] = np.choose(choice, [cells[key] for cells in each])
        return found

    def scaled(self, by: float) -> MixedParts:
        """As `Parts.scaled`."""
        return replace(self, members=tuple(member.scaled(by) for member in self.members))


def shared_variance(
    parts: Parts | MixedParts,
    whole: Mapping[tuple[str, str, str], np.ndarray],
    kept: Sequence[str],
    rng: np.random.Generator,
) -> dict[Any, float]:
    """Covariance of every cell with itself when all parts but the `kept` ones are drawn anew, which
    is Var E[y | kept].
    """
    n = len(next(iter(whole.values())))
    total: dict[Any, float] = dict.fromkeys(whole, 0.0)
    for _ in range(REDRAWN):
        order = {part: np.arange(n) if part in kept else rng.permutation(n) for part in COMPONENTS}
        for key, again in parts.cells(order).items():
            total[key] += (
                float(np.mean((whole[key] - whole[key].mean()) * (again - again.mean()))) / REDRAWN
            )
    return total


def make_parts(
    fit: Fit, targets: Sequence[Target], corpora: Sequence[str], seed: int
) -> Parts | MixedParts:
    """Draws of every part for these targets, each trained on its corpus; where the fit is a
    mixture, of each of its members.
    """
    if not fit.members:
        return _of_one_fit(fit, targets, corpora, seed)
    rng, draws = (
        np.random.default_rng([seed, STREAMS.index("routes")]),
        fit.sampler.chains * fit.sampler.draws,
    )
    choice = {
        str(task): rng.choice(len(of), draws, p=of["weight"] / of["weight"].sum())
        for task, of in fit.weights.groupby("task", sort=False)
    }
    parts = tuple(_of_one_fit(member, targets, corpora, seed) for member in fit.members)
    one_law = all(np.array_equal(part.losses.law, parts[0].losses.law) for part in parts)
    return MixedParts(parts, choice, "link parameters" if one_law else "law parameters")


def _of_one_fit(fit: Fit, targets: Sequence[Target], corpora: Sequence[str], seed: int) -> Parts:
    losses, accuracies = fit.loss_data, fit.accuracy_data
    keys = jax.random.split(random_key(seed, "forecast"), 3)
    rng = np.random.default_rng([seed, STREAMS.index("discrepancy")])
    labels = [t.label for t in targets]
    model = loss_model(
        fit.law,
        losses.groups,
        pooling=fit.pooling,
        noise=fit.noise,
        widening=losses.layout.lag is not None,
    )
    real, shape = real_draws(fit.losses, model, losses.groups.names, "loss_name")
    draws, f = shape[0] * shape[1], losses.groups
    at = jax.tree.map(
        lambda v: np.broadcast_to(v, (f.series, len(targets))),
        _points(losses, fit.law.name, targets),
    )
    log_factor = log_factors(fit, losses, targets)
    lag = None if losses.layout.lag is None else np.maximum(-log_factor, 0.0)
    law, sd = expected(model, real, at, np.ones((f.series, len(targets))), lag)
    shift = np.array([t.shift or 0.0 for t in targets]) * np.asarray(
        jax.random.normal(keys[1], (draws, len(targets)))
    )
    drift = fit.discrepancy.draw("loss", f.series, rng, draws)
    noise = standard_noise(model, real.get("tail"), law.shape, keys[0])
    parts = LossComponents(law, sd, drift, np.maximum(log_factor, 0.0), noise, shift)
    loss_at = {
        (labels[i], name): (s, i)
        for s, (of, name) in enumerate(f.pairs)
        for i, corpus in enumerate(corpora)
        if of == corpus
    }
    if accuracies is None or fit.accuracies is None or fit.link is None:
        return Parts(parts, None, loss_at, {})
    g = accuracies.groups
    linked = accuracy_model(fit.link, g, pooling=fit.pooling)
    link_real, _ = real_draws(fit.accuracies, linked, g.names, "task")
    via = series_through(f, accuracies)
    bend = fit.discrepancy.draw("accuracy", g.series, rng, draws)
    score_noise = np.asarray(jax.random.normal(keys[2], (draws, g.series, len(targets))))
    second = AccuracyComponents(
        linked,
        link_real,
        accuracies,
        via,
        bend,
        np.maximum(log_factors(fit, accuracies, targets), 0.0),
        score_noise,
    )
    accuracy_at = {
        (labels[i], task): (s, i)
        for s, (of, task) in enumerate(g.pairs)
        for i, corpus in enumerate(corpora)
        if of == corpus and via[s] >= 0
    }
    return Parts(parts, second, loss_at, accuracy_at)


def log_factors(fit: Fit, data: LossData | AccuracyData, targets: Sequence[Target]) -> np.ndarray:
    """ln(C* / Cmax) of each target, Cmax that of the dearest run which the step has seen in each
    series: shape (series, targets).
    """
    seen, runs, measured = (
        np.asarray(data.layout.seen),
        fit.ladder.runs,
        fit.loss_data.compute_is_measured,
    )
    of_series = [
        runs.loc[np.unique(names[there])] for names, there in zip(data.runs, seen, strict=True)
    ]
    return np.log([[factor(t, of, measured) for t in targets] for of in of_series])


def _points(data: LossData, law: str, targets: Sequence[Target]) -> Point:
    unmeasured = [t.label for t in targets if t.flops is None]
    if law == "compute" and data.compute_is_measured and unmeasured:
        raise DataError(
            f"flops of target {unmeasured[0]!r}",
            rule="must be given where law compute was fitted on measured FLOPs",
            got="none",
            way_out="give flops=, or fit a ladder without a flops column",
        )
    params, tokens = (np.array([getattr(t, k) for t in targets]) for k in ("params", "tokens"))
    flops = np.array([compute_of(t, data.compute_is_measured) for t in targets])
    return point(
        params,
        tokens,
        flops,
        data.reference,
        np.array([t.unique_tokens or t.tokens for t in targets]),
    )
