"""read_cells: the cells of a table in any format, before anything is known of their meaning."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import narwhals as nw
import pandas as pd

from bayescale.data.readers.parse import read_text, require_unique
from bayescale.errors import DataError, FileError

# What may stand between two cells of a line of text.
SEPARATORS = {",": "CSV", "\t": "TSV", ";": "CSV with semicolons"}
# How a Parquet file begins and ends.
PARQUET = b"PAR1"
# Records of a JSON file that are nested deeper than this are refused.
MAX_DEPTH = 16


class Cells(NamedTuple):
    """The cells of a table: text from a file of text, numbers and text from any other source."""

    table: pd.DataFrame
    format: str


def read_cells(source: object) -> Cells:
    """The cells of a file, or of a data frame.

    Parameters
    ----------
    source
        A path to a CSV file (comma, tab or semicolon), a file of JSON Lines, a JSON file with a
        list of records, or a Parquet file; or a data frame of pandas, Polars, PyArrow or another
        library that narwhals knows.

    Returns
    -------
    Cells
        One row per record. Nested fields of JSON are columns with names such as ``config.lr``.
        An empty cell is nan.

    Raises
    ------
    FileError
        For a path that is no file, and for a file that does not parse.
    DataError
        For an object that is neither a path nor a data frame.
    """
    if isinstance(source, pd.DataFrame):
        return Cells(source, "data frame of pandas")
    if not isinstance(source, str | Path):
        return _from_frame(source)
    path = Path(source)
    if _begins_with(path, PARQUET):
        return Cells(_read_parquet(path), "Parquet")
    text = read_text(path)
    if text.lstrip()[:1] in ("{", "["):
        return _read_json(path, text)
    separator = _separator(text)
    return Cells(_read_lines(path, text, separator), SEPARATORS[separator])


def _from_frame(source: object) -> Cells:
    """The cells of a data frame that is not one of pandas."""
    try:
        frame = nw.from_native(source, eager_only=True)  # type: ignore[call-overload]
    except TypeError:
        raise DataError(
            "the run table",
            rule="must be a path or a data frame",
            got=type(source).__name__,
            way_out="give the path of a file, or a data frame of pandas or Polars",
        ) from None
    library = type(source).__module__.split(".")[0]
    return Cells(
        pd.DataFrame(frame.to_dict(as_series=False), columns=frame.columns),
        f"data frame of {library}",
    )


def _begins_with(path: Path, magic: bytes) -> bool:
    """Whether a regular file begins with these bytes; `read_text` explains every other path."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False


def _read_parquet(path: Path) -> pd.DataFrame:
    """The table of a Parquet file, by PyArrow."""
    what = f"file {str(path)!r}"
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise FileError(
            what,
            rule="is a Parquet file, which takes the package pyarrow",
            got="no pyarrow",
            way_out="pip install pyarrow, or save the table as CSV",
        ) from None
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise FileError(
            what,
            rule="must be a whole Parquet file",
            got=" ".join(str(error).split())[:200],
            way_out="write it again",
        ) from None
    require_unique(what, table.column_names)
    return pd.DataFrame(table.to_pydict(), columns=table.column_names)


def _read_json(path: Path, text: str) -> Cells:
    """The records of a JSON file: a list, one record per line, or one record alone."""
    what = f"file {str(path)!r}"
    try:
        try:
            records = json.loads(text)
            kind = "JSON"
        except json.JSONDecodeError:
            records = [json.loads(line) for line in text.splitlines() if line.strip()]
            kind = "JSON Lines"
        # Half of a surrogate pair could not be written again.
        json.dumps(records, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise FileError(
            what,
            rule="must be JSON, or JSON Lines with one record on each line",
            got=" ".join(str(error).split()),
            way_out="fix that line, or write the file again",
        ) from None
    records = records if isinstance(records, list) else [records]
    if not records or not all(isinstance(record, dict) for record in records):
        raise FileError(
            what,
            rule="must hold records with named fields, one per run",
            got="something else",
            way_out="write a list of records, or one record on each line",
        )
    flat = [_flatten(record, what) for record in records]
    names = list(dict.fromkeys(name for record in flat for name in record))
    require_unique(what, names)
    return Cells(pd.DataFrame(flat, columns=names), kind)


def _flatten(record: dict[str, Any], what: str, above: str = "", depth: int = 0) -> dict[str, Any]:
    """The fields of a record, those of records inside it named ``outer.inner``."""
    if depth > MAX_DEPTH:
        raise FileError(
            what,
            rule=f"must nest its records at most {MAX_DEPTH} deep",
            got="more",
            way_out="write one record per run, its fields side by side",
        )
    flat: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{above}{key}"
        if isinstance(value, dict):
            flat |= _flatten(value, what, f"{name}.", depth + 1)
        else:
            flat[name] = json.dumps(value) if isinstance(value, list) else value
    return flat


def _separator(text: str) -> str:
    """What stands between the cells of the first line: what splits it into the most fields."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    counts = {}
    for separator in SEPARATORS:
        try:
            counts[separator] = len(next(csv.reader([first], delimiter=separator)))
        except csv.Error:
            counts[separator] = 0
    return max(counts, key=lambda separator: counts[separator])


def _read_lines(path: Path, text: str, separator: str) -> pd.DataFrame:
    """The cells of a table of text, as they are written; empty cells are nan."""
    what = f"file {str(path)!r}"
    try:
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=separator) if line]
    except csv.Error as error:
        raise FileError(
            what, rule="must be a table of text", got=str(error), way_out="fix that line"
        ) from None
    header = [name.strip() for name in lines[0]]
    require_unique(what, header)
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise FileError(
                what,
                rule=f"must have {len(header)} fields in each row, as in the header",
                got=f"{len(line)} fields in row {number}",
                way_out="fix that row, or quote a field that holds the separator",
            )
    table = pd.DataFrame(lines[1:], columns=header, dtype=object)
    return table.mask(table == "")
