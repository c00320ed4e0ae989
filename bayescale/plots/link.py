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
from bayescale.plots.style import (
    ACTUAL,
    GREY,
    GRID,
    PALETTE,
    add_corpus,
    band_handles,
    choose,
    draw_bands,
    draw_points,
    literal,
    new_axes,
    percent,
    points_handle,
    series_draws,
    unit_of,
)

MARGIN = 0.04  # of the range, on each side of the outermost points
CURVE = PALETTE[0]


def plot_link(
    fit: Fit, *, task: str | None = None, corpus: str | None = None, ax: Axes | None = None
) -> Axes:
    """Accuracy against loss: the runs, and the link's posterior median with its 50 % and 90 %
    bands.

    The loss axis is reversed, and says so: better models stand to the right, as in a figure against
    compute. The bands are of the expected accuracy: a single score scatters around it.

    Parameters
    ----------
    fit
        The fit whose link is drawn.
    task, corpus
        Which; None for the first.
    ax
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Where it was drawn. Targets and other runs that were not fitted are open markers, at their
        actual losses.

    Raises
    ------
    SettingError
        For a task or a corpus that the fit lacks, or a fit without a link.
    """
    data = fit.accuracy_data
    if data is None or fit.accuracies is None or fit.link is None:
        raise SettingError(
            "fit",
            rule="must have a link",
            got="a ladder without accuracies",
            way_out="plot_law draws its losses",
        )
    corpus = choose("corpus", corpus, data.groups.corpora)
    task, s = _series(data, task, corpus)
    runs = _runs(fit, data, s, task, corpus)
    ax = new_axes(ax)
    values = series_draws(
        fit.accuracies, [p.name for p in fit.link.parameters], corpus=corpus, task=task
    )
    loss = _grid(runs["through"].to_numpy())
    z = (loss - data.centre[s]) / data.scale[s]
    draw_bands(
        ax,
        loss,
        np.asarray(jax.vmap(jax.vmap(fit.link.accuracy, (None, 0)), (0, None))(values, z)),
        CURVE,
    )
    _draw_runs(ax, runs)
    _draw_chance(ax, float(data.chance[s]))
    _label(ax, fit, data, s)
    ax.set_title(
        add_corpus(
            f"{fit.ladder.name}: {task}, link {fit.link.name}",
            corpus,
            data.groups.corpora,
            fit.status,
        )
    )
    return ax


def _series(data: AccuracyData, task: str | None, corpus: str) -> tuple[str, int]:
    f = data.groups
    rows = {
        f.names[j]: s
        for s, (c, j) in enumerate(zip(f.corpus, f.name, strict=True))
        if f.corpora[c] == corpus
    }
    chosen = choose("task", task, list(rows))
    return chosen, rows[chosen]


def _runs(fit: Fit, data: AccuracyData, s: int, task: str, corpus: str) -> pd.DataFrame:
    """The runs of the corpus that have the task's accuracy and the loss of the link: accuracy,
    through, role, fitted.
    """
    rows = paired(fit.ladder.frame, fit.linked_via)
    rows = rows[(rows["corpus"] == corpus) & (rows["task"] == task)].set_index("run")
    return rows.assign(fitted=rows.index.isin(data.runs[s][np.asarray(data.layout.seen)[s]]))


def _grid(loss: np.ndarray) -> np.ndarray:
    margin = MARGIN * (np.ptp(loss) or loss.mean())
    return np.linspace(loss.min() - margin, loss.max() + margin, GRID)


def _draw_runs(ax: Axes, runs: pd.DataFrame) -> None:
    is_target = ~runs["fitted"] & (runs["role"] == "target")
    groups = (
        (runs["fitted"], "o", CURVE, "run, fitted", True),
        (~runs["fitted"] & ~is_target, "o", GREY, "run, not fitted", False),
        (is_target, "D", ACTUAL, "target, actual", False),
    )
    handles: list[Artist] = []
    for chosen, marker, colour, label, filled in groups:
        if chosen.any():
            draw_points(
                ax,
                runs.loc[chosen, "through"],
                runs.loc[chosen, "accuracy"],
                marker,
                colour,
                filled=filled,
            )
            handles.append(points_handle(marker, colour, label, filled=filled))
    ax.legend(
        handles=[*handles, *band_handles(CURVE, "link, median")],
        loc="upper left",
        frameon=False,
        fontsize=9,
    )


def _draw_chance(ax: Axes, chance: float) -> None:
    ax.axhline(chance, color=GREY, linestyle="--", linewidth=1.2, zorder=0)
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, chance - 0.07 * (high - chance)), high)
    note = f"chance {100 * chance:.3g} %"
    ax.annotate(
        note,
        (1, chance),
        (-2, -3),
        ("axes fraction", "data"),
        "offset points",
        ha="right",
        va="top",
        color=GREY,
        fontsize=9,
    )


def _label(ax: Axes, fit: Fit, data: AccuracyData, s: int) -> None:
    ax.margins(x=0)
    ax.invert_xaxis()
    unit = unit_of(fit.ladder.conventions.loss_units, data.via[s])
    ax.set_xlabel(
        literal(f"{data.via[s]} loss ({unit}), axis reversed: better models to the right")
    )
    ax.set_ylabel("accuracy (%)")
    ax.yaxis.set_major_formatter(percent)
