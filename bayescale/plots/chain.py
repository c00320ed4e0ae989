"""Figure of both steps chained: accuracy against tokens, one curve per model size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType

from bayescale.data.outcomes import outcomes
from bayescale.data.target import Target
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.plots.selection import choose
from bayescale.plots.style import (
    ACTUAL,
    add_corpus,
    draw_points,
    fill_bands,
    new_axes,
    percent,
    points_handle,
)

# points along each curve
POINTS = 12
# factor by which a curve goes on beyond the runs of its size
MARGIN = 1.25


def plot_chain(
    fit: Fit,
    *,
    task: str | None = None,
    corpus: str | None = None,
    targets: Sequence[Target] = (),
    ax: Axes | None = None,
) -> Axes:
    """Accuracy = link(law(N, D)) against training tokens D, one curve per model size N.

    A line is the median of the forecast at one size. The sizes of the targets have 50 % and 90 %
    bands as well, which include the noise of a single run. Points are the fitted runs.

    Parameters
    ----------
    fit
        A fit of losses and accuracies.
    task
        Task whose accuracy is drawn; None for the first of the ladder.
    corpus
        Corpus of the runs; None for the first of the ladder.
    targets
        Targets to which the curves go on. An open diamond is the actual accuracy of a target, drawn
        where the ladder has a run of its name.
    ax
        Matplotlib axes to draw on; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Their title says so where a check of the fit failed.

    Raises
    ------
    SettingError
        For a task or a corpus that the ladder lacks.
    """
    task = choose("task", task, fit.ladder.tasks)
    corpus = choose("corpus", corpus, fit.ladder.corpora)
    runs = fit.ladder.with_role("fit").where(corpus=[corpus]).runs
    accuracy = outcomes(fit.ladder)["accuracy"]
    ax = new_axes(ax, width=6.5, height=4.5)
    curves = _tokens(runs, targets)
    shades = colormaps["viridis"](np.linspace(0.0, 0.88, len(curves)))
    colours = dict(zip(curves, shades, strict=True))
    _draw_curves(ax, _draws(fit, task, corpus, curves), curves, colours, targets)
    for size, colour in colours.items():
        runs_of_size = runs.index[runs["params"] == size]
        values = [accuracy[run, task] for run in runs_of_size]
        draw_points(ax, runs.loc[runs_of_size, "tokens"], values, "o", colour, filled=True)
    for t in targets:
        if (t.label, task) in accuracy.index:
            draw_points(ax, t.tokens, accuracy[t.label, task], "D", ACTUAL, filled=False)
    ax.set_xscale("log")
    ax.set_xlabel("training tokens")
    ax.set_ylabel("accuracy (%)")
    ax.yaxis.set_major_formatter(percent)
    ax.legend(
        handles=_handles(colours, targets),
        frameon=False,
        fontsize=8,
        loc="upper left",
        title="parameters",
        title_fontsize=8,
    )
    ax.set_title(add_corpus(f"Accuracy on {task}", corpus, fit.ladder.corpora, fit.status))
    return ax


def _tokens(runs: pd.DataFrame, targets: Sequence[Target]) -> dict[float, np.ndarray]:
    """Tokens along the curve of each model size, from a little below its runs to a little above."""
    smallest = runs["tokens"].min() / MARGIN
    curves = {}
    for size in sorted(set(runs["params"]) | {t.params for t in targets}):
        tokens = [
            *runs.loc[runs["params"] == size, "tokens"],
            *(t.tokens for t in targets if t.params == size),
        ]
        start = max(smallest, min(tokens) / MARGIN)
        curves[size] = np.geomspace(start, max(tokens) * MARGIN, POINTS)
    return curves


def _draws(
    fit: Fit, task: str, corpus: str, curves: Mapping[float, np.ndarray]
) -> dict[float, np.ndarray]:
    """Draws of the accuracy along the curve of each model size, shape (draws, points)."""
    # one forecast for all points: its draws are joint
    grid = [
        Target(params=size, tokens=tokens, corpus=corpus, name=f"{size:g} {tokens:g}")
        for size, curve in curves.items()
        for tokens in curve
    ]
    accuracy = forecast(fit, grid).draws["accuracy"].sel(task=task)
    draws = {}
    for i, size in enumerate(curves):
        curve = accuracy.isel(target=slice(i * POINTS, (i + 1) * POINTS))
        draws[size] = curve.to_numpy().reshape(-1, POINTS)
    return draws


def _draw_curves(
    ax: Axes,
    draws: Mapping[float, np.ndarray],
    curves: Mapping[float, np.ndarray],
    colours: Mapping[float, ColorType],
    targets: Sequence[Target],
) -> None:
    """Median of each model size, and bands for the sizes of the targets."""
    target_sizes = {t.params for t in targets}
    for size, tokens in curves.items():
        ax.plot(tokens, np.median(draws[size], axis=0), color=colours[size], linewidth=1.5)
        if size in target_sizes:
            fill_bands(ax, tokens, draws[size], colours[size])


def _handles(colours: Mapping[float, ColorType], targets: Sequence[Target]) -> list[Artist]:
    """Legend entries of the model sizes and of the targets."""
    handles: list[Artist] = [
        Line2D([], [], color=colour, marker="o", label=f"{size / 1e9:.3g} B")
        for size, colour in colours.items()
    ]
    if targets:
        handles.append(points_handle("D", ACTUAL, "target, actual", filled=False))
    return handles
