"""Elements of a section: tables and pictures, ready for the template."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TableCell(NamedTuple):
    """One cell of a table: its text, and whether it holds words rather than a number.

    Words stand to the left and may be broken into lines; numbers stand to the right.
    """

    text: str
    is_text: bool


@dataclass(frozen=True)
class Table:
    """Rows of cells under a caption.

    Parameters
    ----------
    caption
        Text above the table.
    columns
        Heading of each column.
    rows
        One tuple per row, with one cell per column.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]

    @property
    def text_columns(self) -> tuple[bool, ...]:
        """Whether each column holds words, as its first row does; False in a table without rows."""
        if not self.rows:
            return (False,) * len(self.columns)
        return tuple(cell.is_text for cell in self.rows[0])


@dataclass(frozen=True)
class Picture:
    """A picture, and the same in words.

    Parameters
    ----------
    png
        The PNG file in base64.
    alternative
        Text for a reader who cannot see the picture.
    """

    png: str
    alternative: str


@dataclass(frozen=True)
class Section:
    """One heading and its contents: paragraphs, pictures, tables and a list, in this order.

    Parameters
    ----------
    title
        The heading.
    headline
        One line in large letters; empty for none.
    texts
        Paragraphs.
    tables
        Tables.
    pictures
        Pictures.
    points
        Entries of the list.
    missing
        Why the section could not be filled; empty where it could.
    """

    title: str
    headline: str = ""
    texts: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    points: tuple[str, ...] = ()
    missing: str = ""


def table(caption: str, frame: pd.DataFrame, *, most: int | None = None) -> Table:
    """A frame as rows of cells: numbers to three digits, underscores in headings as blanks.

    Parameters
    ----------
    caption
        Text above the table.
    frame
        The frame; its index is left out.
    most
        Largest number of rows to show: the first of the frame, as the caption then says. None
        shows all rows.

    Returns
    -------
    Table
        The table.
    """
    if most is not None and len(frame) > most:
        caption = f"{caption} (the first {most} of {len(frame)} rows)"
        frame = frame.head(most)
    rows = tuple(tuple(_cell(value) for value in row) for row in frame.itertuples(index=False))
    return Table(caption, tuple(str(name).replace("_", " ") for name in frame.columns), rows)


def _cell(value: object) -> TableCell:
    """One value as a cell: nan and None are empty."""
    if isinstance(value, bool | np.bool_):
        return TableCell("yes" if value else "no", is_text=True)
    if isinstance(value, int | np.integer):
        return TableCell(f"{value:,}", is_text=False)
    if isinstance(value, float | np.floating):
        return TableCell(_number(float(value)), is_text=False)
    return TableCell("" if value is None else str(value), is_text=True)


def _number(value: float) -> str:
    """A number to three digits, or whole from a thousand to a thousand million."""
    if np.isnan(value):
        return ""
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.3g}"


def picture(ax: Axes, alternative: str) -> Picture:
    """The figure of the given axes as a PNG; the figure is closed.

    Parameters
    ----------
    ax
        Matplotlib axes of the figure.
    alternative
        Text for a reader who cannot see the picture.

    Returns
    -------
    Picture
        The picture.
    """
    from matplotlib import pyplot as plt

    figure = ax.get_figure(root=True)
    assert figure is not None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    return Picture(base64.b64encode(buffer.getvalue()).decode(), alternative)
