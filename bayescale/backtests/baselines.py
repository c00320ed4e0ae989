"""What a forecast has to beat on the same split: the papers' point fits with a residual bootstrap,
and the largest run as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescale.data.target import Target
from bayescale.errors import FitError
from bayescale.forecasts.placement import compute_of
from bayescale.models.inputs import AccuracyData, LossData
from bayescale.point_fits.bhagia2024 import ladder_compute, ladder_link, ladder_loss
from bayescale.point_fits.gadre2024 import gadre_error, gadre_loss
from bayescale.point_fits.solver import Problem, bootstrap, solve

RESAMPLED = 100
type Draws = dict[tuple[str, str, str], np.ndarray]


def largest_run(
    losses: LossData,
    accuracies: AccuracyData | None,
    targets: Sequence[Target],
    corpora: Sequence[str],
) -> Draws:
    """The figure of each series' dearest run, one draw a (quantity, target, name)."""
    found: Draws = {}
    for quantity, data in (("loss", losses), ("accuracy", accuracies)):
        if data is None:
            continue
        y = np.exp(data.layout.y) if quantity == "loss" else np.asarray(data.layout.y)
        for corpus, name, seen, values, flops in _series(data, y):
            last = values[seen][np.argmax(flops[seen])]
            found |= {
                (quantity, t.label, name): np.array([last])
                for t, c in zip(targets, corpora, strict=True)
                if c == corpus
            }
    return found


def point_fits(
    law: str,
    losses: LossData,
    accuracies: AccuracyData | None,
    targets: Sequence[Target],
    corpora: Sequence[str],
    rng: np.random.Generator,
) -> tuple[Draws, list[str]]:
    """Each series by itself, as the papers fit it, with the residuals drawn anew; and the series
    whose fit did not converge.

    The loss by Gadre et al.'s law where `law` is ``gadre``, by compute alone where it is
    ``compute``, else by Bhagia et al.'s first step; the accuracy by the same paper's link, at the
    losses of the same draw.
    """
    found: Draws = {}
    failed: list[str] = []
    for s, (corpus, name, seen, _, _) in enumerate(_series(losses, np.asarray(losses.layout.y))):
        mine = [t for t, c in zip(targets, corpora, strict=True) if c == corpus]
        runs = pd.DataFrame(
            {k: getattr(losses, k)[s][seen] for k in ("params", "tokens", "flops")}
            | {"loss": np.exp(losses.layout.y[s])[seen]}
        )
        ahead = pd.DataFrame(
            {"params": [t.params for t in mine], "tokens": [t.tokens for t in mine]}
        )
        ahead["flops"] = [compute_of(t, losses.compute_is_measured) for t in mine]
        problem, at = _loss_problem(law, runs, ahead)
        try:
            drawn = bootstrap(solve(problem), at, RESAMPLED, rng)
        except FitError:
            failed.append(f"{corpus}: {name}")
            continue
        found |= {("loss", t.label, name): drawn[:, i] for i, t in enumerate(mine)}
    if accuracies is not None:
        _point_links(law, accuracies, targets, corpora, rng, found, failed)
    return found, failed


def _loss_problem(law: str, runs: pd.DataFrame, ahead: pd.DataFrame) -> tuple[Problem, object]:
    columns = {k: runs[k].to_numpy() for k in runs}
    N, D, C = (ahead[k].to_numpy() for k in ("params", "tokens", "flops"))
    if law == "gadre":
        return gadre_loss(
            columns["params"], columns["tokens"] / columns["params"], columns["loss"]
        ), (N, D / N)
    if law == "compute":
        return ladder_compute(columns["flops"], columns["loss"]), C
    return ladder_loss(columns["params"], columns["tokens"], columns["loss"]), (N, D)


def _point_links(
    law: str,
    data: AccuracyData,
    targets: Sequence[Target],
    corpora: Sequence[str],
    rng: np.random.Generator,
    found: Draws,
    failed: list[str],
) -> None:
    for s, (corpus, name, seen, values, _) in enumerate(_series(data, np.asarray(data.layout.y))):
        mine = [
            t
            for t, c in zip(targets, corpora, strict=True)
            if c == corpus and ("loss", t.label, data.via[s]) in found
        ]
        if not mine:
            continue
        loss, accuracy = data.through[s][seen], values[seen]
        problem = (
            gadre_error(loss, 1 - accuracy)
            if law == "gadre"
            else ladder_link(loss, accuracy, float(data.chance[s]))
        )
        at = np.stack([found["loss", t.label, data.via[s]] for t in mine], 1)
        try:
            drawn = bootstrap(solve(problem), at, RESAMPLED, rng)
        except FitError:
            failed.append(f"{corpus}: {name}")
            continue
        for i, t in enumerate(mine):
            found["accuracy", t.label, name] = np.clip(
                1 - drawn[:, i] if law == "gadre" else drawn[:, i], 0.0, 1.0
            )


def _series(
    data: LossData | AccuracyData, y: np.ndarray
) -> list[tuple[str, str, np.ndarray, np.ndarray, np.ndarray]]:
    """Corpus, name, seen cells, figures and compute of each series."""
    f = data.groups
    seen = np.asarray(data.layout.seen)
    return [
        (corpus, name, seen[s], y[s], data.flops[s]) for s, (corpus, name) in enumerate(f.pairs)
    ]
