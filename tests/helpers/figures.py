"""What a figure shows: its legend, its texts and its points."""

import numpy as np
from matplotlib.axes import Axes


def legend(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def texts(ax: Axes) -> str:
    return " ".join(" ".join(text.get_text() for text in ax.texts).split())


def points(ax: Axes, *, filled: bool, marker: str = "o") -> np.ndarray:
    """x, y of the points of one kind, in the order drawn."""
    lines = [
        line
        for line in ax.lines
        if line.get_marker() == marker
        and (line.get_markerfacecolor() not in ("white", "none")) == filled
    ]
    return np.concatenate([np.array(line.get_data(), float) for line in lines], axis=1)
