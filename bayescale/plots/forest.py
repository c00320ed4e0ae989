"""Forest of one parameter: every series, corpora side by side, prior and population beside them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.plots.style import GREY, PALETTE, literal, new_axes, with_status

WIDTHS = ((0.9, 1.5), (0.5, 4.0))  # probability and thickness in points
SHARE = 0.7  # of a row's height that its corpora take


def plot_forest(fit: Fit, parameter: str, *, ax: Axes | None = None) -> Axes:
    """Posterior medians with 50 % and 90 % intervals of a parameter of the law or the link, one row
    a loss (or task), one colour a corpus.

    Below them the population's value, where series share one, and the grey span is the central 90 %
    of the prior of a series.

    Parameters
    ----------
    fit
        The fit.
    parameter
        As in ``fit.summary()``, such as ``"eta"``.
    ax
        Where to draw; None for a new figure.

    Raises
    ------
    SettingError
        For a parameter that no series of the fit has.
    """
    trees = [
        (tree, dim)
        for tree, dim in ((fit.losses, "loss_name"), (fit.accuracies, "task"))
        if tree is not None
    ]
    found = [
        (tree, dim)
        for tree, dim in trees
        if parameter in tree["posterior"] and dim in tree["posterior"][parameter].dims
    ]
    if not found:
        known = [
            str(name)
            for tree, dim in trees
            for name, v in tree["posterior"].to_dataset().data_vars.items()
            if dim in v.dims
        ]
        raise SettingError(
            "parameter",
            rule=f"must be one of {', '.join(known)}",
            got=repr(parameter),
            way_out="mend the name",
        )
    tree, dim = found[0]
    posterior = tree["posterior"].to_dataset()
    draws, prior = posterior[parameter], tree["prior"].to_dataset()[parameter]
    names, corpora = (list(map(str, draws[d].to_numpy())) for d in (dim, "corpus"))
    ax = new_axes(ax, width=8.0, height=1.6 + 0.42 * (len(names) + 1))
    for row, name in enumerate(names):
        for place, corpus in zip(
            np.linspace(-SHARE / 2, SHARE / 2, 2 * len(corpora) + 1)[1::2], corpora, strict=True
        ):
            values = draws.sel({dim: name, "corpus": corpus}).to_numpy().ravel()
            if not np.isnan(values).all():
                _interval(ax, values, row + place, PALETTE[corpora.index(corpus) % len(PALETTE)])
    population = posterior.get(f"population_{parameter}")
    rows = list(names)
    if population is not None and population.ndim == 2:
        _interval(ax, population.to_numpy().ravel(), len(rows), "black")
        rows.append("population")
    ax.axvspan(*np.nanquantile(prior, [0.05, 0.95]), color=GREY, alpha=0.15, linewidth=0, zorder=0)
    ax.set_yticks(range(len(rows)), [literal(row) for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel(literal(parameter))
    handles = [
        Line2D(
            [], [], color=PALETTE[i % len(PALETTE)], marker="o", linewidth=2, label=literal(corpus)
        )
        for i, corpus in enumerate(corpora)
    ]
    ax.legend(
        handles=[*handles, Patch(color=GREY, alpha=0.15, label="prior, 90 %")],
        frameon=False,
        fontsize=9,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
    )
    ax.set_title(with_status(f"{parameter}: median, 50 % (thick) and 90 % intervals", fit.status))
    return ax


def _interval(ax: Axes, values: np.ndarray, height: float, colour: str) -> None:
    for prob, width in WIDTHS:
        ax.plot(
            np.quantile(values, [(1 - prob) / 2, (1 + prob) / 2]),
            [height, height],
            color=colour,
            linewidth=width,
            solid_capstyle="butt",
        )
    ax.plot(np.median(values), height, "o", color=colour, mfc="white", ms=5, zorder=3)
