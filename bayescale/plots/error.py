"""Figure of a backtest: errors against the extrapolation factor, with the forecast intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bayescale.backtests.record import Backtest, inside
from bayescale.plots.selection import backtest_cases
from bayescale.plots.style import BANDS, GREY, PALETTE, band_patches, new_axes, with_status

# groups of cases, by extrapolation factor, over which the ends of the intervals are averaged
STEPS = 12


def plot_error(backtest: Backtest, *, quantity: str | None = None, ax: Axes | None = None) -> Axes:
    """Error, actual - median of the forecast, against the extrapolation factor of each case.

    The bands are the 50 % and 90 % intervals around the median, averaged over cases of similar
    extrapolation factor. Errors of a loss are in percent of the actual loss, errors of an accuracy
    in percentage points.

    Parameters
    ----------
    backtest
        The backtest. Forecasts with its own settings are drawn, its baselines are not.
    quantity
        ``accuracy`` or ``loss``; None for the first of the two that the backtest has.
    ax
        Matplotlib axes to draw on; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Their title says so where a check of a fit failed.

    Raises
    ------
    SettingError
        For a quantity that the backtest lacks.
    """
    quantity, cases = backtest_cases(backtest, quantity)
    ax = new_axes(ax)
    _fill_intervals(ax, cases, 100 / cases["actual"] if quantity == "loss" else 100.0)
    hit = inside(cases, 0.9) == 1
    handles = []
    for colour, chosen, label in (
        (GREY, hit, "inside its 90 % interval"),
        (PALETTE[1], ~hit, "outside its 90 % interval"),
    ):
        factor = cases.loc[chosen, "extrapolation_factor"]
        ax.plot(factor, -cases.loc[chosen, "error"], ".", color=colour, ms=4, alpha=0.6)
        handles.append(Line2D([], [], color=colour, marker=".", linestyle="", label=label))
    ax.axhline(0.0, color="black", linewidth=0.8)
    ax.set_xscale("log")
    ax.set_xlabel("extrapolation factor (compute of the run / largest fitted compute)")
    unit = "percentage points" if quantity == "accuracy" else "% of the actual loss"
    ax.set_ylabel(f"actual \N{MINUS SIGN} forecast ({unit})")
    bands = band_patches(PALETTE[0], "interval, mean")
    ax.legend(handles=[*bands, *handles], frameon=False, fontsize=8, loc="best")
    title = f"Forecast errors of {quantity} by extrapolation factor"
    ax.set_title(with_status(title, backtest.status))
    return ax


def _fill_intervals(ax: Axes, cases: pd.DataFrame, unit: pd.Series | float) -> None:
    """Mean ends of the intervals around the median, by extrapolation factor, times the unit."""
    factor = cases["extrapolation_factor"].to_numpy()
    order = np.argsort(factor, kind="stable")
    pieces = [piece for piece in np.array_split(order, min(STEPS, len(order))) if len(piece)]
    # geometric mean: the axis is logarithmic
    middle = np.array([np.exp(np.log(factor[piece]).mean()) for piece in pieces])
    for prob, opacity in BANDS:
        ends = {}
        for end in ("lower", "upper"):
            column = cases[f"{end}_{100 * prob:.0f}"]
            distance = ((column - cases["median"]) * unit).to_numpy()
            ends[end] = np.array([distance[piece].mean() for piece in pieces])
        lower, upper = ends["lower"], ends["upper"]
        ax.fill_between(middle, lower, upper, color=PALETTE[0], alpha=opacity, linewidth=0)
