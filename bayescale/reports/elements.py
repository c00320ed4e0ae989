"""What a section is made of: tables and pictures, ready for the template."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Cell(NamedTuple):
    """Of a table; text stands to the left and may be broken into lines."""

    text: str
    is_text: bool


@dataclass(frozen=True)
class Table:
    """Rows of cells under a caption."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def text_columns(self) -> tuple[bool, ...]:
        """Whether each column holds text."""
        return tuple(bool(self.rows) and self.rows[0][i].is_text for i in range(len(self.columns)))


@dataclass(frozen=True)
class Picture:
    """A PNG in base64, and in words."""

    png: str
    alternative: str


@dataclass(frozen=True)
class Section:
    """One heading and what stands under it; `missing` says why where it could not be filled."""

    title: str
    headline: str = ""
    texts: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    points: tuple[str, ...] = ()
    missing: str = ""


def table(caption: str, frame: pd.DataFrame) -> Table:
    """A frame as rows of cells, numbers to three digits, underscores of its columns as blanks."""
    rows = tuple(tuple(_cell(v) for v in row) for row in frame.itertuples(index=False))
    return Table(caption, tuple(str(c).replace("_", " ") for c in frame.columns), rows)


def _cell(value: object) -> Cell:
    if isinstance(value, bool | np.bool_):
        return Cell("yes" if value else "no", is_text=True)
    if isinstance(value, int | np.integer):
        return Cell(f"{value:,}", is_text=False)
    if isinstance(value, float | np.floating):
        number = float(value)
        if np.isnan(number):
            return Cell("", is_text=False)
        return Cell(
            f"{number:,.0f}" if 1e3 <= abs(number) < 1e9 else f"{number:.3g}", is_text=False
        )
    return Cell("" if value is None else str(value), is_text=True)


def picture(ax: Axes, alternative: str) -> Picture:
    """The figure of these axes, drawn and closed."""
    from matplotlib import pyplot as plt

    figure = ax.get_figure(root=True)
    assert figure is not None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    return Picture(base64.b64encode(buffer.getvalue()).decode(), alternative)
