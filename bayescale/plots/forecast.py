"""Figure of a forecast: intervals by task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bayescale.data.ladder import Ladder
from bayescale.data.outcomes import outcomes
from bayescale.decisions.tasks import weighted_mean
from bayescale.decisions.value import Threshold
from bayescale.errors import SettingError
from bayescale.forecasts.record import Forecast
from bayescale.plots.selection import choose, unit_of
from bayescale.plots.style import ACTUAL, GREY, PALETTE, literal, new_axes, percent, with_status
from bayescale.validation import check_prob

# with the colours of the palette: 28 targets that look different
MARKERS = ("o", "s", "^", "v")
# height that the targets of one task share
STEP = 0.8
# height of a bar in inches
ROW = 0.24
# thickness of the 50 % bars and of the others, in points
THICK = 6.0
THIN = 1.3
# width of the column of numbers, in widths of the bars' own part
NUMBERS = 0.45
# longest lines in letters
NOTE_WIDTH = 80
NAME_WIDTH = 24
# name of the row of the mean over tasks
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
    """Median, 50 % interval (thick) and `prob` interval (thin) of each task, one colour per target.

    Crosses are actual values. A figure of losses has one row per loss name, and a column with the
    numbers.

    Parameters
    ----------
    forecast
        The forecast.
    ladder
        Ladder with the actual values (those of a run of the target's name) and the units of losses;
        None draws no actual values and no units.
    quantity
        ``accuracy`` or ``loss``.
    prob
        Probability of the thin bars, between 0 and 1.
    threshold
        Threshold to mark by a dashed line, in the figure of accuracies alone: across each task that
        has one, or, for a threshold of the mean, across a first row for that mean. None marks none.
    ax
        Matplotlib axes to draw on; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Their title says so where a check of the fit failed.

    Raises
    ------
    SettingError
        For an unknown quantity, one that the forecast lacks, a `prob` outside (0, 1), or a
        threshold of another kind.
    """
    choose("quantity", quantity, ("accuracy", "loss"))
    _check_threshold(threshold)
    # a threshold is one of accuracies
    marked = threshold if quantity == "accuracy" else None
    rows = _rows(forecast, ladder, quantity, prob)
    # the threshold of a mean has an empty name
    if marked is not None and "" in marked.each:
        rows = pd.concat([_mean_rows(forecast, marked, rows, prob), rows], ignore_index=True)
    targets = list(dict.fromkeys(rows["target"]))
    tasks = list(dict.fromkeys(rows["task"]))
    bars = ROW * len(tasks) * len(targets)
    # room for the bars, for the names of the tasks, and for the legend
    height = max(bars, 0.3 * len(tasks), 0.2 * (len(targets) + 4))
    ax = new_axes(ax, width=8.5, height=1.7 + height)
    _draw_bars(ax, rows, targets, tasks)
    if marked is not None:
        _draw_threshold(ax, marked, tasks)
    if quantity == "loss":
        _write_numbers(ax, rows, targets, tasks, prob)
    units = ladder.conventions.loss_units if ladder is not None else {}
    losses = rows.drop_duplicates("task")["loss_name"]
    _label(ax, tasks, [unit_of(units, name) for name in losses], quantity)
    ax.set_title(with_status(f"Forecast of {quantity}", forecast.status))
    known = bool(rows["actual"].notna().any())
    _legend(ax, targets, prob, known=known, threshold=marked is not None)
    _write_note(ax, forecast.note)
    return ax


def _check_threshold(threshold: object) -> None:
    """A SettingError for anything but a Threshold or None."""
    if threshold is not None and not isinstance(threshold, Threshold):
        raise SettingError(
            "threshold",
            rule="must be a Threshold",
            got=repr(threshold),
            way_out="Threshold(worth=3e6, accuracy=0.7)",
        )


def _rows(forecast: Forecast, ladder: Ladder | None, quantity: str, prob: float) -> pd.DataFrame:
    """One row per (target, task): the ends and quartiles, the median, and the actual value.

    In a figure of losses the column ``task`` holds the loss name, and tasks that share a loss share
    a row.
    """
    wide = forecast.to_frame(prob)
    half = forecast.to_frame(0.5)
    rows = wide.assign(inner_lower=half["lower"], inner_upper=half["upper"])
    rows = rows[rows["quantity"] == quantity].reset_index(drop=True)
    if rows.empty:
        raise SettingError(
            "quantity",
            rule="must be one that the forecast has",
            got=repr(quantity),
            way_out="quantity='loss' draws its losses",
        )
    if quantity == "loss":
        rows = rows.drop_duplicates(["target", "loss_name"], ignore_index=True)
    names = rows["task" if quantity == "accuracy" else "loss_name"]
    return rows.assign(actual=_actual(rows, ladder, quantity), task=names)


def _actual(rows: pd.DataFrame, ladder: Ladder | None, quantity: str) -> np.ndarray:
    """The actual value of each row, nan where it is unknown."""
    if ladder is None:
        return np.full(len(rows), np.nan)
    wanted = pd.MultiIndex.from_frame(rows[["target", "task"]])
    return np.asarray(outcomes(ladder)[quantity].reindex(wanted), dtype=float)


def _mean_rows(
    forecast: Forecast, threshold: Threshold, rows: pd.DataFrame, prob: float
) -> pd.DataFrame:
    """One row per target for the mean that the threshold is of, in the columns of `_rows`.

    Its actual value is known where the actual values of all its tasks are.
    """
    accuracy = forecast.draws["accuracy"]
    mean = weighted_mean(accuracy, threshold.tasks, threshold.weights)
    lower, upper = check_prob(prob)
    columns = {
        "lower": lower,
        "inner_lower": 0.25,
        "median": 0.5,
        "inner_upper": 0.75,
        "upper": upper,
    }
    quantiles = {name: mean.quantile(q, ("chain", "draw")).values for name, q in columns.items()}
    known = rows.set_index(["target", "task"])["actual"].to_xarray()
    # a comparison with nan is False
    all_known = (known.sel(task=threshold.tasks_in(accuracy)) >= 0).all("task")
    actual = weighted_mean(known.fillna(0.0), threshold.tasks, threshold.weights).where(all_known)
    result = pd.DataFrame(quantiles, index=mean.target.values).assign(
        actual=actual.to_series(), task=MEAN, loss_name=""
    )
    in_order = result.rename_axis("target").reindex(dict.fromkeys(rows["target"]))
    return in_order.reset_index()


def _style(i: int) -> tuple[str, str]:
    """Colour and marker of the i-th target."""
    return PALETTE[i % len(PALETTE)], MARKERS[i // len(PALETTE) % len(MARKERS)]


def _height(target: int, targets: int, task: int) -> float:
    """Height of the bar of one target within the row of a task."""
    return task + STEP * ((target + 0.5) / targets - 0.5)


def _draw_bars(ax: Axes, rows: pd.DataFrame, targets: Sequence[str], tasks: Sequence[str]) -> None:
    """Every second task on a grey ground; bars, medians and actual values."""
    for i in range(0, len(tasks), 2):
        ax.axhspan(i - 0.5, i + 0.5, color="0.96", zorder=0)
    for row in rows.itertuples():
        i = targets.index(row.target)
        y = [_height(i, len(targets), tasks.index(row.task))]
        colour, marker = _style(i)
        ax.plot([row.lower, row.upper], y * 2, color=colour, linewidth=THIN, zorder=2)
        ax.plot(
            [row.inner_lower, row.inner_upper],
            y * 2,
            color=colour,
            linewidth=THICK,
            solid_capstyle="butt",
            zorder=2,
        )
        ax.plot([row.median], y, marker, color=colour, mfc="white", mew=1.4, ms=6, zorder=3)
        ax.plot([row.actual], y, "x", color=ACTUAL, ms=7, mew=1.8, zorder=4)


def _draw_threshold(ax: Axes, threshold: Threshold, tasks: Sequence[str]) -> None:
    """A dashed line across each row that has a threshold."""
    for name, accuracy in threshold.each.items():
        row = tasks.index(name or MEAN)
        ax.plot(
            [accuracy, accuracy],
            [row - 0.5, row + 0.5],
            color=ACTUAL,
            linestyle="--",
            linewidth=1.5,
            zorder=4,
        )


def _write_numbers(
    ax: Axes, rows: pd.DataFrame, targets: Sequence[str], tasks: Sequence[str], prob: float
) -> None:
    """Median and interval as numbers, in a column of their own.

    Losses of different tasks lie so far apart that their bars are short.
    """
    low, high = ax.get_xlim()
    ax.set_xlim(low, high + NUMBERS * (high - low))
    style: dict[str, Any] = {
        "textcoords": "offset points",
        "ha": "right",
        "fontsize": 8.5,
        "color": "0.25",
    }
    ax.annotate(
        f"median [{100 * prob:.3g} % interval]",
        xy=(1, 1),
        xycoords="axes fraction",
        xytext=(-4, 3),
        va="bottom",
        **style,
    )
    for row in rows.itertuples():
        y = _height(targets.index(row.target), len(targets), tasks.index(row.task))
        ax.annotate(
            f"{row.median:.3f} [{row.lower:.3f}, {row.upper:.3f}]",
            xy=(1, y),
            xycoords=("axes fraction", "data"),
            xytext=(-4, 0),
            va="center",
            **style,
        )


def _write_note(ax: Axes, note: str) -> None:
    """What the intervals include, in small letters below the figure."""
    ax.annotate(
        literal(note, NOTE_WIDTH),
        xy=(1, 0),
        xycoords="axes fraction",
        xytext=(0, -40),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8,
        color=GREY,
    )


def _label(ax: Axes, tasks: Sequence[str], units: Sequence[str], quantity: str) -> None:
    """Names of the tasks, or of the losses with their units, and the label of the other axis."""
    several = quantity == "loss" and len(set(units)) > 1
    names = list(tasks)
    if several:
        names = [f"{task} ({unit})" for task, unit in zip(tasks, units, strict=True)]
    ax.set_yticks(range(len(names)), [literal(name) for name in names])
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
    """One entry per target, then the median, the intervals, and what else is drawn."""
    point: dict[str, Any] = {"mfc": "white", "mew": 1.4, "ms": 6}
    bar: dict[str, Any] = {"linewidth": THICK, "solid_capstyle": "butt"}
    handles = []
    for i, name in enumerate(targets):
        colour, marker = _style(i)
        label = literal(name, NAME_WIDTH)
        handles.append(Line2D([], [], color=colour, marker=marker, label=label, **point, **bar))
    handles.append(Line2D([], [], color=GREY, linestyle="", marker="o", label="median", **point))
    for percentage, width in ((50, THICK), (100 * prob, THIN)):
        label = f"{percentage:.3g} % interval"
        bar["linewidth"] = width
        handles.append(Line2D([], [], color=GREY, label=label, **bar))
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
