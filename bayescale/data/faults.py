"""The faults of a table, each in the form of an error, and all of them told at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pa

from bayescale.data.names import listed
from bayescale.errors import DataError
from bayescale.validation import shown

# A message tells at most this many faults.
MAX_TOLD = 4
# A longer text is shortened.
MAX_SHOWN = 80


def raise_all(faults: Sequence[DataError], table: str) -> None:
    """Raise the faults of a table as one error; nothing where there are none.

    Parameters
    ----------
    faults
        The faults, in the order in which the message tells them.
    table
        The table, named as the user knows it.

    Raises
    ------
    DataError
        The fault itself where there is one, or one error that tells all of them.
    """
    if len(faults) == 1:
        raise faults[0]
    if faults:
        told = "; ".join(f"({i}) {fault}" for i, fault in enumerate(faults[:MAX_TOLD], start=1))
        more = len(faults) - MAX_TOLD
        told += f"; and {more} more" if more > 0 else ""
        raise DataError(
            f"{len(faults)} faults of the {table}",
            rule=told,
            got=f"{len(faults)} faults",
            way_out="fix them all, then try again",
        )


def validate(
    schema: pa.DataFrameSchema, frame: pd.DataFrame, table: str
) -> tuple[pd.DataFrame, list[DataError]]:
    """The frame by its schema, and its faults: one per column and rule.

    Parameters
    ----------
    schema
        The rules of each column.
    frame
        The rows.
    table
        The table, named as the user knows it.

    Returns
    -------
    frame : DataFrame
        The same rows; not to be used where there are faults.
    faults : list of DataError
        Each names the column, its rows, the rule and the first value that breaks it.
    """
    try:
        return schema.validate(frame, lazy=True), []
    except pa.errors.SchemaErrors as errors:
        return frame, [_fault(error, frame, table) for error in errors.schema_errors]


def _fault(error: pa.errors.SchemaError, frame: pd.DataFrame, table: str) -> DataError:
    """Pandera's error in our form: column, rows, rule and first value."""
    column = getattr(error.schema, "name", None) or table
    cases = error.failure_cases
    place = f"column {column!r} of the {table}"
    value = None
    if isinstance(cases, pd.DataFrame) and len(cases):
        value = cases["failure_case"].iloc[0]
        rows = [int(index) for index in cases["index"] if not pd.isna(index)]
        place += _rows_text(rows, frame)
    is_empty = value is None or pd.isna(value)
    got = "nothing (an empty cell)" if is_empty else value
    if isinstance(got, str) and len(got) > MAX_SHOWN:
        got = shown(got)
    # Rules that pandera checks by itself have no text: a cell must be filled, a task is unique.
    own_rule = "must be filled in" if is_empty else "must name no task twice"
    rule = getattr(error.check, "error", None) or own_rule
    several = isinstance(cases, pd.DataFrame) and len(cases) > 1
    return DataError(place, rule=rule, got=got, way_out=_way_out(str(column), got, several))


def _rows_text(rows: Sequence[int], frame: pd.DataFrame) -> str:
    """Which rows break a rule: their numbers, and their runs."""
    if not rows:
        return ""
    if len(rows) == 1:
        row = rows[0]
        text = f", row {row + 1}"
        if "run" in frame.columns:
            run, task = (shown(frame[name].iloc[row]) for name in ("run", "task"))
            text += f" (run {run}, task {task})"
        return text
    text = f", rows {listed([row + 1 for row in rows])}"
    if "run" in frame.columns:
        runs = list(dict.fromkeys(frame["run"].iloc[list(rows)]))
        text += f" (run{'s' if len(runs) > 1 else ''} {listed([shown(run) for run in runs])})"
    return text


def _way_out(column: str, got: object, several: bool) -> str:
    """What to do about values that break a rule of their column."""
    is_number = isinstance(got, int | float | np.integer | np.floating)
    if column == "accuracy" and is_number and 1 < float(got) <= 100:  # type: ignore[arg-type]
        return "divide the column by 100"
    if column == "accuracy" and is_number and -1 <= float(got) < 0:  # type: ignore[arg-type]
        return (
            "a score below 0 is a centred one, (accuracy - chance) / (1 - chance): give it in a "
            "column centred to read_runs, or turn it back"
        )
    return "fix the rows or drop them" if several else "fix the row or drop it"
