"""The interchange format as files: a run table in CSV, and a task table beside it."""

from __future__ import annotations

from pathlib import Path

from bayescale.data.ladder import Ladder
from bayescale.data.readers.parse import read_table
from bayescale.data.schema import TEXT_COLUMNS
from bayescale.data.target import Conventions


def read_csv(
    path: str | Path,
    *,
    tasks: str | Path | None = None,
    conventions: Conventions | None = None,
    law: str = "skaling",
    link: str = "logistic",
    name: str | None = None,
    source: str | None = None,
) -> Ladder:
    """One ladder from a CSV file of the tidy run table.

    Parameters
    ----------
    path
        The run table, with the columns that `Ladder.from_frame` takes. An empty cell is a missing
        value; names are kept as written.
    tasks
        The task table, columns ``task``, ``chance``, ``items``; needed where the run table has
        accuracies.
    conventions, law, link
        As for `Ladder.from_frame`.
    name, source
        Kept for the record; the file's own name unless given.

    Raises
    ------
    FileError
        For a path that is no file, and for a file that is empty, binary or not CSV.
    DataError
        For a table that breaks a rule of `Ladder.from_frame`.
    """
    runs = read_table(path, text=TEXT_COLUMNS)
    table = None if tasks is None else read_table(tasks, text=TEXT_COLUMNS)
    return Ladder.from_frame(
        runs,
        tasks=table,
        conventions=conventions,
        law=law,
        link=link,
        name=Path(path).stem if name is None else name,
        source=Path(path).name if source is None else source,
    )
