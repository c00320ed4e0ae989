"""What the figures share: their axes, colours, bands, and the thinned draws of one series."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.typing import ColorType
from numpy.typing import ArrayLike

from bayescale.backtests.record import OURS, Backtest
from bayescale.data.names import visible
from bayescale.errors import SettingError

# Okabe and Ito (2008), told apart by colour-blind readers
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "0.45"
ACTUAL = "black"
# quantiles to 5 % from 400 draws move by about a tenth of a posterior sd: less than a line's width
DRAWS = 400
BANDS = ((0.9, 0.18), (0.5, 0.32))  # probability and opacity, widest first
GRID = 120  # points along a curve


def new_axes(ax: Axes | None, *, width: float = 7.5, height: float = 4.8) -> Axes:
    """The given axes, or those of a new figure of that size in inches, without the frame's upper
    and right side.
    """
    mine = plt.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax
    mine.spines[["top", "right"]].set_visible(False)
    return mine


def literal(text: str, width: int | None = None) -> str:
    """The text as Matplotlib has to get it to draw each letter: ``$`` starts no formula, a control
    character is visible.

    Parameters
    ----------
    text
        What a reader is to see.
    width
        Letters of a line, for a text that is to be broken into lines.
    """
    shown = visible(text)
    lines = [shown] if width is None else textwrap.wrap(shown, width)
    # after the lines are broken, or a break could part the two
    return "\n".join(lines).replace("$", r"\$")


def choose(what: str, wanted: str | None, choices: Sequence[str]) -> str:
    """`wanted`, or the first of the choices for None; a SettingError that names them for anything
    else.
    """
    if wanted is not None and wanted not in choices:
        raise SettingError(
            what,
            rule=f"must be one of {', '.join(choices)}",
            got=repr(wanted),
            way_out="mend the name, or leave it out for the first",
        )
    return choices[0] if wanted is None else wanted


def series_draws(tree: xr.DataTree, names: Sequence[str], **series: str) -> dict[str, jax.Array]:
    """At most `DRAWS` posterior draws of each parameter of one series (``corpus=``, and ``task=``
    or ``loss_name=``), shape (draws,).
    """
    posterior = tree["posterior"].to_dataset()
    total = posterior.sizes["chain"] * posterior.sizes["draw"]
    keep = np.linspace(0, total - 1, min(total, DRAWS)).round().astype(int)
    return {
        name: jnp.asarray(
            posterior[name].sel(series).transpose("chain", "draw").values.reshape(-1)[keep]
        )
        for name in names
    }


def unit_of(units: Mapping[str, str], loss_name: str) -> str:
    """The unit of a loss, or the plain statement that the ladder does not say."""
    return units.get(loss_name, "unit not stated")


def draw_bands(ax: Axes, x: np.ndarray, draws: np.ndarray, color: ColorType) -> None:
    """Median, 50 % and 90 % bands of curves, `draws` of shape (draws, points)."""
    for prob, opacity in BANDS:
        lower, upper = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        ax.fill_between(x, lower, upper, color=color, alpha=opacity, linewidth=0, zorder=1)
    ax.plot(x, np.median(draws, axis=0), color=color, linewidth=2, zorder=2)


def band_handles(color: ColorType, label: str, *, shade: str = "band") -> list[Artist]:
    """Legend entries of `draw_bands`: `label` for the line, `shade` after each probability."""
    shades = [
        Patch(color=color, alpha=opacity, linewidth=0, label=f"{100 * prob:.0f} % {shade}")
        for prob, opacity in reversed(BANDS)
    ]
    return [Line2D([], [], color=color, linewidth=2, label=label), *shades]


def draw_points(
    ax: Axes, x: ArrayLike, y: ArrayLike, marker: str, color: ColorType, *, filled: bool
) -> None:
    """Runs as points: filled where they were fitted, open where not; targets are open and
    see-through, above all.
    """
    target = marker != "o"
    face = color if filled else "none" if target else "white"
    ax.plot(
        np.atleast_1d(x),
        np.atleast_1d(y),
        marker,
        color=color,
        mfc=face,
        mew=1.5,
        ms=8 if target else 6.5,
        zorder=5 if target else 4 if filled else 3,
    )


def points_handle(marker: str, color: ColorType, label: str, *, filled: bool) -> Line2D:
    """Legend entry of `draw_points`."""
    return Line2D(
        [],
        [],
        linestyle="",
        marker=marker,
        ms=7,
        mew=1.5,
        mec=color,
        mfc=color if filled else "none",
        label=label,
    )


def percent(value: float, _: object = None) -> str:
    """A share as a tick label in percent."""
    return f"{100 * value:.4g}"


def add_corpus(title: str, corpus: str, corpora: Sequence[str], status: str) -> str:
    """The title with the corpus where there are several, and with a failed check of the fit."""
    title += f", trained on {corpus}" if len(corpora) > 1 else ""
    return with_status(title, status)


def backtest_cases(backtest: Backtest, quantity: str | None) -> tuple[str, pd.DataFrame]:
    """The quantity to draw, the first there is for None, and its cases of the model asked for; a
    SettingError for one that the backtest lacks.
    """
    ours = backtest.cases[backtest.cases["model"] == OURS]
    quantity = choose(
        "quantity", quantity, [q for q in ("accuracy", "loss") if (ours["quantity"] == q).any()]
    )
    return quantity, ours[ours["quantity"] == quantity]


def with_status(title: str, status: str) -> str:
    """The title letter by letter, and under it a failed check of the fit."""
    return literal(title) + ("\nCHECKS OF THE FIT: FAIL" if status == "fail" else "")
