"""What every printed or written result shares: tables, checks, numbers, the width of the page,
kinds of pictures.
"""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Iterable, Sequence
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

PICTURES = (".png", ".svg", ".pdf")


def width() -> int:
    """Columns to print in: the terminal's, or 150 where there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 150


def plain(text: object, style: str = "") -> Text:
    """The text letter by letter: no bracket is markup, no colon starts an emoji, each control
    character is visible.
    """
    return Text(visible(text), style=style)


def say(console: Console, text: object) -> None:
    """Print one line of text, letter by letter."""
    console.print(plain(text))


def print_table(
    console: Console,
    columns: Iterable[object],
    rows: Iterable[Iterable[object]],
    title: str | None = None,
) -> None:
    """Print a table of texts, letter by letter; a `Text` stands as it is."""
    table = Table(
        title=None if title is None else plain(title, "table.title"), title_justify="left"
    )
    for column in columns:
        table.add_column(plain(column))
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else plain(cell) for cell in row))
    console.print(table)


def print_checks(console: Console, checks: Sequence[Check]) -> None:
    """One row a check."""
    if not checks:
        return
    colour = {"pass": "green", "warn": "yellow", "fail": "red", "not run": "red"}
    rows = [
        (
            c.check,
            Text.styled(c.status, colour[c.status]),
            f"{c.value:.4g}",
            f"{c.limit:g}",
            c.advice,
        )
        for c in checks
    ]
    print_table(console, ("check", "status", "value", "limit", "advice"), rows)


def print_frame(console: Console, frame: pd.DataFrame) -> None:
    """One row a row, numbers to three digits, those from 10,000 to 10^12 to four and written
    out.
    """
    rows = (
        [
            (money(v) if 1e4 <= abs(v) < 1e12 else f"{v:.3g}") if isinstance(v, float) else v
            for v in values
        ]
        for values in frame.itertuples(index=False)
    )
    print_table(console, frame.columns, rows)


def number(value: float | np.floating[Any]) -> float | None:
    """Null in JSON where it is not finite."""
    return float(value) if math.isfinite(value) else None


def as_text(value: object) -> str:
    """Empty for what is not there."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def check_picture(path: Path) -> None:
    """A SettingError for a kind of picture that nobody draws here."""
    if path.suffix not in PICTURES:
        raise SettingError(
            "--plot",
            rule=f"must end in {', '.join(PICTURES)}",
            got=repr(path.name),
            way_out="choose one of them",
        )


def diagnostics(fit: Fit) -> dict[str, Any]:
    """Status, the extremes over both steps, and every check."""
    value = {c.check: c.value for c in fit.checks}

    def over(name: str, which: Any) -> float | None:
        return number(which([v for k, v in value.items() if k.endswith(name)]))

    rows = [
        {
            "check": c.check,
            "status": c.status,
            "value": number(c.value),
            "limit": number(c.limit),
            "advice": c.advice,
        }
        for c in fit.checks
    ]
    extremes = {
        "max_rhat": over("R-hat", max),
        "min_ess_bulk": over("bulk ESS", min),
        "min_ess_tail": over("tail ESS", min),
        "divergences": over("divergences", sum),
    }
    return {"status": fit.status, **extremes, "checks": rows}
