"""What every printed or written result shares: tables, checks, numbers, the width of the page, kinds of pictures."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from bayescale.checks import Check
from bayescale.costing import money
from bayescale.errors import SettingError

PICTURES = (".png", ".svg", ".pdf")


def width() -> int:
    """Columns to print in: the terminal's, or 150 where there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 150


def print_checks(console: Console, checks: Sequence[Check]) -> None:
    """One row a check."""
    if not checks:
        return
    table = Table("check", "status", "value", "limit", "advice")
    colour = {"pass": "green", "warn": "yellow", "fail": "red", "not run": "red"}
    for c in checks:
        table.add_row(c.check, f"[{colour[c.status]}]{c.status}[/]", f"{c.value:.4g}", f"{c.limit:g}", c.advice)
    console.print(table)


def print_frame(console: Console, frame: pd.DataFrame) -> None:
    """One row a row, numbers to three digits, those from 10,000 to 10^12 to four and written out."""
    table = Table(*map(str, frame.columns))
    for values in frame.itertuples(index=False):
        table.add_row(*((money(v) if 1e4 <= abs(v) < 1e12 else f"{v:.3g}") if isinstance(v, float) else str(v) for v in values))
    console.print(table)


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
        raise SettingError("--plot", rule=f"must end in {', '.join(PICTURES)}", got=repr(path.name), way_out="choose one of them")
