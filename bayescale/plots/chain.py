"""Figure of both steps chained: accuracy against tokens, one curve a model size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bayescale.data.outcomes import outcomes
from bayescale.data.target import Target
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.plots.style import (
    ACTUAL,
    BANDS,
    add_corpus,
    choose,
    draw_points,
    new_axes,
    percent,
    points_handle,
)

POINTS = 12  # along each curve
MARGIN = 1.25  # factor by which a curve goes on beyond the runs of its size


def plot_chain(
    fit: Fit,
    *,
    task: str | None = None,
    corpus: str | None = None,
    targets: Sequence[Target] = (),
    ax: Axes | None = None,
) -> Axes:
    """Accuracy against training tokens: the fitted runs, and the forecast for every size, chained
    from (N, D) through the loss.

    A line is the median of the forecast at one model size; those of the targets have 50 % and 90 %
    bands, which hold the noise of a single run.

    Parameters
    ----------
    fit
        Of losses and accuracies.
    task, corpus
        Which; None for the first.
    targets
        Sizes to go on to; the actual accuracies of runs of the same name are open diamonds.
    ax
        Where to draw; None for a new figure.

    Raises
    ------
    SettingError
        For a task or a corpus that the ladder lacks.
    """
    task = choose("task", task, fit.ladder.tasks)
    corpus = choose("corpus", corpus, fit.ladder.corpora)
    runs = fit.ladder.with_role("fit").where(corpus=[corpus]).runs
    actual = outcomes(fit.ladder)["accuracy"]
    sizes = sorted(set(runs["params"]) | {t.params for t in targets})
    colours = dict(
        zip(sizes, colormaps["viridis"](np.linspace(0.0, 0.88, len(sizes))), strict=True)
    )
    lowest = runs["tokens"].min() / MARGIN
    ax = new_axes(ax, width=6.5, height=4.5)
    curves = {}
    for N in sizes:
        own = [
            *runs.loc[runs["params"] == N, "tokens"],
            *(t.tokens for t in targets if t.params == N),
        ]
        curves[N] = np.geomspace(max(lowest, min(own) / MARGIN), max(own) * MARGIN, POINTS)
    grid = [
        Target(params=N, tokens=D, corpus=corpus, name=f"{N:g} {D:g}")
        for N, tokens in curves.items()
        for D in tokens
    ]
    draws = forecast(fit, grid).draws["accuracy"].sel(task=task)
    for i, (N, tokens) in enumerate(curves.items()):
        values = (
            draws.isel(target=slice(i * POINTS, (i + 1) * POINTS)).to_numpy().reshape(-1, POINTS)
        )
        ax.plot(tokens, np.median(values, 0), color=colours[N], linewidth=1.5)
        for prob, opacity in BANDS if any(t.params == N for t in targets) else ():
            ax.fill_between(
                tokens,
                *np.quantile(values, [(1 - prob) / 2, (1 + prob) / 2], axis=0),
                color=colours[N],
                alpha=opacity,
                linewidth=0,
            )
        mine = runs.index[runs["params"] == N]
        draw_points(
            ax,
            runs.loc[mine, "tokens"],
            [actual[run, task] for run in mine],
            "o",
            colours[N],
            filled=True,
        )
    handles: list[Artist] = [
        Line2D([], [], color=colours[N], marker="o", label=f"{N / 1e9:.3g} B") for N in sizes
    ]
    for t in targets:
        if (t.label, task) in actual.index:
            draw_points(ax, t.tokens, actual[t.label, task], "D", ACTUAL, filled=False)
    if targets:
        handles.append(points_handle("D", ACTUAL, "target, actual", filled=False))
    ax.set_xscale("log")
    ax.set_xlabel("training tokens")
    ax.set_ylabel("accuracy (%)")
    ax.yaxis.set_major_formatter(percent)
    ax.legend(
        handles=handles,
        frameon=False,
        fontsize=8,
        loc="upper left",
        title="parameters",
        title_fontsize=8,
    )
    ax.set_title(add_corpus(task, corpus, fit.ladder.corpora, fit.status))
    return ax
