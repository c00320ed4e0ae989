"""What a forecast has to beat on the same split of the runs.

Two baselines: the papers' point fits with a residual bootstrap, and the figures of the largest run
taken as they stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from bayescale.data.target import Target
from bayescale.errors import FitError
from bayescale.forecasts.components import Cell
from bayescale.forecasts.placement import compute_of
from bayescale.models.inputs import AccuracyData, LossData
from bayescale.point_fits.bhagia2024 import bhagia_compute, bhagia_link, bhagia_loss
from bayescale.point_fits.gadre2024 import gadre_error, gadre_loss
from bayescale.point_fits.solver import Problem, bootstrap, solve

# refits of each bootstrap
RESAMPLED = 100

# draws by (quantity, label of the target, name of the loss or task)
type Draws = dict[Cell, np.ndarray]


class _SeriesRuns(NamedTuple):
    """The runs of one series, and the cells of the data that hold them.

    `seen` has one value per cell, `figures` and `flops` one per run. A figure is a loss (not its
    logarithm) or an accuracy.
    """

    corpus: str
    name: str
    seen: np.ndarray
    figures: np.ndarray
    flops: np.ndarray


def largest_run_draws(
    losses: LossData,
    accuracies: AccuracyData | None,
    targets: Sequence[Target],
    corpora: Sequence[str],
) -> Draws:
    """The figure of the run with the largest compute in each series, as a single draw.

    Parameters
    ----------
    losses
        The losses of the fitted runs.
    accuracies
        The accuracies of the fitted runs; None where the ladder has none.
    targets
        The runs to forecast.
    corpora
        The corpus of each target, in the order of the targets.

    Returns
    -------
    dict
        For each (quantity, target, name) an array of one figure; the quantity is ``loss`` or
        ``accuracy``.
    """
    series_of = {"loss": _loss_series(losses)}
    if accuracies is not None:
        series_of["accuracy"] = _accuracy_series(accuracies)
    targets_on = _by_corpus(targets, corpora)
    draws: Draws = {}
    for quantity, all_series in series_of.items():
        for series in all_series:
            figure = series.figures[np.argmax(series.flops)]
            for target in targets_on.get(series.corpus, []):
                draws[quantity, target.label, series.name] = np.array([figure])
    return draws


def point_fit_draws(
    law: str,
    losses: LossData,
    accuracies: AccuracyData | None,
    targets: Sequence[Target],
    corpora: Sequence[str],
    *,
    rng: np.random.Generator,
) -> tuple[Draws, list[str]]:
    """Draws by the residual bootstrap from the papers' point fits, each series fitted by itself.

    The loss follows the law of Gadre et al. if `law` is ``gadre``, step 1 of Bhagia et al. on
    compute if it is ``compute``, and otherwise their step 1 on (N, D). The accuracy follows the
    error law of Gadre et al. if `law` is ``gadre``, and otherwise step 2 of Bhagia et al. Each
    draw of an accuracy is taken at the loss of the same draw.

    Parameters
    ----------
    law
        Name of the law whose forecast the baseline is compared with.
    losses
        The losses of the fitted runs.
    accuracies
        The accuracies of the fitted runs; None where the ladder has none.
    targets
        The runs to forecast.
    corpora
        The corpus of each target, in the order of the targets.
    rng
        The source of the random numbers.

    Returns
    -------
    tuple
        First the draws, shape (draws,), for each (quantity, target, name). Then the series whose
        fit did not converge, each as ``corpus: name``.
    """
    targets_on = _by_corpus(targets, corpora)
    draws, failed = _loss_draws(law, losses, targets_on, rng)
    if accuracies is None:
        return draws, failed
    accuracy_draws, failed_links = _accuracy_draws(law, accuracies, draws, targets_on, rng)
    return draws | accuracy_draws, failed + failed_links


def _loss_draws(
    law: str, losses: LossData, targets_on: Mapping[str, list[Target]], rng: np.random.Generator
) -> tuple[Draws, list[str]]:
    """Draws of the loss of each target, and the series whose fit did not converge."""
    draws: Draws = {}
    failed: list[str] = []
    for row, series in enumerate(_loss_series(losses)):
        targets = targets_on.get(series.corpus, [])
        sizes = pd.DataFrame(
            {
                "params": [target.params for target in targets],
                "tokens": [target.tokens for target in targets],
                "flops": [compute_of(target, losses.compute_is_measured) for target in targets],
            }
        )
        runs = pd.DataFrame(
            {
                "params": losses.params[row][series.seen],
                "tokens": losses.tokens[row][series.seen],
                "flops": series.flops,
                "loss": series.figures,
            }
        )
        problem, x = _loss_problem(law, runs, sizes)
        try:
            drawn = bootstrap(solve(problem), x, RESAMPLED, rng)
        except FitError:
            failed.append(f"{series.corpus}: {series.name}")
            continue
        for column, target in enumerate(targets):
            draws["loss", target.label, series.name] = drawn[:, column]
    return draws, failed


def _accuracy_draws(
    law: str,
    accuracies: AccuracyData,
    loss_draws: Draws,
    targets_on: Mapping[str, list[Target]],
    rng: np.random.Generator,
) -> tuple[Draws, list[str]]:
    """Draws of the accuracy at the draws of the loss, and the series whose fit did not converge."""
    draws: Draws = {}
    failed: list[str] = []
    for row, series in enumerate(_accuracy_series(accuracies)):
        via = accuracies.via[row]
        labels = [
            target.label
            for target in targets_on.get(series.corpus, [])
            if ("loss", target.label, via) in loss_draws
        ]
        if not labels:
            continue
        loss = accuracies.through[row][series.seen]
        problem = (
            gadre_error(loss, 1 - series.figures)
            if law == "gadre"
            else bhagia_link(loss, series.figures, float(accuracies.chance[row]))
        )
        x = np.stack([loss_draws["loss", label, via] for label in labels], 1)
        try:
            drawn = bootstrap(solve(problem), x, RESAMPLED, rng)
        except FitError:
            failed.append(f"{series.corpus}: {series.name}")
            continue
        accuracy = np.clip(1 - drawn if law == "gadre" else drawn, 0.0, 1.0)
        for column, label in enumerate(labels):
            draws["accuracy", label, series.name] = accuracy[:, column]
    return draws, failed


def _loss_problem(law: str, runs: pd.DataFrame, targets: pd.DataFrame) -> tuple[Problem, object]:
    """The fit of the loss to the runs, and the targets in the form that its curve takes."""
    N, D, C, loss = (runs[name].to_numpy() for name in ("params", "tokens", "flops", "loss"))
    new_N, new_D, new_C = (targets[name].to_numpy() for name in ("params", "tokens", "flops"))
    if law == "gadre":
        return gadre_loss(N, D / N, loss), (new_N, new_D / new_N)
    if law == "compute":
        return bhagia_compute(C, loss), new_C
    return bhagia_loss(N, D, loss), (new_N, new_D)


def _by_corpus(targets: Sequence[Target], corpora: Sequence[str]) -> dict[str, list[Target]]:
    """The targets of each corpus, in their order."""
    groups: dict[str, list[Target]] = {}
    for target, corpus in zip(targets, corpora, strict=True):
        groups.setdefault(corpus, []).append(target)
    return groups


def _loss_series(data: LossData) -> list[_SeriesRuns]:
    """The series of losses, whose y is the logarithm of the loss."""
    return _runs_by_series(data, np.exp(data.layout.y))


def _accuracy_series(data: AccuracyData) -> list[_SeriesRuns]:
    """The series of accuracies."""
    return _runs_by_series(data, np.asarray(data.layout.y))


def _runs_by_series(data: LossData | AccuracyData, figures: np.ndarray) -> list[_SeriesRuns]:
    """One record per series, without the cells in which it has no run."""
    seen = np.asarray(data.layout.seen)
    return [
        _SeriesRuns(corpus, name, seen[row], figures[row][seen[row]], data.flops[row][seen[row]])
        for row, (corpus, name) in enumerate(data.groups.pairs)
    ]
