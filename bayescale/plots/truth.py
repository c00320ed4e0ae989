"""Figure of a backtest: forecast intervals against the actual values."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from bayescale.backtests.record import Backtest, inside
from bayescale.plots.selection import backtest_cases, choose
from bayescale.plots.style import GREY, PALETTE, new_axes, percent, with_status

# what a backtest cuts by, with the unit of the cut
UNITS = {"flops": "FLOPs", "params": "parameters", "tokens": "tokens"}


def plot_truth(
    backtest: Backtest,
    *,
    quantity: str | None = None,
    cut: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Forecast against actual value: median and 90 % interval of each case at one cut.

    Cases outside their interval have another colour. On the grey line forecast and actual value
    are equal.

    Parameters
    ----------
    backtest
        The backtest. Forecasts with its own settings are drawn, its baselines are not.
    quantity
        ``accuracy`` or ``loss``; None for the first of the two that the backtest has.
    cut
        One of the cuts of the backtest, in the unit that it cuts by (such as FLOPs); None for the
        largest.
    ax
        Matplotlib axes to draw on; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Their title says so where a check of a fit failed.

    Raises
    ------
    SettingError
        For a quantity or a cut that the backtest lacks.
    """
    quantity, cases = backtest_cases(backtest, quantity)
    cuts = {f"{number:g}": number for number in sorted(set(cases["cut"]), reverse=True)}
    chosen_cut = choose("cut", None if cut is None else f"{cut:g}", list(cuts))
    cases = cases[cases["cut"] == cuts[chosen_cut]]
    ax = new_axes(ax)
    hit = inside(cases, 0.9) == 1
    for colour, chosen, label in ((PALETTE[0], hit, "inside"), (PALETTE[1], ~hit, "outside")):
        group = cases[chosen]
        median = group["median"].to_numpy()
        ax.errorbar(
            group["actual"],
            median,
            np.abs(group[["lower_90", "upper_90"]].to_numpy().T - median),
            fmt="o",
            color=colour,
            ms=4,
            elinewidth=1,
            alpha=0.7,
            label=f"{label} ({len(group)})",
        )
    lowest = min(cases["actual"].min(), cases["lower_90"].min())
    highest = max(cases["actual"].max(), cases["upper_90"].max())
    ax.plot([lowest, highest], [lowest, highest], color=GREY, linewidth=0.8)
    unit = " (%)" if quantity == "accuracy" else ""
    ax.set_xlabel(f"actual {quantity}{unit}")
    ax.set_ylabel(f"forecast: median and 90 % interval{unit}")
    if quantity == "accuracy":
        ax.xaxis.set_major_formatter(percent)
        ax.yaxis.set_major_formatter(percent)
    ax.legend(frameon=False, fontsize=8, loc="upper left", title="90 % interval", title_fontsize=8)
    cut_unit = UNITS.get(backtest.by, backtest.by)
    title = f"{quantity.capitalize()} of runs above the cut at {chosen_cut} {cut_unit}"
    ax.set_title(with_status(title, backtest.status))
    return ax
