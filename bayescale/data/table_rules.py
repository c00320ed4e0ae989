"""Rules of the run table that no single cell can break: units, and values that must agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescale.data.target import six_nd
from bayescale.errors import DataError
from bayescale.validation import shown

# Columns that must have one value in all rows that share some other columns.
ONE_VALUE_PER_GROUP = (
    (("run",), ("params", "tokens", "corpus", "flops", "unique_tokens", "role", "schedule")),
    (("run", "corpus", "loss_name", "step"), ("loss",)),
    (("task",), ("loss_name",)),
)
# Where the largest size of a table is below this, its unit can only be a million or a billion.
LEAST_SIZE = {"params": 1e5, "tokens": 1e6}


def table_faults(rows: pd.DataFrame) -> list[DataError]:
    """The faults of a run table whose cells are sound.

    Parameters
    ----------
    rows
        The columns of the run table, each cell checked.

    Returns
    -------
    list of DataError
        One for each rule that is broken; empty where none is.
    """
    faults = [*_units(rows), *_repeated_cells(rows)]
    for keys, columns in ONE_VALUE_PER_GROUP:
        faults += _differing(rows, keys, columns)
    return faults


def _units(rows: pd.DataFrame) -> list[DataError]:
    """Faults of sizes that can only be counted in millions or billions, or that are too large."""
    faults = []
    for name, least in LEAST_SIZE.items():
        low, high = rows[name].min(), rows[name].max()
        if high < least:
            faults.append(
                DataError(
                    f"column {name!r} of the run table",
                    rule=f"must count single {'parameters' if name == 'params' else 'tokens'}",
                    got=f"{low:g} to {high:g}, which can only be billions or millions",
                    way_out="write 1.3 billion as 1.3e9, or name the column and a factor in "
                    f"columns (--columns): {name}=COLUMN*1e9",
                )
            )
    if not np.isfinite(six_nd(rows["params"], rows["tokens"])).all():
        faults.append(
            DataError(
                "columns 'params' and 'tokens' of the run table",
                rule="must have a finite training compute 6 N D",
                got=f"up to {rows['params'].max():g} and {rows['tokens'].max():g}",
                way_out="check their units",
            )
        )
    return faults


def _repeated_cells(rows: pd.DataFrame) -> list[DataError]:
    """A fault where a (run, task, step) has several rows."""
    is_repeated = rows.duplicated(["run", "task", "step"])
    if not is_repeated.any():
        return []
    row = int(np.flatnonzero(is_repeated)[0])
    return [
        DataError(
            f"duplicate row {row + 1}",
            rule="one row for each (run, task), or (run, task, step) for checkpoints",
            got=f"run {shown(rows['run'].iloc[row])}, task {shown(rows['task'].iloc[row])} twice",
            way_out="drop one, or give reruns run names of their own",
        )
    ]


def _differing(rows: pd.DataFrame, keys: Sequence[str], columns: Sequence[str]) -> list[DataError]:
    """A fault for each of `columns` whose value differs within a group of rows."""
    groups = rows.groupby(list(keys), dropna=False, sort=False)
    faults = []
    for column in columns:
        counts = groups[column].nunique(dropna=False)
        if (counts > 1).any():
            key = counts.index[int(np.flatnonzero(counts > 1)[0])]
            values = groups.get_group(key if isinstance(key, tuple) else (key,))[column]
            first_key = key[0] if isinstance(key, tuple) else key
            faults.append(
                DataError(
                    f"column {column!r} of {keys[0]} {shown(first_key)}",
                    rule=f"must be the same in every row that shares {', '.join(keys)}",
                    got=", ".join(map(str, pd.unique(values)[:3])),
                    way_out="fix the rows, or give different runs different names",
                )
            )
    return faults
