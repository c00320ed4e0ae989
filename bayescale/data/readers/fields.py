"""Values of a file of results: a number, a text or a mapping where the format promises one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_string_dtype

from bayescale.data.readers.parse import pick
from bayescale.errors import FileError


def as_number(value: object) -> float:
    """The value as a float; nan for everything that is no finite number.

    Parameters
    ----------
    value
        Any value of a JSON file. True and False are no numbers, nor is text.

    Returns
    -------
    float
        The number, or nan.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    # JSON has whole numbers of any size; a float has not.
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def pick_number(record: Any, *keys: str | int, path: Path) -> float:
    """The finite number in a nested record.

    Parameters
    ----------
    record
        What a JSON file holds.
    *keys
        Field names, and positions in lists, from the outermost to the innermost.
    path
        The file, for the message.

    Returns
    -------
    float
        ``record[keys[0]][keys[1]]...``.

    Raises
    ------
    FileError
        Where the record has no such field, or the field holds no finite number.
    """
    value = pick(record, *keys, path=path)
    number = as_number(value)
    if math.isnan(number):
        raise _wrong_kind(path, keys, "a finite number", value)
    return number


def pick_text(record: Any, *keys: str | int, path: Path) -> str:
    """The text in a nested record.

    Parameters
    ----------
    record
        What a JSON file holds.
    *keys
        Field names, and positions in lists, from the outermost to the innermost.
    path
        The file, for the message.

    Returns
    -------
    str
        ``record[keys[0]][keys[1]]...``.

    Raises
    ------
    FileError
        Where the record has no such field, or the field holds no text.
    """
    value = pick(record, *keys, path=path)
    if not isinstance(value, str):
        raise _wrong_kind(path, keys, "a text", value)
    return value


def pick_mapping(record: Any, *keys: str | int, path: Path) -> Mapping[str, Any]:
    """The object in a nested record.

    Parameters
    ----------
    record
        What a JSON file holds.
    *keys
        Field names, and positions in lists, from the outermost to the innermost.
    path
        The file, for the message.

    Returns
    -------
    Mapping
        ``record[keys[0]][keys[1]]...``.

    Raises
    ------
    FileError
        Where the record has no such field, or the field holds no object.
    """
    value = pick(record, *keys, path=path)
    if not isinstance(value, Mapping):
        raise _wrong_kind(path, keys, "an object", value)
    return value


def pick_list(record: Any, *keys: str | int, path: Path) -> list[Any]:
    """The list in a nested record.

    Parameters
    ----------
    record
        What a JSON file holds.
    *keys
        Field names, and positions in lists, from the outermost to the innermost.
    path
        The file, for the message.

    Returns
    -------
    list
        ``record[keys[0]][keys[1]]...``.

    Raises
    ------
    FileError
        Where the record has no such field, or the field holds no list.
    """
    value = pick(record, *keys, path=path)
    if not isinstance(value, list):
        raise _wrong_kind(path, keys, "a list", value)
    return value


def number_columns(table: pd.DataFrame, names: Iterable[str], path: Path) -> pd.DataFrame:
    """Columns of a table as floats; an empty cell is nan.

    Parameters
    ----------
    table
        The table of a CSV file.
    names
        The columns to take.
    path
        The file, for the message.

    Returns
    -------
    DataFrame
        These columns in this order, as floats.

    Raises
    ------
    FileError
        For a missing column, and for a cell that holds no finite number.
    """
    return pd.DataFrame({name: _numbers(table, name, path) for name in dict.fromkeys(names)})


def _numbers(table: pd.DataFrame, name: str, path: Path) -> pd.Series:
    """One column as floats."""
    if name not in table:
        raise FileError(
            f"file {str(path)!r}",
            rule=f"must have a column {name!r}",
            got=f"{table.shape[1]} others",
            way_out="check that it is a file of this format",
        )
    column = table[name]
    # One cell of text makes texts of all numbers of its column.
    as_written = pd.to_numeric(column, errors="coerce") if is_string_dtype(column) else column
    numbers = pd.Series([as_number(cell) for cell in as_written.tolist()], index=column.index)
    is_wrong = numbers.isna() & column.notna()
    if is_wrong.any():
        row = int(np.flatnonzero(is_wrong)[0])
        raise FileError(
            f"file {str(path)!r}, column {name!r}, row {row + 1}",
            rule="must be a finite number",
            got=shortened(column.iloc[row]),
            way_out="fix the cell, or leave it empty",
        )
    return numbers.astype(float)


def shortened(value: object) -> str:
    """The `repr` of a value, on one line of at most 60 characters.

    Parameters
    ----------
    value
        Any value of a file.

    Returns
    -------
    str
        Its `repr`; the end is left out where it is longer. A whole number of very many digits is
        described instead.
    """
    # Python writes no whole number of more digits than its limit, and nested lists may hold one.
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        text = f"a value of type {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


def _wrong_kind(path: Path, keys: tuple[str | int, ...], kind: str, value: object) -> FileError:
    """The error of a field that holds another kind of value."""
    return FileError(
        f"file {str(path)!r}",
        rule=f"must hold {kind} in field {'.'.join(map(str, keys))!r}",
        got=shortened(value),
        way_out="check that it is a file of this format",
    )
