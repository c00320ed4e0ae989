"""Figure of evidence: value and cost of each candidate."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bayescale.decisions.evidence import Evidence
from bayescale.plots.style import GREY, PALETTE, literal, new_axes, with_status


def plot_evidence(evidence: Evidence, *, ax: Axes | None = None) -> Axes:
    """EVSI of each candidate as EVSI +- 2 standard errors, beside its cost; the best comes first.

    EVSI is the expected value of sample information. An open marker stands for an estimate that is
    not reliable. The dotted line is the value of perfect information: no candidate is worth more.

    Parameters
    ----------
    evidence
        The result of `bayescale.value_of_information`.
    ax
        Matplotlib axes to draw on; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Their title says so where a check of the fit failed.
    """
    table = evidence.table
    ax = new_axes(ax, width=9.0, height=max(2.4, 1.2 + 0.4 * len(table)))
    heights = np.arange(len(table))
    for row, y in zip(table.itertuples(), heights, strict=True):
        ax.errorbar(
            row.evsi,
            y,
            xerr=2 * row.evsi_se,
            fmt="o",
            color=PALETTE[0],
            mfc=PALETTE[0] if row.reliable else "white",
            ms=6,
            capsize=3,
        )
        ax.plot([row.cost, row.cost], [y - 0.3, y + 0.3], color=PALETTE[1], linewidth=2.5)
    ax.axvline(table["evpi"].max(), color=GREY, linewidth=1, linestyle=":")
    ax.set_yticks(heights, [literal(name) for name in table["candidate"]])
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlim(left=min(0.0, ax.get_xlim()[0]))
    ax.set_xlabel("money, in the unit of the costs")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    value = "expected value of\nits information,\n\N{PLUS-MINUS SIGN} 2 standard errors"
    perfect = "value of perfect\ninformation"
    handles = [
        Line2D([], [], color=PALETTE[0], marker="o", label=value),
        Line2D([], [], color=PALETTE[1], linewidth=2.5, label="its cost"),
        Line2D([], [], color=GREY, linestyle=":", label=perfect),
    ]
    ax.legend(
        handles=handles,
        frameon=False,
        fontsize=8,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
    )
    ax.set_title(with_status("Value and cost of each candidate", evidence.status))
    return ax
