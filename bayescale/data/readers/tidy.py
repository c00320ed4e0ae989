"""read_csv: the interchange format as files, a run table in CSV and a task table beside it."""

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
    """A ladder from a CSV file of the tidy run table.

    Parameters
    ----------
    path
        CSV file of the run table, with the columns that `Ladder.from_frame` takes. An empty cell is
        a missing value; names are kept as they are written.
    tasks
        CSV file of the task table, columns ``task``, ``chance``, ``items``; needed where the run
        table has accuracies.
    conventions
        How N is counted, the tokenizer, and the unit of each loss; None where all of it is unknown.
    law, link
        Names of the law and the link that a fit of this ladder uses by default.
    name
        Name of the ladder, for reports; None for the file's name without its ending.
    source
        Where the figures come from, for reports; None for the file's name.

    Returns
    -------
    Ladder
        The ladder, its tables checked.

    Raises
    ------
    FileError
        For a path that is no file, and for a file that is empty, binary or not CSV.
    DataError
        For a table that breaks a rule of `Ladder.from_frame`.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> import bayescale as bs
    >>> columns = {"run": ["a", "b"], "params": [1e8, 4e8], "tokens": [2e9, 8e9]}
    >>> rows = pd.DataFrame({**columns, "task": "c4", "loss": [3.4, 2.9]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows.to_csv(f"{folder}/runs.csv", index=False)
    ...     ladder = bs.read_csv(f"{folder}/runs.csv")
    >>> ladder.loss_names, len(ladder.runs)
    (['c4'], 2)
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
