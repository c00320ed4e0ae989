"""Opening a file or a folder that the user names: it must exist, be text, and parse.

Each fault is a FileError of one line.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bayescale.errors import FileError

# A table of results has tens of columns, or some hundreds of tasks. A file with more than this many
# has been read by a wrong separator, or is no table of runs.
MAX_COLUMNS = 5000

# A file of text of more than this many bytes is no table of runs: reading it would take gigabytes.
MAX_BYTES = 2**28


def require_folder(path: str | Path) -> Path:
    """The folder at `path`.

    Raises
    ------
    FileError
        Where no folder is at `path`; the message says what is found instead.
    """
    folder = Path(path)
    if not folder.is_dir():
        got = "a file" if folder.exists() else "nothing there"
        raise FileError(
            f"folder {str(path)!r}", rule="must be a folder", got=got, way_out="check the path"
        )
    return folder


def list_files(folder: Path, pattern: str) -> list[Path]:
    """The files of a folder that match a pattern, sorted by name.

    Parameters
    ----------
    folder
        The folder to look in.
    pattern
        A pattern of file names, such as ``*.json``.

    Raises
    ------
    FileError
        For a folder that does not exist, or holds no such file.
    """
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
    """The text of a UTF-8 file.

    Raises
    ------
    FileError
        For a file that is missing, unreadable, empty, too large, binary, or not UTF-8.
    """
    what = f"file {str(path)!r}"
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
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
    if len(data) > MAX_BYTES:
        raise FileError(
            what,
            rule=f"must have at most {MAX_BYTES // 2**20} MB",
            got="more",
            way_out="keep the last row of each run only",
        )
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
        # Spreadsheets put a byte order mark first.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(
            what,
            rule="must be UTF-8 text",
            got=f"bytes that are not UTF-8, at {error.start}",
            way_out="save it with UTF-8 encoding",
        ) from None


def read_table(
    path: str | Path, *, text: Iterable[str] = (), needed: Iterable[str] = ()
) -> pd.DataFrame:
    """The table of a CSV file.

    Parameters
    ----------
    path
        The CSV file.
    text
        Columns whose values stay as they are written, so that a run called ``NA`` or ``007`` keeps
        its name.
    needed
        Columns that the file must have.

    Returns
    -------
    DataFrame
        One row per line; empty cells are nan.

    Raises
    ------
    FileError
        For a path that is no file, an empty or binary file, text that does not parse as CSV, a
        column given twice, or a missing column.
    """
    what = f"file {str(path)!r}"
    source = read_text(path)
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
            way_out="fix that line",
        ) from None
    # Where rows have more fields than the header, pandas takes the first fields for row labels.
    if not isinstance(table.index, pd.RangeIndex):
        raise FileError(
            what,
            rule="must have one name in the header for each field",
            got="rows longer than the header",
            way_out="fix the header",
        )
    require_unique(what, header)
    missing = [name for name in needed if name not in header]
    if missing:
        raise FileError(
            what,
            rule=f"must have a column {missing[0]!r}",
            got=f"{len(header)} others",
            way_out="check that it is a file of this format",
        )
    return table


def require_unique(what: str, header: Sequence[object]) -> None:
    """Check that a table has a bearable number of columns, each name once.

    Parameters
    ----------
    what
        The table, named as the user named it.
    header
        Names of its columns.

    Raises
    ------
    FileError
        For a name that stands twice, or more than `MAX_COLUMNS` columns.
    """
    if len(header) > MAX_COLUMNS:
        raise FileError(
            what,
            rule=f"must have at most {MAX_COLUMNS} columns",
            got=str(len(header)),
            way_out="check its separator, or leave columns out",
        )
    repeated = next((name for name, count in Counter(header).items() if count > 1), None)
    if repeated is not None:
        raise FileError(
            what,
            rule="must name each column once",
            got=f"column {repeated!r} twice",
            way_out="rename or drop one",
        )


def read_json(path: str | Path) -> dict[str, Any]:
    """The object in a JSON file, all of whose texts can be written again.

    Raises
    ------
    FileError
        For a file that is no text, does not parse, holds something else than an object, or has
        lists too deep, numbers too long or characters that are halves of a pair.
    """
    what = f"file {str(path)!r}"
    try:
        record = json.loads(read_text(path))
        json.dumps(record, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise FileError(
            what, rule="must be JSON", got=str(error), way_out="fetch it again"
        ) from None
    except (RecursionError, ValueError) as error:
        reasons = {
            RecursionError: "lists or objects too deep inside each other",
            UnicodeEncodeError: "half of a surrogate pair",
        }
        raise FileError(
            what,
            rule="must be JSON of usual depth, numbers and characters",
            got=reasons.get(type(error), "a number of thousands of digits"),
            way_out="fetch it again",
        ) from None
    if not isinstance(record, dict):
        raise FileError(
            what,
            rule="must hold a JSON object",
            got=type(record).__name__,
            way_out="check the path",
        )
    return record


def pick(record: Any, *keys: str | int, path: Path) -> Any:
    """The value in a nested record: ``record[keys[0]][keys[1]]...``.

    Parameters
    ----------
    record
        What a JSON file holds.
    *keys
        Field names, and positions in lists, from the outermost to the innermost.
    path
        The file, for the message.

    Raises
    ------
    FileError
        Where the record has no such field.
    """
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
