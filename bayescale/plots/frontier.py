"""Figure of a frontier: the compute-optimal N and D of each budget, or the loss given up by
over-training.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from bayescale.plots.style import PALETTE, choose, new_axes, percent, with_status

OPTIMUM, GIVEN_UP = "optimum", "loss given up"
NAMES = {"params": "parameters N*", "tokens": "tokens D*"}


def plot_frontier(
    frontier: pd.DataFrame, *, quantity: str = OPTIMUM, ax: Axes | None = None
) -> Axes:
    """N* and D* against the budget, or the loss given up at each D / N: medians and bands.

    Parameters
    ----------
    frontier
        Of `bayescale.frontier`, for two or more budgets.
    quantity
        ``optimum`` or ``loss given up``.
    ax
        Where to draw; None for a new figure.

    Raises
    ------
    SettingError
        For another quantity.
    """
    choose("quantity", quantity, (OPTIMUM, GIVEN_UP))
    ax = new_axes(ax)
    if quantity == OPTIMUM:
        curves = [(label, frontier[frontier["quantity"] == name]) for name, label in NAMES.items()]
        ax.set_yscale("log")
        ax.set_ylabel("parameters, tokens")
    else:
        lost = frontier[frontier["quantity"] == GIVEN_UP]
        curves = [(f"D / N = {m:g}", of) for m, of in lost.groupby("multiplier")]
        ax.set_ylabel("loss given up (% of the loss at the optimum)")
        ax.yaxis.set_major_formatter(percent)
    for colour, (label, of) in zip(PALETTE, curves, strict=False):
        ax.fill_between(of["flops"], of["lower"], of["upper"], color=colour, alpha=0.2, linewidth=0)
        ax.plot(of["flops"], of["median"], "o-", color=colour, ms=4, label=label)
    ax.set_xscale("log")
    ax.set_xlabel("training compute, 6ND (FLOPs)")
    ax.legend(
        frameon=False, title=f"median, {100 * frontier.attrs['prob']:g} % band", title_fontsize=8
    )
    ax.set_title(
        with_status(
            f"Compute-optimal runs, {' on '.join(reversed(frontier.attrs['series']))}",
            frontier.attrs["status"],
        )
    )
    return ax
