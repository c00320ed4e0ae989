"""Figure of a link: accuracy against loss."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from bayescale.data.outcomes import paired
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.models.inputs import AccuracyData
from bayescale.plots.selection import choose, rows_by_name, series_draws, unit_of
from bayescale.plots.style import (
    ACTUAL,
    GREY,
    GRID,
    PALETTE,
    add_corpus,
    band_handles,
    draw_bands,
    draw_points,
    literal,
    new_axes,
    percent,
    points_handle,
)

# share of the range of losses, on each side of the outermost points
MARGIN = 0.04
CURVE = PALETTE[0]


def plot_link(
    fit: Fit, *, task: str | None = None, corpus: str | None = None, ax: Axes | None = None
) -> Axes:
    """Accuracy = link(loss): the runs, and the link's posterior median with 50 % and 90 % bands.

    The loss axis is reversed, as its label says: better models stand to the right. The bands are of
    the expected accuracy: a single score scatters around it. Filled points were fitted; targets and
    other runs are open, at their actual losses.

    Parameters
    ----------
    fit
        The fit whose link is drawn.
    task
        Task whose accuracy is drawn; None for the first of the corpus.
    corpus
        Corpus of the runs; None for the first of the fit.
    ax
        Matplotlib axes to draw on; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Their title says so where a check of the fit failed.

    Raises
    ------
    SettingError
        For a task or a corpus that the fit lacks, or a fit without a link.
    """
    data, found = fit.accuracy_data, fit.posteriors.accuracy
    if data is None or found is None or fit.link is None:
        raise SettingError(
            "fit",
            rule="must have a link",
            got="a ladder without accuracies",
            way_out="plot_law draws its losses",
        )
    corpora = data.groups.corpora
    corpus = choose("corpus", corpus, corpora)
    rows = rows_by_name(data.groups, corpus)
    task = choose("task", task, list(rows))
    row = rows[task]
    runs = _runs(fit, data, task, corpus)
    ax = new_axes(ax)
    parameters = [p.name for p in fit.link.parameters]
    values = series_draws(found.draws, parameters, corpus=corpus, task=task)
    loss = _grid(runs["through"].to_numpy())
    standardised = (loss - data.centre[row]) / data.scale[row]
    over_losses = jax.vmap(fit.link.accuracy, (None, 0))
    accuracy = jax.vmap(over_losses, (0, None))(values, standardised)
    draw_bands(ax, loss, np.asarray(accuracy), CURVE)
    _draw_runs(ax, runs)
    _draw_chance(ax, float(data.chance[row]))
    _label(ax, data.via[row], unit_of(fit.ladder.conventions.loss_units, data.via[row]))
    title = f"{fit.ladder.name}: {task}, link {fit.link.name}"
    ax.set_title(add_corpus(title, corpus, corpora, fit.status))
    return ax


def _runs(fit: Fit, data: AccuracyData, task: str, corpus: str) -> pd.DataFrame:
    """Runs that have the task's accuracy and the link's loss: accuracy, through, role, fitted."""
    row = rows_by_name(data.groups, corpus)[task]
    fitted = data.runs[row][np.asarray(data.layout.seen)[row]]
    runs = paired(fit.ladder.frame, fit.route)
    runs = runs[(runs["corpus"] == corpus) & (runs["task"] == task)].set_index("run")
    return runs.assign(fitted=runs.index.isin(fitted))


def _grid(loss: np.ndarray) -> np.ndarray:
    """Losses along the curve, a little beyond the runs on each side."""
    margin = MARGIN * (np.ptp(loss) or loss.mean())
    return np.linspace(loss.min() - margin, loss.max() + margin, GRID)


def _draw_runs(ax: Axes, runs: pd.DataFrame) -> None:
    """Points of the three kinds of runs, and the legend."""
    is_target = ~runs["fitted"] & (runs["role"] == "target")
    groups = (
        (runs["fitted"], "o", CURVE, "run, fitted", True),
        (~runs["fitted"] & ~is_target, "o", GREY, "run, not fitted", False),
        (is_target, "D", ACTUAL, "target, actual", False),
    )
    handles: list[Artist] = []
    for chosen, marker, colour, label, filled in groups:
        if chosen.any():
            loss = runs.loc[chosen, "through"]
            draw_points(ax, loss, runs.loc[chosen, "accuracy"], marker, colour, filled=filled)
            handles.append(points_handle(marker, colour, label, filled=filled))
    ax.legend(
        handles=[*handles, *band_handles(CURVE, "link, median")],
        loc="upper left",
        frameon=False,
        fontsize=9,
    )


def _draw_chance(ax: Axes, chance: float) -> None:
    """A line at the accuracy of guessing, with room for its name below."""
    ax.axhline(chance, color=GREY, linestyle="--", linewidth=1.2, zorder=0)
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, chance - 0.07 * (high - chance)), high)
    ax.annotate(
        f"chance {100 * chance:.3g} %",
        xy=(1, chance),
        xycoords=("axes fraction", "data"),
        xytext=(-2, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        color=GREY,
        fontsize=9,
    )


def _label(ax: Axes, loss_name: str, unit: str) -> None:
    """Labels of both axes; the loss falls from left to right."""
    ax.margins(x=0)
    ax.invert_xaxis()
    label = f"{loss_name} loss ({unit}), axis reversed: better models to the right"
    ax.set_xlabel(literal(label))
    ax.set_ylabel("accuracy (%)")
    ax.yaxis.set_major_formatter(percent)
