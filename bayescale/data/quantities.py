"""numbers: cells of a table as floats; sizes may be written ``1.3B``, ``370M`` or ``4T``."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from bayescale.errors import DataError
from bayescale.validation import shown

# What a letter after a size stands for.
SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12, "P": 1e15}
_SUFFIXED = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*([KMBGTP])\s*", re.IGNORECASE)
# Groups of three digits, such as 1,316,000,000.
_GROUPED = re.compile(r"\s*[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?\s*")
# A decimal comma, such as 2,566: only where commas do not part the cells of the table.
_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+([eE][+-]?[0-9]+)?\s*")
# Words for a cell without a value.
MISSING = {"", "nan", "na", "n/a", "none", "null", "-"}


def suffixed(text: object) -> float:
    """The size that a text such as ``1.3B`` stands for; nan for any other object.

    Parameters
    ----------
    text
        Any object.
    """
    match = _SUFFIXED.fullmatch(text) if isinstance(text, str) else None
    return float(match[1]) * SUFFIXES[match[2].upper()] if match else float("nan")


def to_floats(column: pd.Series, what: str, rule: str = "must be a number") -> pd.Series:
    """The column as floats, empty cells as nan.

    Parameters
    ----------
    column
        Numbers, or texts that are written as numbers. Words such as ``NaN`` are empty cells.
    what
        The column, named as the user named it.
    rule
        What the message says of a cell that is no number.

    Returns
    -------
    Series
        Floats, indexed as `column`.

    Raises
    ------
    DataError
        For a cell that is no number: text, a date, a truth value, a complex number, or a whole
        number that no float can hold. The message counts such cells and shows the first one.
    """
    number = pd.Series([_as_float(cell) for cell in column], column.index, dtype=float)
    bad = np.flatnonzero(number.isna() & ~column.map(_is_missing).astype(bool))
    if len(bad):
        cell = column.iloc[bad[0]]
        more = f" (and in {len(bad) - 1} more rows)" if len(bad) > 1 else ""
        raise DataError(
            f"{what}, row {bad[0] + 1}",
            rule=rule,
            got=f"{shown(cell)}{more}",
            way_out=_way_out(cell),
        )
    return number


def to_text(column: pd.Series, what: str) -> pd.Series:
    """The column as text without blanks around it, empty cells as nan.

    Parameters
    ----------
    column
        Names, or numbers that stand for names.
    what
        The column, named as the user named it.

    Raises
    ------
    DataError
        For a cell that holds a list or another collection.
    """
    for row, cell in enumerate(column):
        if not pd.api.types.is_scalar(cell):
            raise DataError(
                f"{what}, row {row + 1}",
                rule="must hold one name",
                got=shown(cell),
                way_out="write a name",
            )
    text = column.astype(object)
    return text.where(text.isna(), text.map(str).str.strip())


def sizes(column: pd.Series, what: str) -> tuple[pd.Series, bool]:
    """The column as floats, where sizes may have a suffix: K, M, B, G, T or P.

    Parameters
    ----------
    column
        Numbers, or texts such as ``1.3B``.
    what
        The column, named as the user named it.

    Returns
    -------
    numbers : Series
        Floats, indexed as `column`.
    had_suffix : bool
        Whether any cell had a suffix.

    Raises
    ------
    DataError
        For a cell that is no size.
    """
    grouped = column.map(_without_groups)
    with_suffix = grouped.map(suffixed).astype(float)
    had_suffix = with_suffix.notna()
    plain = to_floats(grouped.mask(had_suffix), what, "must be a number, or a size such as 1.3B")
    return plain.where(~had_suffix, with_suffix), bool(had_suffix.any())


def without_decimal_commas(column: pd.Series) -> pd.Series:
    """The column with ``2,566`` as ``2.566``, for a table whose cells are not parted by commas.

    Parameters
    ----------
    column
        Cells as they are written.
    """
    return column.map(
        lambda cell: (
            cell.replace(",", ".")
            if isinstance(cell, str) and _DECIMAL_COMMA.fullmatch(cell)
            else cell
        )
    )


def _without_groups(cell: object) -> object:
    """1,316,000,000 as 1316000000; every other cell as it is."""
    return cell.replace(",", "") if isinstance(cell, str) and _GROUPED.fullmatch(cell) else cell


def _as_float(cell: object) -> float:
    """The cell as a float; nan for whatever is no real number."""
    if not isinstance(cell, str | int | float | np.integer | np.floating):
        return float("nan")
    if isinstance(cell, bool):
        return float("nan")
    try:
        return float(cell)
    except (ValueError, OverflowError):
        return float("nan")


def _is_missing(cell: object) -> bool:
    """Whether a cell is empty."""
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def _way_out(cell: object) -> str:
    """What to do about a cell that is no number."""
    size = suffixed(cell)
    if np.isfinite(size):
        return f"write {size:.0f}"
    text = cell.strip() if isinstance(cell, str) else ""
    if text.endswith("%"):
        return "write the share: 27 % is 0.27"
    if _GROUPED.fullmatch(text):
        return f"write {text.replace(',', '')}"
    return "fix the cell, or leave it empty where the column is optional"
