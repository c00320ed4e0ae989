"""Values of a file of results: of the kind that the format promises, and shown in messages."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.data.names import visible
from bayescale.data.readers.parse import pick, read_json
from bayescale.errors import FileError

# A list of names shows at most this many.
MAX_LISTED = 8


def read_record(path: Path) -> dict[str, Any]:
    """The object in a JSON file, all of whose texts can be written again.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    dict
        The object.

    Raises
    ------
    FileError
        For a file that `read_json` refuses, and for one with lists too deep, numbers too long or
        characters that are halves of a pair.
    """
    try:
        record = read_json(path)
        json.dumps(record, ensure_ascii=False).encode()
    except (RecursionError, ValueError) as error:
        reasons = {
            RecursionError: "lists or objects too deep inside each other",
            UnicodeEncodeError: "half of a surrogate pair",
        }
        raise FileError(
            f"file {str(path)!r}",
            rule="must be JSON of usual depth, numbers and characters",
            got=reasons.get(type(error), "a number of thousands of digits"),
            way_out="fetch it again",
        ) from None
    return record


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
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    # JSON has whole numbers of any size; a float has not.
    try:
        number = float(value)
    except OverflowError:
        return math.nan
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
            got=shortened(column.iloc[row]),
            way_out="fix the cell, or leave it empty",
        )
    return numbers


def listed(names: Iterable[object]) -> str:
    """Names with commas between them, the first few of many.

    Parameters
    ----------
    names
        Names from files; a control character is shown as its escape.

    Returns
    -------
    str
        At most `MAX_LISTED` names, and how many more there are.
    """
    shown = [visible(name) for name in names]
    more = len(shown) - MAX_LISTED
    return ", ".join(shown[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


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
