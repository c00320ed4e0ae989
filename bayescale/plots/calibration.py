"""Figure of a backtest: nominal against actual coverage."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from bayescale.backtests.record import LEVELS, Backtest, covered, factor_bin
from bayescale.plots.style import PALETTE, backtest_cases, new_axes, with_status


def plot_calibration(
    backtest: Backtest, *, quantity: str | None = None, ax: Axes | None = None
) -> Axes:
    """Share of cases inside against the nominal level, one line a bin of the extrapolation factor,
    and all together in black; as `Backtest.coverage`.

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
    ax = new_axes(ax)
    nominal = np.array(LEVELS)
    ax.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    groups = cases.groupby(factor_bin(cases["extrapolation_factor"]), observed=True)
    for colour, (name, of) in zip(PALETTE, groups, strict=False):
        ax.plot(
            nominal,
            [covered(of, p).mean() for p in LEVELS],
            "o-",
            color=colour,
            linewidth=1,
            ms=4,
            label=f"{name} ({len(of)})",
        )
    ax.plot(
        nominal,
        [covered(cases, p).mean() for p in LEVELS],
        "s-",
        color="black",
        linewidth=2,
        ms=5,
        label=f"all ({len(cases)})",
    )
    ax.set_xlim(0.4, 1.0)
    ax.set_ylim(0.0, 1.03)
    ax.set_xlabel("nominal probability of the interval")
    ax.set_ylabel("share of cases inside")
    ax.legend(
        frameon=False,
        fontsize=8,
        loc="lower right",
        title="extrapolation factor (cases)",
        title_fontsize=8,
    )
    ax.set_title(with_status(f"Calibration, {quantity}", backtest.status))
    return ax
