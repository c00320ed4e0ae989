"""The run table and the task table of the interchange format: columns, rules, and messages."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pa

from bayescale.data.faults import raise_all, validate
from bayescale.data.names import listed, suggested
from bayescale.data.quantities import to_floats, to_text
from bayescale.data.table_rules import table_faults
from bayescale.errors import DataError, SettingError

# What a run is for. A law is fitted on `fit`, a link on `fit` and `link`; no fit sees the others.
ROLES = ("fit", "link", "target", "held_out")
# Columns of the run table.
REQUIRED = ("run", "params", "tokens", "task", "loss")
OPTIONAL = (
    *("corpus", "loss_name", "accuracy", "flops", "unique_tokens", "seed", "step", "role"),
    "schedule",
)
COLUMNS = REQUIRED + OPTIONAL
# Name of the corpus of runs that name none.
DEFAULT_CORPUS = "default"
# Columns whose values stay as they are written.
TEXT_COLUMNS = ("run", "task", "corpus", "loss_name", "role", "schedule")
# Columns that are read as floats.
NUMBERS = ("params", "tokens", "loss", "accuracy", "flops", "unique_tokens", "seed", "step")


def _positive(rule: str, *, nullable: bool = False) -> pa.Column:
    """A column of positive finite numbers; `rule` is what the message says."""
    ok = pa.Check(lambda x: np.isfinite(x) & (x > 0), error=rule)
    return pa.Column(float, ok, nullable=nullable)


_NUMBER = "must be a positive finite number"
_NAME = pa.Check(lambda s: s.str.strip().str.len() > 0, error="must not be empty")
RUNS = pa.DataFrameSchema(
    {
        "run": pa.Column(str, _NAME),
        "params": _positive(_NUMBER + " of parameters"),
        "tokens": _positive(_NUMBER + " of training tokens"),
        "task": pa.Column(str, _NAME),
        "loss": _positive(_NUMBER),
        "corpus": pa.Column(str, _NAME),
        "loss_name": pa.Column(str, _NAME),
        "accuracy": pa.Column(
            float,
            pa.Check.in_range(0, 1, error="must be a share in [0, 1], not a percentage"),
            nullable=True,
        ),
        "flops": _positive(_NUMBER + " of FLOPs", nullable=True),
        "unique_tokens": _positive(_NUMBER + " of tokens", nullable=True),
        "seed": pa.Column(float, nullable=True),
        "step": pa.Column(float, nullable=True),
        "role": pa.Column(str, pa.Check.isin(ROLES, error=f"must be one of {', '.join(ROLES)}")),
        "schedule": pa.Column(str),
    }
)
TASKS = pa.DataFrameSchema(
    {
        "task": pa.Column(str, _NAME, unique=True),
        "chance": pa.Column(
            float, pa.Check(lambda x: (x >= 0) & (x < 1), error="must be a share in [0, 1)")
        ),
        "items": pa.Column(
            float,
            pa.Check(
                lambda x: np.isfinite(x) & (x >= 1),
                error="must be a number of questions, 1 or more",
            ),
        ),
    }
)


def parse_runs(frame: pd.DataFrame) -> pd.DataFrame:
    """The run table with every column of `COLUMNS`, in order, each value checked.

    Parameters
    ----------
    frame
        One row per (run, task), with at least the columns of `REQUIRED`.

    Returns
    -------
    DataFrame
        The same rows. The default of ``corpus`` is ``default``, of ``loss_name`` the task, of
        ``role`` ``fit``, of ``schedule`` an empty text; every other optional column is nan where it
        is missing.

    Raises
    ------
    DataError
        For broken rules; the message names each column with its rows.
    """
    _require_columns(frame, REQUIRED, "run table")
    for sentence in misspelled(frame.columns, frame.columns):
        warnings.warn(sentence, stacklevel=3)
    rows = frame.reindex(columns=list(COLUMNS)).reset_index(drop=True)
    rows, faults = _with_numbers(rows, NUMBERS)
    tasks = to_text(rows["task"], "column 'task'")
    defaults: dict[str, object] = {"corpus": DEFAULT_CORPUS, "loss_name": tasks, "role": "fit"}
    for name in TEXT_COLUMNS:
        column = to_text(rows[name], f"column {name!r}")
        rows[name] = column.where(column.notna(), defaults.get(name, "")).astype(str)
    # A column that holds text in place of numbers has its fault already.
    told = {fault.what.split("'")[1] for fault in faults}
    rows, broken = validate(RUNS.remove_columns(list(told)), rows, "run table")
    faults += broken
    if not faults:
        faults = table_faults(rows)
    raise_all(faults, "run table")
    return rows


def parse_tasks(frame: pd.DataFrame | None, runs: pd.DataFrame) -> pd.DataFrame:
    """The task table: chance and items of every task of `runs` that has accuracies.

    Parameters
    ----------
    frame
        Columns ``task``, ``chance``, ``items``; None for an empty table. Tasks without accuracies
        are left out.
    runs
        A run table that `parse_runs` has checked.

    Returns
    -------
    DataFrame
        One row per task that has accuracies, in the order of `runs`, indexed by task.

    Raises
    ------
    DataError
        For a task that has accuracies but no chance or no items, and for a value that breaks its
        rule.
    """
    table = pd.DataFrame(columns=["task", "chance", "items"]) if frame is None else frame
    _require_columns(table, ("task", "chance", "items"), "task table")
    table = table[["task", "chance", "items"]].reset_index(drop=True)
    table, faults = _with_numbers(table, ("chance", "items"))
    raise_all(faults, "task table")
    table["task"] = table["task"].map(str).str.strip().astype(str)
    scored = list(dict.fromkeys(runs.loc[runs["accuracy"].notna(), "task"]))
    for name in ("chance", "items"):
        described = set(table.loc[table[name].notna(), "task"])
        lacking = [task for task in scored if task not in described]
        if lacking:
            raise DataError(
                f"{name} of task {lacking[0]!r}",
                rule=(
                    "every task that has accuracies needs its chance (the score of guessing) "
                    "and its items (number of questions)"
                ),
                got="none",
                way_out=(
                    "give a task table with columns task, chance, items "
                    "(tasks=... in Python, --tasks FILE on the command line)"
                ),
            )
    table = table[table["task"].isin(scored)].reset_index(drop=True)
    table, faults = validate(TASKS, table, "task table")
    raise_all(faults, "task table")
    return table.set_index("task").loc[scored]


def complete_new_runs(new_runs: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Rows of new runs, with the loss names and the corpus that the known rows imply.

    Parameters
    ----------
    new_runs
        Rows of the run table. Without a column ``loss_name``, known tasks keep their loss; without
        a column ``corpus``, the runs belong to the only known corpus.
    known
        A run table that `parse_runs` has checked.

    Returns
    -------
    DataFrame
        The rows of `new_runs`, not checked any further.

    Raises
    ------
    DataError
        For a missing column ``run`` or ``task``, or a run that is already known.
    """
    missing = [column for column in ("run", "task") if column not in new_runs]
    if missing:
        raise DataError(
            f"column {missing[0]!r} of the new runs",
            rule="must be there",
            got=", ".join(map(str, new_runs.columns)),
            way_out="add it, or rename one",
        )
    rows = new_runs.copy()
    if "loss_name" not in rows:
        loss_name_of = dict(zip(known["task"], known["loss_name"], strict=True))
        rows["loss_name"] = rows["task"].map(loss_name_of).fillna(rows["task"])
    corpora = known["corpus"].unique()
    if "corpus" not in rows and len(corpora) == 1:
        rows["corpus"] = corpora[0]
    repeated = sorted(set(rows["run"]) & set(known["run"]))
    if repeated:
        raise DataError(
            "new runs",
            rule="must have names that the ladder lacks",
            got=repr(repeated[0]),
            way_out="rename it, or build a ladder of your own",
        )
    return rows


def require_values(rows: pd.DataFrame, column: str, values: Sequence[object]) -> None:
    """Check that each value is some row's.

    Parameters
    ----------
    rows
        A run table that `parse_runs` has checked.
    column
        A column of the run table.
    values
        What the user asked for in that column.

    Raises
    ------
    SettingError
        For an unknown column.
    DataError
        For a value that no row has.
    """
    if column not in COLUMNS:
        raise SettingError(
            f"column {column!r}",
            rule="must be a column of the run table",
            got=column,
            way_out=f"use one of {', '.join(COLUMNS)}",
        )
    unknown = [value for value in values if not rows[column].isin([value]).any()]
    if unknown:
        raise DataError(
            f"{column} {unknown[0]!r}",
            rule=f"must be a {column} of the ladder",
            got="none such",
            way_out=f"use {suggested(unknown[0], [str(one) for one in rows[column].unique()])}",
        )


def _require_columns(frame: pd.DataFrame, names: tuple[str, ...], table: str) -> None:
    """Check that `frame` is a DataFrame with these columns; a run table also needs a row."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"the {table}",
            rule="must be a pandas DataFrame",
            got=type(frame).__name__,
            way_out="pandas.DataFrame(...), or read_csv for a file",
        )
    require_plain_columns(frame, table)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        several = "s" if len(missing) > 1 else ""
        raise DataError(
            f"column{several} {', '.join(map(repr, missing))} of the {table}",
            rule=f"must be there (needed: {', '.join(names)})",
            got=f"columns {listed(list(frame.columns)) or 'none'}",
            way_out="add or rename the column; read_runs takes tables with other columns",
        )
    if frame.empty and "run" in names:
        raise DataError(
            f"the {table}",
            rule="must have at least one row",
            got="an empty table",
            way_out="add runs",
        )


def require_plain_columns(frame: pd.DataFrame, table: str) -> None:
    """Check that each column of a table has one name of its own.

    Parameters
    ----------
    frame
        The table.
    table
        The table, named as the user knows it.

    Raises
    ------
    DataError
        For columns with several levels of names, and a name that stands twice.
    """
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(
            f"columns of the {table}",
            rule="must have one name each",
            got=f"{frame.columns.nlevels} levels of names",
            way_out="flatten them: frame.columns = ['/'.join(names) for names in frame.columns]",
        )
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise DataError(
            f"column {repeated[0]!r} of the {table}",
            rule="must be there once",
            got="several columns of that name",
            way_out="rename or drop one",
        )


def misspelled(columns: Iterable[object], known: Iterable[object]) -> list[str]:
    """A sentence for each unknown column whose name is close to an optional one that is absent.

    Any other unknown column is left out silently: a table may have columns of its own.

    Parameters
    ----------
    columns
        Columns of a table that have no meaning.
    known
        Columns of the run table that have been found.
    """
    present = set(known)
    absent = [name for name in OPTIONAL if name not in present]
    sentences = []
    for column in map(str, columns):
        similar = difflib.get_close_matches(column.lower(), absent, n=1, cutoff=0.8)
        if column not in COLUMNS and similar:
            sentences.append(
                f"column {column!r} of the run table is left out: "
                f"rename it if {similar[0]!r} was meant"
            )
    return sentences


def _with_numbers(
    frame: pd.DataFrame, names: Sequence[str]
) -> tuple[pd.DataFrame, list[DataError]]:
    """The frame with these columns as floats, and a fault for each column that holds text."""
    faults = []
    for name in names:
        try:
            frame = frame.assign(**{name: to_floats(frame[name], f"column {name!r}")})
        except DataError as fault:
            faults.append(fault)
    return frame, faults
