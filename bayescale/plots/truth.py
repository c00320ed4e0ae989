"""Figure of a backtest: intervals against what came out."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from bayescale.backtests.record import Backtest, inside
from bayescale.plots.style import (
    GREY,
    PALETTE,
    backtest_cases,
    choose,
    new_axes,
    percent,
    with_status,
)


def plot_truth(
    backtest: Backtest,
    *,
    quantity: str | None = None,
    cut: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Median and 90 % interval of every case against its actual figure; those that missed in
    another colour.

    Parameters
    ----------
    backtest
        Whose cases are drawn, those of the model asked for.
    quantity
        ``accuracy`` or ``loss``; None for the first there is.
    cut
        One of the cuts; None for the last.
    ax
        Where to draw; None for a new figure.

    Raises
    ------
    SettingError
        For a quantity or a cut that the backtest lacks.
    """
    quantity, cases = backtest_cases(backtest, quantity)
    cuts = {f"{c:g}": c for c in sorted(set(cases["cut"]), reverse=True)}
    name = choose("cut", None if cut is None else f"{cut:g}", list(cuts))
    cases = cases[cases["cut"] == cuts[name]]
    ax = new_axes(ax)
    hit = inside(cases, 0.9) == 1
    for colour, which, label in ((PALETTE[0], hit, "inside"), (PALETTE[1], ~hit, "outside")):
        of = cases[which]
        around = np.abs(of[["lower_90", "upper_90"]].to_numpy().T - of["median"].to_numpy())
        ax.errorbar(
            of["actual"],
            of["median"],
            around,
            fmt="o",
            color=colour,
            ms=4,
            elinewidth=1,
            alpha=0.7,
            label=f"{label} ({len(of)})",
        )
    ends = [
        min(cases["actual"].min(), cases["lower_90"].min()),
        max(cases["actual"].max(), cases["upper_90"].max()),
    ]
    ax.plot(ends, ends, color=GREY, linewidth=0.8)
    ax.set_xlabel(f"actual {quantity}" + (" (%)" if quantity == "accuracy" else ""))
    ax.set_ylabel("forecast: median, 90 % interval" + (" (%)" if quantity == "accuracy" else ""))
    if quantity == "accuracy":
        ax.xaxis.set_major_formatter(percent)
        ax.yaxis.set_major_formatter(percent)
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    ax.set_title(
        with_status(
            f"{quantity.capitalize()} beyond the cut at {name} {backtest.by}", backtest.status
        )
    )
    return ax
