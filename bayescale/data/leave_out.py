"""leave_out: a ladder without some of its runs, and a sentence about it for the record."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bayescale.data.ladder import Ladder
from bayescale.data.names import listed
from bayescale.data.quantities import suffixed
from bayescale.errors import DataError, SettingError
from bayescale.validation import as_list

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|<|>|=)\s*(.+?)\s*")


def leave_out(ladder: Ladder, what: str | Sequence[str], reason: str = "") -> Ladder:
    """The ladder without some runs; `Ladder.notes` says which ones, and why.

    Parameters
    ----------
    ladder
        Its runs of every role.
    what
        A name of a run or a condition, or several; see `without_runs`.
    reason
        Why, for the record; empty where it is not said.

    Returns
    -------
    Ladder
        The other runs.

    Raises
    ------
    SettingError
        For what is neither the name of a run nor a condition on a column.
    DataError
        Where no run is left.

    Examples
    --------
    >>> import bayescale as bs
    >>> ladder = bs.load_dataset("ladder2024")
    >>> bs.leave_out(ladder, "190M-0.5xC", reason="it diverged").notes
    ("left out by '190M-0.5xC': 190M-0.5xC: it diverged",)
    """
    rows, notes = without_runs(ladder.frame, [str(text) for text in as_list(what)], reason)
    kept = ladder.where(run=list(dict.fromkeys(rows["run"])))
    return replace(kept, notes=(*ladder.notes, *notes))


def without_runs(
    rows: pd.DataFrame, what: Sequence[str], reason: str = ""
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of all other runs, and one sentence for each name or condition.

    Parameters
    ----------
    rows
        Rows with a column ``run``; numbers are floats.
    what
        Names of runs, or conditions ``COLUMN OPERATOR VALUE`` with ``<``, ``<=``, ``>``, ``>=`` or
        ``=``, such as ``params<1e8`` or ``corpus=web``. A run is left out where any of its rows
        meets the condition.
    reason
        Why, for the record; empty where it is not said.

    Returns
    -------
    rows : DataFrame
        The rows that are left, their index kept.
    notes : list of str
        Which runs were left out, and why.

    Raises
    ------
    SettingError
        For what is neither the name of a run nor a condition on a column.
    DataError
        Where no run is left.
    """
    names = rows["run"].astype(str).str.strip()
    gone, notes = pd.Series(False, index=rows.index), []
    for text in what:
        chosen = names == text.strip()
        if not chosen.any():
            chosen = names.isin(names[_meets(rows, text)])
        runs = list(dict.fromkeys(names[chosen]))
        because = f": {reason}" if reason else ""
        notes.append(f"left out by {text!r}: {listed(runs) or 'no run'}{because}")
        gone |= chosen
    if gone.all() and len(gone):
        raise DataError(
            "leave_out",
            rule="must leave at least one run",
            got=listed(list(what)),
            way_out="loosen the condition",
        )
    return rows[~gone], notes


def _meets(rows: pd.DataFrame, text: str) -> np.ndarray:
    """Whether each row meets a condition."""
    match = _CONDITION.fullmatch(text)
    if match is None or match[1] not in rows.columns:
        raise SettingError(
            f"leave_out {text!r}",
            rule="must be the name of a run, or a condition on a column",
            got=f"neither; runs are {listed(list(dict.fromkeys(rows['run'])))}",
            way_out="such as 590M, 'params<1e8' or 'corpus=web'",
        )
    column, compare = rows[match[1]], _OPERATORS[match[2]]
    if pd.api.types.is_numeric_dtype(column):
        size = suffixed(match[3])
        try:
            value = float(match[3]) if np.isnan(size) else size
        except ValueError:
            raise SettingError(
                f"leave_out {text!r}",
                rule=f"must compare {match[1]} with a number",
                got=match[3],
                way_out=f"such as {match[1]}<1e9",
            ) from None
        return np.asarray(compare(column.to_numpy(), value))
    if match[2] != "=":
        raise SettingError(
            f"leave_out {text!r}",
            rule=f"must compare {match[1]} by =, because it is text",
            got=match[2],
            way_out=f"such as {match[1]}={column.iloc[0] if len(column) else 'a'}",
        )
    return column.astype(str).str.strip().eq(match[3]).to_numpy()
