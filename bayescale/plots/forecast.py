"""Figure of a forecast: intervals by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bayescale.data.ladder import Ladder
from bayescale.data.outcomes import outcomes
from bayescale.decisions.value import Threshold, tasks_of, weighted_mean
from bayescale.errors import SettingError
from bayescale.forecasts.forecast import Forecast
from bayescale.plots.style import (
    ACTUAL,
    GREY,
    PALETTE,
    choose,
    literal,
    new_axes,
    percent,
    unit_of,
    with_status,
)

MARKERS = ("o", "s", "^", "v")  # with the colours: 28 targets that look different
STEP = 0.8  # height that the targets of one task share
ROW = 0.24  # inches a bar
THICK = 6.0  # points
FIGURES = 0.45  # width of the column of figures, in widths of the bars'
NOTE_WIDTH, NAME_WIDTH = 80, 24  # letters a line
MEAN = "mean"


def plot_forecast(
    forecast: Forecast,
    *,
    ladder: Ladder | None = None,
    quantity: str = "accuracy",
    prob: float = 0.9,
    threshold: Threshold | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Intervals by task (or loss), one colour a target: median, 50 % (thick) and `prob` (thin),
    with the actual values where they are known.

    Parameters
    ----------
    forecast
        What to draw.
    ladder
        Where to look for actual values (a run of the target's name) and the units of losses; None
        draws neither.
    quantity
        ``accuracy`` or ``loss``.
    prob
        Probability of the thin bars.
    threshold
        To be drawn across the tasks that have one, or across a row of their mean, which comes
        first; of accuracies alone.
    ax
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Where it was drawn. The title says so where the checks of the fit failed.

    Raises
    ------
    SettingError
        For an unknown quantity, one that the forecast lacks, or a `prob` outside (0, 1).
    """
    choose("quantity", quantity, ("accuracy", "loss"))
    if threshold is not None and not isinstance(threshold, Threshold):
        raise SettingError(
            "threshold",
            rule="must be a Threshold",
            got=repr(threshold),
            way_out="Threshold(worth=3e6, accuracy=0.7)",
        )
    rows = _intervals(forecast, quantity, prob)
    if rows.empty:
        raise SettingError(
            "quantity",
            rule="must be one that the forecast has",
            got=repr(quantity),
            way_out="quantity='loss' draws its losses",
        )
    rows = rows.assign(
        actual=_actual(rows, ladder, quantity),
        task=rows["task" if quantity == "accuracy" else "loss_name"],
    )
    if (
        threshold is not None
        and quantity == "accuracy"
        and not isinstance(threshold.accuracy, Mapping)
    ):
        rows = pd.concat([_of_mean(forecast, threshold, rows, prob), rows], ignore_index=True)
    targets, tasks = (list(dict.fromkeys(rows[k])) for k in ("target", "task"))
    ax = new_axes(
        ax,
        width=8.5,
        height=1.7
        + max(ROW * len(tasks) * len(targets), 0.3 * len(tasks), 0.2 * (len(targets) + 4)),
    )
    _draw_bars(ax, rows, targets, tasks)
    wanted = threshold.each if threshold is not None and quantity == "accuracy" else {}
    for name, at in wanted.items():
        middle = tasks.index(name or MEAN)
        ax.plot(
            [at, at],
            [middle - 0.5, middle + 0.5],
            color=ACTUAL,
            linestyle="--",
            linewidth=1.5,
            zorder=4,
        )
    if quantity == "loss":
        _write_figures(ax, rows, targets, tasks, prob)
    units = ladder.conventions.loss_units if ladder is not None else {}
    _label(
        ax, tasks, [unit_of(units, n) for n in rows.drop_duplicates("task")["loss_name"]], quantity
    )
    ax.set_title(with_status(f"Forecast of {quantity}", forecast.status))
    _legend(ax, targets, prob, known=bool(rows["actual"].notna().any()), threshold=bool(wanted))
    ax.annotate(
        literal(forecast.note, NOTE_WIDTH),
        (1, 0),
        (0, -40),
        "axes fraction",
        "offset points",
        ha="right",
        va="top",
        fontsize=8,
        color=GREY,
    )
    return ax


def _intervals(forecast: Forecast, quantity: str, prob: float) -> pd.DataFrame:
    """One row a (target, task): median, lower, upper, and the quartiles inner_lower,
    inner_upper.
    """
    wide, half = forecast.to_frame(prob), forecast.to_frame(0.5)
    rows = wide.assign(inner_lower=half["lower"], inner_upper=half["upper"])
    rows = rows[rows["quantity"] == quantity].reset_index(drop=True)
    if quantity == "loss":  # tasks that share a loss share a row
        rows = rows.drop_duplicates(["target", "loss_name"], ignore_index=True)
    return rows


def _of_mean(
    forecast: Forecast, threshold: Threshold, rows: pd.DataFrame, prob: float
) -> pd.DataFrame:
    """The same for the mean that the threshold is of; its actual value where those of all its tasks
    are known.
    """
    mean = weighted_mean(forecast.draws["accuracy"], threshold.tasks, threshold.weights)
    tails = {
        "lower": (1 - prob) / 2,
        "inner_lower": 0.25,
        "median": 0.5,
        "inner_upper": 0.75,
        "upper": (1 + prob) / 2,
    }
    figures = pd.DataFrame(
        {name: mean.quantile(q, ("chain", "draw")).values for name, q in tails.items()},
        index=mean.target.values,
    )
    known = rows.set_index(["target", "task"])["actual"].to_xarray()
    weighed = tasks_of(threshold, forecast.draws["accuracy"])
    actual = weighted_mean(known.fillna(0.0), threshold.tasks, threshold.weights).where(
        (known.sel(task=weighed) >= 0).all("task")
    )
    found = figures.assign(actual=actual.to_series(), task=MEAN, loss_name="").rename_axis("target")
    return found.reindex(dict.fromkeys(rows["target"])).reset_index()


def _actual(rows: pd.DataFrame, ladder: Ladder | None, quantity: str) -> np.ndarray:
    if ladder is None:
        return np.full(len(rows), np.nan)
    known = outcomes(ladder)[quantity]
    return np.asarray(
        known.reindex(pd.MultiIndex.from_frame(rows[["target", "task"]])), dtype=float
    )


def _style(i: int) -> tuple[str, str]:
    """Colour and marker of the i-th target."""
    return PALETTE[i % len(PALETTE)], MARKERS[i // len(PALETTE) % len(MARKERS)]


def _draw_bars(ax: Axes, rows: pd.DataFrame, targets: Sequence[str], tasks: Sequence[str]) -> None:
    for i in range(0, len(tasks), 2):
        ax.axhspan(i - 0.5, i + 0.5, color="0.96", zorder=0)
    figures = rows[["lower", "upper", "inner_lower", "inner_upper", "median", "actual"]].to_numpy(
        dtype=float
    )
    for row, (lower, upper, inner_lower, inner_upper, median, actual) in zip(
        rows.itertuples(), figures, strict=True
    ):
        i = targets.index(row.target)
        y = _height(i, len(targets), tasks.index(row.task))
        colour, marker = _style(i)
        ax.plot([lower, upper], [y, y], color=colour, linewidth=1.3, zorder=2)
        ax.plot(
            [inner_lower, inner_upper],
            [y, y],
            color=colour,
            linewidth=THICK,
            solid_capstyle="butt",
            zorder=2,
        )
        ax.plot(median, y, marker, color=colour, mfc="white", mew=1.4, ms=6, zorder=3)
        ax.plot(actual, y, "x", color=ACTUAL, ms=7, mew=1.8, zorder=4)


def _height(target: int, targets: int, task: int) -> float:
    return task + STEP * ((target + 0.5) / targets - 0.5)


def _write_figures(
    ax: Axes, rows: pd.DataFrame, targets: Sequence[str], tasks: Sequence[str], prob: float
) -> None:
    """Median and interval in figures, in a column of their own: losses of different tasks lie so
    far apart that their bars are short.
    """
    low, high = ax.get_xlim()
    ax.set_xlim(low, high + FIGURES * (high - low))
    style: dict[str, Any] = {
        "textcoords": "offset points",
        "ha": "right",
        "fontsize": 8.5,
        "color": "0.25",
    }
    ax.annotate(
        f"median [{100 * prob:.3g} % interval]",
        (1, 1),
        (-4, 3),
        "axes fraction",
        va="bottom",
        **style,
    )
    for row in rows.itertuples():
        y = _height(targets.index(row.target), len(targets), tasks.index(row.task))
        ax.annotate(
            f"{row.median:.3f} [{row.lower:.3f}, {row.upper:.3f}]",
            (1, y),
            (-4, 0),
            ("axes fraction", "data"),
            va="center",
            **style,
        )


def _label(ax: Axes, tasks: Sequence[str], units: Sequence[str], quantity: str) -> None:
    several = quantity == "loss" and len(set(units)) > 1
    ax.set_yticks(
        range(len(tasks)),
        [literal(f"{t} ({u})" if several else t) for t, u in zip(tasks, units, strict=True)],
    )
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(tasks) - 0.5, -0.5)
    ax.grid(axis="x", color="0.85", linewidth=0.8, zorder=0)
    ax.set_axisbelow(True)
    if quantity == "accuracy":
        ax.set_xlabel("accuracy (%)")
        ax.xaxis.set_major_formatter(percent)
    else:
        ax.set_xlabel("loss (unit beside each name)" if several else literal(f"loss ({units[0]})"))


def _legend(ax: Axes, targets: Sequence[str], prob: float, *, known: bool, threshold: bool) -> None:
    handles = []
    for i, name in enumerate(targets):
        colour, marker = _style(i)
        handles.append(
            Line2D(
                [],
                [],
                color=colour,
                marker=marker,
                mfc="white",
                mew=1.4,
                ms=6,
                linewidth=THICK,
                solid_capstyle="butt",
                label=literal(name, NAME_WIDTH),
            )
        )
    handles.append(
        Line2D(
            [], [], color=GREY, linestyle="", marker="o", mfc="white", mew=1.4, ms=6, label="median"
        )
    )
    handles += [
        Line2D([], [], color=GREY, linewidth=w, solid_capstyle="butt", label=f"{p:.3g} % interval")
        for p, w in ((50, THICK), (100 * prob, 1.3))
    ]
    if known:
        handles.append(
            Line2D([], [], color=ACTUAL, linestyle="", marker="x", ms=7, mew=1.8, label="actual")
        )
    if threshold:
        handles.append(
            Line2D([], [], color=ACTUAL, linestyle="--", linewidth=1.5, label="threshold")
        )
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        frameon=False,
        fontsize=9,
    )
