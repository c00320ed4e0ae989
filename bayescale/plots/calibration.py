"""Figure of a backtest: nominal against actual coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bayescale.backtests.record import LEVELS, Backtest, covered, factor_bin
from bayescale.plots.selection import backtest_cases
from bayescale.plots.style import PALETTE, new_axes, with_status


def plot_calibration(
    backtest: Backtest, *, quantity: str | None = None, ax: Axes | None = None
) -> Axes:
    """Coverage against nominal level p: the share of cases with lower_p <= actual <= upper_p.

    One line per bin of the extrapolation factor, and all cases together in black. A line on the
    diagonal is calibrated; a line below it belongs to intervals that are too narrow. Shares are
    averaged as in `Backtest.coverage`.

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
    ax.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    groups = cases.groupby(factor_bin(cases["extrapolation_factor"]), observed=True)
    for colour, (name, group) in zip(PALETTE, groups, strict=False):
        label = f"{name} ({len(group)})"
        ax.plot(*_coverage(group), "o-", color=colour, linewidth=1, ms=4, label=label)
    label = f"all ({len(cases)})"
    ax.plot(*_coverage(cases), "s-", color="black", linewidth=2, ms=5, label=label)
    ax.set_xlim(0.4, 1.0)
    ax.set_ylim(0.0, 1.03)
    ax.set_xlabel("nominal probability of the interval")
    ax.set_ylabel("share of cases inside the interval")
    ax.legend(
        frameon=False,
        fontsize=8,
        loc="lower right",
        title="extrapolation factor (number of cases)",
        title_fontsize=8,
    )
    ax.set_title(with_status(f"Calibration, {quantity}", backtest.status))
    return ax


def _coverage(cases: pd.DataFrame) -> tuple[np.ndarray, list[float]]:
    """The nominal levels, and the share of cases inside the interval of each level."""
    return np.array(LEVELS), [float(covered(cases, level).mean()) for level in LEVELS]
