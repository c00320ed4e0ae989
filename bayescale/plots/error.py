"""Figure of a backtest: errors against the extrapolation factor, with the bands in which they were
said to lie.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.backtests.record import Backtest, inside
from bayescale.plots.style import GREY, PALETTE, backtest_cases, new_axes, with_status

BANDS = ((90, 0.18), (50, 0.32))
STEPS = 12  # of the extrapolation factor, over which the ends of the intervals are averaged


def plot_error(backtest: Backtest, *, quantity: str | None = None, ax: Axes | None = None) -> Axes:
    """Actual less forecast against the extrapolation factor; bands are the mean ends of the 50 %
    and 90 % intervals around the forecast, by factor.

    Parameters
    ----------
    backtest
        Whose cases are drawn, those of the model asked for.
    quantity
        ``accuracy`` or ``loss``; None for the first there is.
    ax
        Where to draw; None for a new figure.

    Raises
    ------
    SettingError
        For a quantity that the backtest lacks.
    """
    quantity, cases = backtest_cases(backtest, quantity)
    unit = 100 / cases["actual"] if quantity == "loss" else 100.0
    ax = new_axes(ax)
    order = np.argsort(cases["extrapolation_factor"].to_numpy(), kind="stable")
    pieces = [piece for piece in np.array_split(order, min(STEPS, len(order))) if len(piece)]
    factor = np.array(
        [np.exp(np.log(cases["extrapolation_factor"].iloc[piece]).mean()) for piece in pieces]
    )
    for level, opacity in BANDS:
        ends = [
            ((cases[f"{end}_{level}"] - cases["median"]) * unit).to_numpy()
            for end in ("lower", "upper")
        ]
        lower, upper = (np.array([end[piece].mean() for piece in pieces]) for end in ends)
        ax.fill_between(factor, lower, upper, color=PALETTE[0], alpha=opacity, linewidth=0)
    hit = inside(cases, 0.9) == 1
    for colour, which in ((GREY, hit), (PALETTE[1], ~hit)):
        ax.plot(
            cases.loc[which, "extrapolation_factor"],
            -cases.loc[which, "error"],
            ".",
            color=colour,
            ms=4,
            alpha=0.6,
        )
    ax.axhline(0.0, color="black", linewidth=0.8)
    ax.set_xscale("log")
    ax.set_xlabel("extrapolation factor (compute of the run / largest fitted compute)")
    ax.set_ylabel(
        "actual less forecast (points)"
        if quantity == "accuracy"
        else "actual less forecast (% of the loss)"
    )
    handles = [
        Patch(color=PALETTE[0], alpha=opacity, linewidth=0, label=f"{level} % interval, mean")
        for level, opacity in BANDS
    ]
    names = ((GREY, "inside its 90 % interval"), (PALETTE[1], "outside"))
    dots = [
        Line2D([], [], color=colour, marker=".", linestyle="", label=label)
        for colour, label in names
    ]
    ax.legend(handles=[*handles, *dots], frameon=False, fontsize=8, loc="best")
    ax.set_title(with_status(f"Errors of {quantity} by distance", backtest.status))
    return ax
