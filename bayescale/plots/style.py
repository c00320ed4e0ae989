"""Look of the figures: axes, colours, bands, points and titles."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.typing import ColorType
from numpy.typing import ArrayLike

from bayescale.data.names import visible
from bayescale.inference.summary import interval

# Okabe and Ito (2008): colours that colour-blind readers can tell apart
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "0.45"
ACTUAL = "black"
# probability and opacity, widest first
BANDS = ((0.9, 0.18), (0.5, 0.32))
# points along a curve
GRID = 120


def new_axes(ax: Axes | None, *, width: float = 7.5, height: float = 4.8) -> Axes:
    """The given axes, or those of a new figure, without the upper and right side of the frame.

    Parameters
    ----------
    ax
        Matplotlib axes to draw on; None for a new figure.
    width, height
        Size of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes
        The axes to draw on.
    """
    if ax is None:
        ax = plt.subplots(figsize=(width, height), layout="constrained")[1]
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def literal(text: str, width: int | None = None) -> str:
    """The text in the form in which Matplotlib draws every letter as it is.

    A ``$`` starts no formula, and a control character is shown as its escape.

    Parameters
    ----------
    text
        The text that a reader is to see.
    width
        Longest line in letters; None for a text that stays on one line.

    Returns
    -------
    str
        The text to hand to Matplotlib.
    """
    shown = visible(text)
    lines = [shown] if width is None else textwrap.wrap(shown, width)
    # dollars are escaped last: a line must not break between a dollar and its backslash
    return "\n".join(lines).replace("$", r"\$")


def fill_bands(ax: Axes, x: np.ndarray, draws: np.ndarray, color: ColorType) -> None:
    """Equal-tailed 50 % and 90 % bands of curves.

    Parameters
    ----------
    ax
        Matplotlib axes to draw on.
    x
        Points along the curves, shape (points,).
    draws
        Draws of the curves, shape (draws, points).
    color
        Colour of the bands.
    """
    for prob, opacity in BANDS:
        lower, _, upper = interval(draws, prob, axis=0)
        ax.fill_between(x, lower, upper, color=color, alpha=opacity, linewidth=0, zorder=1)


def draw_bands(ax: Axes, x: np.ndarray, draws: np.ndarray, color: ColorType) -> None:
    """Median of curves as a thick line, with their 50 % and 90 % bands.

    Parameters
    ----------
    ax
        Matplotlib axes to draw on.
    x
        Points along the curves, shape (points,).
    draws
        Draws of the curves, shape (draws, points).
    color
        Colour of the line and the bands.
    """
    fill_bands(ax, x, draws, color)
    ax.plot(x, np.median(draws, axis=0), color=color, linewidth=2, zorder=2)


def band_patches(color: ColorType, wording: str) -> list[Patch]:
    """Legend entries of `fill_bands`, the widest band first.

    Parameters
    ----------
    color
        Colour of the bands.
    wording
        Words after each probability, such as "band".

    Returns
    -------
    list of matplotlib.patches.Patch
        One entry per band.
    """
    return [
        Patch(color=color, alpha=opacity, linewidth=0, label=f"{100 * prob:.0f} % {wording}")
        for prob, opacity in BANDS
    ]


def band_handles(color: ColorType, label: str, *, wording: str = "band") -> list[Artist]:
    """Legend entries of `draw_bands`: the line, then its bands, the narrowest first.

    Parameters
    ----------
    color
        Colour of the line and the bands.
    label
        Words for the line.
    wording
        Words after the probability of each band.

    Returns
    -------
    list of matplotlib.artist.Artist
        One entry for the line and one per band.
    """
    line = Line2D([], [], color=color, linewidth=2, label=label)
    return [line, *reversed(band_patches(color, wording))]


def draw_points(
    ax: Axes, x: ArrayLike, y: ArrayLike, marker: str, color: ColorType, *, filled: bool
) -> None:
    """Runs as points: filled where they were fitted, open where they were not.

    Targets have another marker than ``o``. They are larger, lie above all other points, and are
    transparent inside.

    Parameters
    ----------
    ax
        Matplotlib axes to draw on.
    x, y
        Coordinates of the points, each of shape (points,), or one number for a single point.
    marker
        Matplotlib's code of the marker: ``o`` for runs, any other for targets.
    color
        Colour of the points.
    filled
        Whether the runs were fitted.
    """
    is_target = marker != "o"
    if filled:
        face, order = color, 4
    else:
        face, order = "none" if is_target else "white", 3
    ax.plot(
        np.atleast_1d(x),
        np.atleast_1d(y),
        marker,
        color=color,
        mfc=face,
        mew=1.5,
        ms=8 if is_target else 6.5,
        zorder=5 if is_target else order,
    )


def points_handle(marker: str, color: ColorType, label: str, *, filled: bool) -> Line2D:
    """Legend entry of `draw_points`.

    Parameters
    ----------
    marker
        Matplotlib's code of the marker.
    color
        Colour of the points.
    label
        Words for the points.
    filled
        Whether the points are filled.

    Returns
    -------
    matplotlib.lines.Line2D
        The entry.
    """
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
    """A share as a tick label in percent.

    Parameters
    ----------
    value
        The share, in [0, 1] where it is an accuracy.

    Returns
    -------
    str
        100 times the share, to four digits.
    """
    return f"{100 * value:.4g}"


def add_corpus(title: str, corpus: str, corpora: Sequence[str], status: str) -> str:
    """The title with the corpus where the ladder has several, and with a failed check of the fit.

    Parameters
    ----------
    title
        The title without the corpus.
    corpus
        The corpus that is drawn.
    corpora
        All corpora of the ladder.
    status
        Gravest status among the checks of the fit.

    Returns
    -------
    str
        The title to hand to Matplotlib.
    """
    if len(corpora) > 1:
        title += f", trained on {corpus}"
    return with_status(title, status)


def with_status(title: str, status: str) -> str:
    """The title in the form in which every letter is drawn, and a second line for a failed check.

    Parameters
    ----------
    title
        The title as a reader is to see it.
    status
        Gravest status among the checks of the fit; only ``fail`` adds the second line.

    Returns
    -------
    str
        The title to hand to Matplotlib.
    """
    return literal(title) + ("\nCHECKS OF THE FIT: FAIL" if status == "fail" else "")
