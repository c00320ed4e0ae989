"""Forest of one parameter: its interval in every series, beside its prior and the population."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.fits.record import Fit
from bayescale.inference.posterior import Posterior
from bayescale.inference.summary import interval
from bayescale.plots.style import GREY, PALETTE, literal, new_axes, with_status
from bayescale.validation import require_choice

# probability and thickness in points
WIDTHS = ((0.9, 1.5), (0.5, 4.0))
# share of the height of a row that its corpora take
SHARE = 0.7
# probabilities at the ends of the prior's span
PRIOR_ENDS = (0.05, 0.95)


def plot_forest(fit: Fit, parameter: str, *, ax: Axes | None = None) -> Axes:
    """Posterior median with 50 % and 90 % intervals of one parameter, one row per loss or task.

    Each corpus has its own colour. A row for the population follows where series share one. The
    grey span is the central 90 % of the prior of a series.

    Parameters
    ----------
    fit
        The fit.
    parameter
        Name of a parameter of the law or the link, as in ``fit.summary()``, such as ``"eta"``.
    ax
        Matplotlib axes to draw on; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Their title says so where a check of the fit failed.

    Raises
    ------
    SettingError
        For a parameter that no series of the fit has.
    """
    tree, dim = _find(fit, parameter)
    posterior = tree["posterior"].to_dataset()
    draws = posterior[parameter]
    names = [str(name) for name in draws[dim].to_numpy()]
    corpora = [str(corpus) for corpus in draws["corpus"].to_numpy()]
    ax = new_axes(ax, width=8.0, height=1.6 + 0.42 * (len(names) + 1))
    _draw_series(ax, draws, dim, names, corpora)
    rows = list(names)
    population = posterior.get(f"population_{parameter}")
    # one population alone, over (chain, draw): several kinds of series have one each
    if population is not None and population.ndim == 2:
        _draw_interval(ax, population.to_numpy().ravel(), len(rows), "black")
        rows.append("population")
    prior = np.nanquantile(tree["prior"].to_dataset()[parameter], PRIOR_ENDS)
    ax.axvspan(*prior, color=GREY, alpha=0.15, linewidth=0, zorder=0)
    ax.set_yticks(range(len(rows)), [literal(row) for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel(literal(parameter))
    handles = [
        Line2D([], [], color=_colour(i), marker="o", linewidth=2, label=literal(corpus))
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


def _find(fit: Fit, parameter: str) -> tuple[xr.DataTree, str]:
    """The posterior that has the parameter for every series, and the dimension of its series."""
    known: dict[str, tuple[Posterior, str]] = {}
    for stage, posterior in fit.posteriors.named():
        dim = "loss_name" if stage == "loss" else "task"
        for name, values in posterior.draws["posterior"].to_dataset().data_vars.items():
            if dim in values.dims:
                # a law's parameter goes before a link's of the same name
                known.setdefault(str(name), (posterior, dim))
    require_choice("parameter", parameter, known, way_out="fix the name")
    posterior, dim = known[parameter]
    return posterior.whole, dim


def _colour(corpus: int) -> str:
    """Colour of a corpus, by its place."""
    return PALETTE[corpus % len(PALETTE)]


def _draw_series(
    ax: Axes, draws: xr.DataArray, dim: str, names: Sequence[str], corpora: Sequence[str]
) -> None:
    """One interval per series: rows are names, corpora lie one below the other in a row."""
    offsets = np.linspace(-SHARE / 2, SHARE / 2, 2 * len(corpora) + 1)[1::2]
    for row, name in enumerate(names):
        for i, (offset, corpus) in enumerate(zip(offsets, corpora, strict=True)):
            values = draws.sel({dim: name, "corpus": corpus}).to_numpy().ravel()
            # nan where the corpus lacks this loss or task
            if not np.isnan(values).all():
                _draw_interval(ax, values, row + offset, _colour(i))


def _draw_interval(ax: Axes, values: np.ndarray, height: float, colour: str) -> None:
    """Median, 50 % and 90 % interval of draws at one height."""
    for prob, width in WIDTHS:
        lower, _, upper = interval(values, prob)
        ax.plot(
            [lower, upper],
            [height, height],
            color=colour,
            linewidth=width,
            solid_capstyle="butt",
        )
    ax.plot(np.median(values), height, "o", color=colour, mfc="white", ms=5, zorder=3)
