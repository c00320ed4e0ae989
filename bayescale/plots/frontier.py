"""Figure of a frontier: compute-optimal N and D per budget, or the loss given up beside them."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from bayescale.plots.selection import choose
from bayescale.plots.style import PALETTE, new_axes, percent, with_status

OPTIMUM = "optimum"
GIVEN_UP = "loss given up"
NAMES = {"params": "parameters N*", "tokens": "tokens D*"}


def plot_frontier(
    frontier: pd.DataFrame, *, quantity: str = OPTIMUM, ax: Axes | None = None
) -> Axes:
    """(N*, D*) = argmin of the loss over 6ND = C, against the budget C; median and band.

    With ``quantity="loss given up"``: how much larger the loss is at a given D / N than at the
    optimum of the same budget, in percent.

    Parameters
    ----------
    frontier
        The result of `bayescale.frontier` for two or more budgets.
    quantity
        ``optimum`` or ``loss given up``.
    ax
        Matplotlib axes to draw on; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Their title says so where a check of the fit failed.

    Raises
    ------
    SettingError
        For a quantity that is not one of the two.
    """
    choose("quantity", quantity, (OPTIMUM, GIVEN_UP))
    ax = new_axes(ax)
    if quantity == OPTIMUM:
        curves = [(label, frontier[frontier["quantity"] == name]) for name, label in NAMES.items()]
        ax.set_yscale("log")
        ax.set_ylabel("parameters, tokens")
    else:
        rows = frontier[frontier["quantity"] == GIVEN_UP]
        curves = [(f"D / N = {number:g}", curve) for number, curve in rows.groupby("multiplier")]
        ax.set_ylabel("loss given up (% of the loss at the optimum)")
        ax.yaxis.set_major_formatter(percent)
    for colour, (label, curve) in zip(PALETTE, curves, strict=False):
        flops = curve["flops"]
        ax.fill_between(flops, curve["lower"], curve["upper"], color=colour, alpha=0.2, linewidth=0)
        ax.plot(flops, curve["median"], "o-", color=colour, ms=4, label=label)
    ax.set_xscale("log")
    ax.set_xlabel("training compute, 6ND (FLOPs)")
    title = f"median, {100 * frontier.attrs['prob']:g} % band"
    ax.legend(frameon=False, title=title, title_fontsize=8)
    corpus, loss_name = frontier.attrs["series"]
    title = f"Compute-optimal runs, {loss_name} on {corpus}"
    ax.set_title(with_status(title, frontier.attrs["status"]))
    return ax
