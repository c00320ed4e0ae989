"""What printed and written results share: text, tables, numbers, checks, kinds of pictures."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bayescale.checks import Check
from bayescale.data.names import visible
from bayescale.decisions.cost import money
from bayescale.errors import SettingError
from bayescale.fits.record import Fit

# Endings of the pictures that --plot can write.
PICTURES = (".png", ".svg", ".pdf")
# Columns of a page where the output is not a terminal: the widest tables fit.
PAGE_WIDTH = 150
# Width in which any table is measured.
MAX_WIDTH = 10_000
# First characters with which a spreadsheet takes a cell as a formula, and the apostrophe itself, so
# that a reader may drop one from every text that begins with one.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
STATUS_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "not run": "red"}


def width() -> int:
    """Columns of the page: the terminal's, or `PAGE_WIDTH` where the output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PAGE_WIDTH


def plain(text: object, style: str = "") -> Text:
    """The text letter by letter: no bracket is markup, no colon starts an emoji.

    Parameters
    ----------
    text
        Any object; its `str` is shown, each control character as its escape.
    style
        Rich style of the whole text.

    Returns
    -------
    Text
        Text that a console prints as it is.
    """
    return Text(visible(text), style=style)


def print_text(console: Console, text: object) -> None:
    """Print a text letter by letter, as `plain` shows it, and end the line."""
    console.print(plain(text))


def print_table(
    console: Console,
    columns: Iterable[object],
    rows: Iterable[Iterable[object]],
    title: str | None = None,
) -> None:
    """Print a table of texts, letter by letter.

    Parameters
    ----------
    console
        Where to print.
    columns
        Heads of the columns.
    rows
        Cells of each row; a `Text` keeps its own style.
    title
        Text above the table; None for none.
    """
    console.print(_table(columns, rows, title))


def _table(
    columns: Iterable[object], rows: Iterable[Iterable[object]], title: str | None = None
) -> Table:
    """The table of `print_table`."""
    table = Table(
        title=None if title is None else plain(title, "table.title"), title_justify="left"
    )
    for column in columns:
        table.add_column(plain(column))
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else plain(cell) for cell in row))
    return table


def print_checks(console: Console, checks: Sequence[Check]) -> None:
    """Print a table with one row per check; nothing where there are no checks."""
    if not checks:
        return
    rows = [
        (
            check.check,
            Text.styled(check.status, STATUS_COLOURS[check.status]),
            f"{check.value:.4g}",
            f"{check.limit:g}",
            check.advice,
        )
        for check in checks
    ]
    print_table(console, ("check", "status", "value", "limit", "advice"), rows)


def print_frame(console: Console, frame: pd.DataFrame) -> None:
    """Print a frame: floats to three digits, floats from 1,000 to 10^12 to four, in full.

    A frame that is too wide for the page and has fewer rows than columns is printed on its side,
    one column per row.

    Parameters
    ----------
    console
        Where to print.
    frame
        Table to print.
    """
    rows = [[_frame_cell(value) for value in row] for row in frame.itertuples(index=False)]
    table = _table(frame.columns, rows)
    wide = console.measure(table, options=console.options.update(max_width=MAX_WIDTH)).maximum
    if wide > console.width and len(rows) < len(frame.columns):
        names = [str(name) for name in frame.columns]
        turned = [list(cells) for cells in zip(names, *rows, strict=True)]
        table = _table(turned[0], turned[1:])
    console.print(table)


def _frame_cell(value: object) -> object:
    """A float as the text of its first digits; any other value as it is."""
    if not isinstance(value, float):
        return value
    return money(value) if 1e3 <= abs(value) < 1e12 else f"{value:.3g}"


def json_number(value: float | np.floating[Any]) -> float | None:
    """The number for JSON, which has no nan and no infinity: None in place of them."""
    return float(value) if math.isfinite(value) else None


def json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame for JSON, one dictionary per row; nan and infinity become None."""
    return json.loads(frame.to_json(orient="records"))


def for_spreadsheets(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame for a CSV file: texts that a spreadsheet would run as formulas get an apostrophe.

    Parameters
    ----------
    frame
        Table with names from a user's files, such as ``=2+3``.

    Returns
    -------
    DataFrame
        The same numbers. A text that begins with one of `FORMULA` has one apostrophe before it.
    """
    return frame.map(
        lambda value: f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
    )


def cell_text(value: object) -> str:
    """The value as text, floats with six digits; empty for None and nan."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def check_picture(path: Path) -> None:
    """Check that the file's ending is that of a picture which --plot can write.

    Parameters
    ----------
    path
        Path of the picture.

    Raises
    ------
    SettingError
        For an ending that is not in `PICTURES`.
    """
    if path.suffix not in PICTURES:
        raise SettingError(
            "--plot",
            rule=f"must end in {', '.join(PICTURES)}",
            got=repr(path.name),
            way_out="choose one of them",
        )


def diagnostics_json(fit: Fit) -> dict[str, Any]:
    """JSON of a fit's diagnostics: status, the extremes over law and link, and every check.

    Parameters
    ----------
    fit
        Fit whose checks are shown.

    Returns
    -------
    dict
        Keys status, max_rhat, min_ess_bulk, min_ess_tail, divergences (the sum) and checks.
    """
    values = {check.check: check.value for check in fit.checks}

    def over_stages(ending: str, summary: Callable[[list[float]], float]) -> float | None:
        return json_number(
            summary([value for name, value in values.items() if name.endswith(ending)])
        )

    extremes = {
        "max_rhat": over_stages("R-hat", max),
        "min_ess_bulk": over_stages("bulk ESS", min),
        "min_ess_tail": over_stages("tail ESS", min),
        "divergences": over_stages("divergences", sum),
    }
    rows = [
        {
            "check": check.check,
            "status": check.status,
            "value": json_number(check.value),
            "limit": json_number(check.limit),
            "advice": check.advice,
        }
        for check in fit.checks
    ]
    return {"status": fit.status, **extremes, "checks": rows}


def print_status(console: Console, fit: Fit, seconds: float) -> None:
    """Print the checks of a fit that did not pass, then its status and the seconds of the command.

    Parameters
    ----------
    console
        Where to print.
    fit
        Fit behind the answer.
    seconds
        Seconds that the command took.
    """
    print_checks(console, [check for check in fit.checks if check.status != "pass"])
    print_text(console, f"checks of the fit: {fit.status}; {seconds:.1f} s in total")


def interval_text(summary: Mapping[str, float] | None, *, unit: float, digits: int) -> str:
    """Median and interval in multiples of the unit; empty without a summary.

    Parameters
    ----------
    summary
        Values of median, lower and upper; None for no summary.
    unit
        Factor of each value: 100 shows shares in percent.
    digits
        Digits after the decimal point.
    """
    if summary is None:
        return ""
    median, lower, upper = (
        figure_text(summary[name], unit=unit, digits=digits)
        for name in ("median", "lower", "upper")
    )
    return f"{median} ({lower} to {upper})"


def figure_text(value: float | None, *, unit: float, digits: int) -> str:
    """The value times the unit, with these digits after the point; empty for None."""
    return "" if value is None else f"{unit * value:.{digits}f}"
