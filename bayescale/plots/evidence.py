"""Figure of evidence: what each candidate is worth, and what it costs."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bayescale.decisions.evidence import Evidence
from bayescale.plots.style import GREY, PALETTE, literal, new_axes, with_status


def plot_evidence(evidence: Evidence, *, ax: Axes | None = None) -> Axes:
    """EVSI of each candidate with two standard errors either way, best first; its cost as a line
    across; hollow where it is unreliable.

    Parameters
    ----------
    evidence
        Of `bayescale.value_of_information`.
    ax
        Where to draw; None for a new figure.
    """
    table = evidence.table
    ax = new_axes(ax, width=9.0, height=max(2.4, 1.2 + 0.4 * len(table)))
    y = np.arange(len(table))
    for row, at in zip(table.itertuples(), y, strict=True):
        face = PALETTE[0] if row.reliable else "white"
        ax.errorbar(
            row.evsi, at, xerr=2 * row.evsi_se, fmt="o", color=PALETTE[0], mfc=face, ms=6, capsize=3
        )
        ax.plot([row.cost, row.cost], [at - 0.3, at + 0.3], color=PALETTE[1], linewidth=2.5)
    ax.axvline(table["evpi"].max(), color=GREY, linewidth=1, linestyle=":")
    ax.set_yticks(y, [literal(name) for name in table["candidate"]])
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlim(left=min(0.0, ax.get_xlim()[0]))
    ax.set_xlabel("money")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    handles = [
        Line2D(
            [],
            [],
            color=PALETTE[0],
            marker="o",
            label="expected value of\nits information,\ntwo standard errors",
        ),
        Line2D([], [], color=PALETTE[1], linewidth=2.5, label="its cost"),
        Line2D([], [], color=GREY, linestyle=":", label="value of perfect\ninformation"),
    ]
    ax.legend(
        handles=handles,
        frameon=False,
        fontsize=8,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
    )
    ax.set_title(with_status("What to buy first", evidence.status))
    return ax
