"""Opening what a user names: whether it is there, is text and parses, with one line for whatever is
wrong.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from bayescale.errors import FileError


def require_folder(path: str | Path) -> Path:
    """The folder at `path`, or a FileError that says what is there instead."""
    folder = Path(path)
    if not folder.is_dir():
        got = "a file" if folder.exists() else "nothing there"
        raise FileError(
            f"folder {str(path)!r}", rule="must be a folder", got=got, way_out="check the path"
        )
    return folder


def list_files(folder: Path, pattern: str) -> list[Path]:
    """The files of `folder` that match, sorted by name; at least one."""
    files = sorted(require_folder(folder).glob(pattern))
    if not files:
        raise FileError(
            f"folder {str(folder)!r}",
            rule=f"must hold files {pattern}",
            got="none",
            way_out="check the path",
        )
    return files


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file that is there, is not empty and is not binary."""
    what = f"file {str(path)!r}"
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileError(
            what, rule="must exist", got="nothing there", way_out="check the path"
        ) from None
    except IsADirectoryError:
        raise FileError(
            what, rule="must be a file", got="a folder", way_out="name a file inside it"
        ) from None
    except OSError as error:
        raise FileError(
            what,
            rule="must be readable",
            got=error.strerror,
            way_out="check the path and its permissions",
        ) from None
    if not data.strip():
        raise FileError(
            what,
            rule="must hold a header line and rows",
            got="an empty file",
            way_out="check that it was written to its end",
        )
    if b"\0" in data:
        raise FileError(
            what,
            rule="must be UTF-8 text",
            got="binary data (a NUL byte)",
            way_out="export it as text, comma-separated or JSON",
        )
    try:
        return data.decode("utf-8-sig")  # spreadsheets put a byte order mark first
    except UnicodeDecodeError as error:
        raise FileError(
            what,
            rule="must be UTF-8 text",
            got=f"bytes that are not, at {error.start}",
            way_out="save it with UTF-8 encoding",
        ) from None


def read_table(
    path: str | Path, *, text: Iterable[str] = (), needed: Iterable[str] = ()
) -> pd.DataFrame:
    """The table of a CSV file.

    Parameters
    ----------
    path
        The file.
    text
        Columns kept as they are written, so that a run called ``NA`` or ``007`` stays what it is.
    needed
        Columns that must be there.

    Raises
    ------
    FileError
        For a path that is no file, an empty or binary file, text that does not parse as CSV, or a
        needed column that is missing.
    """
    source, what = read_text(path), f"file {str(path)!r}"
    try:
        header = next(csv.reader(io.StringIO(source)))
        table = pd.read_csv(
            io.StringIO(source),
            dtype=dict.fromkeys(text, str),
            keep_default_na=False,
            na_values=[""],
            low_memory=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error, ValueError) as error:
        raise FileError(
            what,
            rule="must be comma-separated text",
            got=" ".join(str(error).split()),
            way_out="mend that line",
        ) from None
    # pandas takes surplus leading fields for row labels
    if not isinstance(table.index, pd.RangeIndex):
        raise FileError(
            what,
            rule="must have one name in the header for each field",
            got="rows longer than the header",
            way_out="mend the header",
        )
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise FileError(
            what,
            rule="must name each column once",
            got=f"column {twice[0]!r} twice",
            way_out="rename or drop one",
        )
    missing = [name for name in needed if name not in header]
    if missing:
        raise FileError(
            what,
            rule=f"must have a column {missing[0]!r}",
            got=f"{len(header)} others",
            way_out="check that it is a file of this format",
        )
    return table


def read_json(path: str | Path) -> dict[str, Any]:
    """The object in a JSON file."""
    try:
        record = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise FileError(
            f"file {str(path)!r}", rule="must be JSON", got=str(error), way_out="fetch it again"
        ) from None
    if not isinstance(record, dict):
        raise FileError(
            f"file {str(path)!r}",
            rule="must hold a JSON object",
            got=type(record).__name__,
            way_out="check the path",
        )
    return record


def pick(record: Any, *keys: str | int, path: Path) -> Any:
    """What `record` holds under `keys`, one inside the other, or a FileError that names them."""
    for depth, key in enumerate(keys):
        try:
            record = record[key]
        except (KeyError, IndexError, TypeError):
            where = ".".join(map(str, keys[: depth + 1]))
            raise FileError(
                f"file {str(path)!r}",
                rule=f"must have a field {where!r}",
                got="none",
                way_out="check that it is a file of this format",
            ) from None
    return record
