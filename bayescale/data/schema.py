"""The run table and the task table of the interchange format: columns, rules, and messages."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pa

from bayescale.errors import DataError, SettingError

# What a run is for. A law is fitted on `fit`, a link on `fit` and `link`; no fit sees the others.
ROLES = ("fit", "link", "target", "held_out")
# Columns of the run table.
REQUIRED = ("run", "params", "tokens", "task", "loss")
OPTIONAL = ("corpus", "loss_name", "accuracy", "flops", "unique_tokens", "seed", "step", "role")
COLUMNS = REQUIRED + OPTIONAL
# Columns whose values stay as they are written.
TEXT_COLUMNS = ("run", "task", "corpus", "loss_name", "role")
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
        ``role`` ``fit``; every other optional column is nan where it is missing.

    Raises
    ------
    DataError
        For the first broken rule; the message names the column and the row.
    """
    _require_columns(frame, REQUIRED, "run table")
    _warn_of_misspelled(frame)
    rows = frame.reindex(columns=list(COLUMNS)).reset_index(drop=True)
    rows = rows.assign(**{name: _to_number(rows[name], name) for name in NUMBERS})
    defaults: dict[str, object] = {"corpus": "default", "loss_name": rows["task"], "role": "fit"}
    for name in TEXT_COLUMNS:
        column = rows[name].astype(object)
        column = column.where(column.notna(), defaults.get(name, ""))
        rows[name] = column.map(str).astype(str)
    rows = _validate(RUNS, rows, "run table")
    _require_one_row_per_cell(rows)
    of_run = ["params", "tokens", "corpus", "flops", "unique_tokens", "role"]
    _require_one_value_per_group(rows, ["run"], of_run)
    _require_one_value_per_group(rows, ["run", "corpus", "loss_name", "step"], ["loss"])
    _require_one_value_per_group(rows, ["task"], ["loss_name"])
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
    table = table.assign(**{name: _to_number(table[name], name) for name in ("chance", "items")})
    table["task"] = table["task"].map(str).astype(str)
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
    return _validate(TASKS, table, "task table").set_index("task").loc[scored]


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
        known = ", ".join(map(str, rows[column].unique()[:12]))
        raise DataError(
            f"{column} {unknown[0]!r}",
            rule=f"must be a {column} of the ladder",
            got="none such",
            way_out=f"use some of {known}",
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
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise DataError(
            f"column {missing[0]!r} of the {table}",
            rule=f"must be there (needed: {', '.join(names)})",
            got=f"columns {', '.join(map(str, frame.columns)) or 'none'}",
            way_out="add or rename the column",
        )
    if frame.empty and "run" in names:
        raise DataError(
            f"the {table}",
            rule="must have at least one row",
            got="an empty table",
            way_out="add runs",
        )


def _warn_of_misspelled(frame: pd.DataFrame) -> None:
    """Warn of an unknown column whose name is close to that of an optional column not given.

    Any other unknown column is left out silently: a table may have columns of its own.
    """
    absent = [name for name in OPTIONAL if name not in frame.columns]
    for column in map(str, frame.columns):
        if column in COLUMNS:
            continue
        similar = difflib.get_close_matches(column.lower(), absent, n=1, cutoff=0.8)
        if similar:
            warnings.warn(
                f"column {column!r} of the run table is left out: "
                f"rename it if {similar[0]!r} was meant",
                stacklevel=4,
            )


def _to_number(column: pd.Series, name: str) -> pd.Series:
    """The column as floats, empty cells as nan; a DataError for text."""
    number = pd.to_numeric(column, errors="coerce").astype(float)
    is_text = number.isna() & column.notna()
    if is_text.any():
        row = int(np.flatnonzero(is_text)[0])
        raise DataError(
            f"column {name!r}, row {row + 1}",
            rule="must be a number",
            got=repr(column.iloc[row]),
            way_out="fix the cell, or leave it empty where the column is optional",
        )
    return number


def _validate(schema: pa.DataFrameSchema, frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """The frame checked by its schema, the first broken rule as a DataError."""
    try:
        return schema.validate(frame)
    except pa.errors.SchemaError as error:
        raise _as_data_error(error, frame, table) from None


def _as_data_error(error: pa.errors.SchemaError, frame: pd.DataFrame, table: str) -> DataError:
    """Pandera's error in our form: column, row, rule and value."""
    column = getattr(error.schema, "name", None) or table
    cases = error.failure_cases
    case = cases.iloc[0] if isinstance(cases, pd.DataFrame) and len(cases) else None
    place = f"column {column!r} of the {table}"
    if case is not None and not pd.isna(case["index"]):
        row = int(case["index"])
        place += f", row {row + 1}"
        if "run" in frame.columns:
            place += f" (run {frame['run'].iloc[row]!r}, task {frame['task'].iloc[row]!r})"
    value = None if case is None else case["failure_case"]
    is_empty = pd.isna(value)
    got = "nothing (an empty cell)" if is_empty else value
    # Rules that pandera checks by itself have no text: a cell must be filled, a task is unique.
    own_rule = "must be filled in" if is_empty else "must name no task twice"
    rule = getattr(error.check, "error", None) or own_rule
    return DataError(place, rule=rule, got=got, way_out=_way_out(str(column), got))


def _way_out(column: str, got: object) -> str:
    """What to do about a value that breaks a rule of its column."""
    if column == "accuracy" and isinstance(got, int | float) and 1 < got <= 100:
        return "divide the column by 100"
    return "fix the row or drop it"


def _require_one_row_per_cell(rows: pd.DataFrame) -> None:
    """Check that each (run, task, step) has one row."""
    is_repeated = rows.duplicated(["run", "task", "step"])
    if is_repeated.any():
        row = int(np.flatnonzero(is_repeated)[0])
        raise DataError(
            f"duplicate row {row + 1}",
            rule="one row for each (run, task), or (run, task, step) for checkpoints",
            got=f"run {rows['run'].iloc[row]!r}, task {rows['task'].iloc[row]!r} twice",
            way_out="drop one, or give reruns run names of their own",
        )


def _require_one_value_per_group(rows: pd.DataFrame, keys: list[str], columns: list[str]) -> None:
    """Check that all rows of one group carry the same value in each of `columns`."""
    groups = rows.groupby(keys, dropna=False, sort=False)
    for column in columns:
        counts = groups[column].nunique(dropna=False)
        if (counts > 1).any():
            key = counts.index[int(np.flatnonzero(counts > 1)[0])]
            values = groups.get_group(key if isinstance(key, tuple) else (key,))[column]
            first_key = key[0] if isinstance(key, tuple) else key
            raise DataError(
                f"column {column!r} of {keys[0]} {first_key!r}",
                rule=f"must be the same in every row that shares {', '.join(keys)}",
                got=", ".join(map(str, pd.unique(values)[:3])),
                way_out="fix the rows, or give different runs different names",
            )


def as_list(wanted: object) -> list[object]:
    """One value, or several, as a list; a text is one value."""
    if isinstance(wanted, str) or not isinstance(wanted, Sequence | set | np.ndarray | pd.Series):
        return [wanted]
    return list(wanted)
