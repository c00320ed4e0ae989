"""Values of a file of results: of the kind that the format promises, and shown in messages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.data.readers.parse import pick, read_json
from bayescale.errors import FileError
from bayescale.validation import as_number as real_number
from bayescale.validation import shown


def record_of(path: Path) -> dict[str, Any] | None:
    """The object that a whole JSON file holds; None for every other file.

    Parameters
    ----------
    path
        The file.
    """
    try:
        with path.open("rb") as file:
            is_object = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
        return read_json(path) if is_object else None
    except (OSError, FileError):
        # The reader that reads the file as a table says what is wrong with it.
        return None


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
    number = real_number(value)
    return number if math.isfinite(number) else math.nan


def as_numbers(column: pd.Series) -> pd.Series:
    """The column as floats; nan for every cell that is no finite number.

    Parameters
    ----------
    column
        A column of a table. One cell of text makes texts of all numbers of a column of a file, so
        text that is written as a number is one.

    Returns
    -------
    Series
        The numbers, with the column's index.
    """
    if column.dtype.kind in "iuf":
        plain = column.astype(float)
        return plain.where(np.isfinite(plain))
    cells = column.astype(object).to_numpy(copy=True)
    is_text = np.array([isinstance(cell, str) for cell in cells], dtype=bool)
    cells[is_text] = pd.to_numeric(pd.Series(cells[is_text], dtype=str), errors="coerce")
    return pd.Series([as_number(cell) for cell in cells.tolist()], index=column.index, dtype=float)


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
    numbers = as_numbers(column)
    is_wrong = numbers.isna() & column.notna()
    if is_wrong.any():
        row = int(np.flatnonzero(is_wrong)[0])
        raise FileError(
            f"file {str(path)!r}, column {name!r}, row {row + 1}",
            rule="must be a finite number",
            got=shown(column.iloc[row]),
            way_out="fix the cell, or leave it empty",
        )
    return numbers


def _wrong_kind(path: Path, keys: tuple[str | int, ...], kind: str, value: object) -> FileError:
    """The error of a field that holds another kind of value."""
    return FileError(
        f"file {str(path)!r}",
        rule=f"must hold {kind} in field {'.'.join(map(str, keys))!r}",
        got=shown(value),
        way_out="check that it is a file of this format",
    )
