"""The two tables of the interchange format: their columns, their rules, and how a broken rule
reads.
"""

from __future__ import annotations

import difflib
import warnings

import numpy as np
import pandas as pd
import pandera.pandas as pa

from bayescale.errors import DataError

ROLES = ("fit", "link", "target", "held_out")
REQUIRED = ("run", "params", "tokens", "task", "loss")
OPTIONAL = ("corpus", "loss_name", "accuracy", "flops", "unique_tokens", "seed", "step", "role")
COLUMNS = REQUIRED + OPTIONAL
TEXT_COLUMNS = ("run", "task", "corpus", "loss_name", "role")
NUMBERS = ("params", "tokens", "loss", "accuracy", "flops", "unique_tokens", "seed", "step")


def _positive(rule: str, *, nullable: bool = False) -> pa.Column:
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
    """The tidy run table with every column, in order, or a DataError that names the column and the
    row.
    """
    _require_columns(frame, REQUIRED, "run table")
    _warn_of_misspelled(frame)
    rows = frame.reindex(columns=list(COLUMNS)).reset_index(drop=True)
    rows = rows.assign(**{name: _to_number(rows[name], name) for name in NUMBERS})
    defaults: dict[str, object] = {"corpus": "default", "loss_name": rows["task"], "role": "fit"}
    for name in ("run", "task", "corpus", "loss_name", "role"):
        column = rows[name].astype(object)
        column = column.where(column.notna(), defaults.get(name, ""))
        rows[name] = column.map(str).astype(str)
    rows = _validate(RUNS, rows, "run table")
    _one_row_a_cell(rows)
    _one_value_a_group(
        rows, ["run"], ["params", "tokens", "corpus", "flops", "unique_tokens", "role"]
    )
    _one_value_a_group(rows, ["run", "corpus", "loss_name", "step"], ["loss"])
    _one_value_a_group(rows, ["task"], ["loss_name"])
    return rows


def parse_tasks(frame: pd.DataFrame | None, runs: pd.DataFrame) -> pd.DataFrame:
    """The task table, one row for every task of `runs` that has accuracies, indexed by task."""
    table = pd.DataFrame(columns=["task", "chance", "items"]) if frame is None else frame
    _require_columns(table, ("task", "chance", "items"), "task table")
    table = table[["task", "chance", "items"]].reset_index(drop=True)
    table = table.assign(**{name: _to_number(table[name], name) for name in ("chance", "items")})
    table["task"] = table["task"].map(str).astype(str)
    scored = list(dict.fromkeys(runs.loc[runs["accuracy"].notna(), "task"]))
    for name in ("chance", "items"):
        lacking = [t for t in scored if t not in set(table.loc[table[name].notna(), "task"])]
        if lacking:
            raise DataError(
                f"{name} of task {lacking[0]!r}",
                rule="every task that has accuracies needs its chance (the score of guessing) and its items (number of questions)",
                got="none",
                way_out="give a task table with columns task, chance, items (tasks=... in Python, --tasks FILE on the command line)",
            )
    table = table[table["task"].isin(scored)].reset_index(drop=True)
    return _validate(TASKS, table, "task table").set_index("task").loc[scored]


def _require_columns(frame: pd.DataFrame, names: tuple[str, ...], table: str) -> None:
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
    """A column of another name is left out, which is no error; one that looks like a column that is
    not there may be.
    """
    absent = [name for name in OPTIONAL if name not in frame.columns]
    for column in map(str, frame.columns):
        meant = (
            []
            if column in COLUMNS
            else difflib.get_close_matches(column.lower(), absent, n=1, cutoff=0.8)
        )
        if meant:
            warnings.warn(
                f"column {column!r} of the run table is left out: rename it if {meant[0]!r} was meant",
                stacklevel=4,
            )


def _to_number(column: pd.Series, name: str) -> pd.Series:
    number = pd.to_numeric(column, errors="coerce").astype(float)
    text = number.isna() & column.notna()
    if text.any():
        row = int(np.flatnonzero(text)[0])
        raise DataError(
            f"column {name!r}, row {row + 1}",
            rule="must be a number",
            got=repr(column.iloc[row]),
            way_out="mend the cell, or leave it empty if it may be",
        )
    return number


def _validate(schema: pa.DataFrameSchema, frame: pd.DataFrame, table: str) -> pd.DataFrame:
    try:
        return schema.validate(frame)
    except pa.errors.SchemaError as error:
        column = getattr(error.schema, "name", None) or table
        cases = error.failure_cases
        case = cases.iloc[0] if isinstance(cases, pd.DataFrame) and len(cases) else None
        index = None if case is None or pd.isna(case["index"]) else int(case["index"])
        got = (
            "nothing (an empty cell)"
            if case is None or pd.isna(case["failure_case"])
            else case["failure_case"]
        )
        where = "" if index is None else f", row {index + 1}"
        if index is not None and "run" in frame.columns:
            where += f" (run {frame['run'].iloc[index]!r}, task {frame['task'].iloc[index]!r})"
        rule = getattr(error.check, "error", None) or (
            "must be filled in" if got == "nothing (an empty cell)" else "must name no task twice"
        )
        raise DataError(
            f"column {column!r} of the {table}{where}",
            rule=rule,
            got=got,
            way_out=_way_out(str(column), got),
        ) from None


def _way_out(column: str, got: object) -> str:
    if column == "accuracy" and isinstance(got, int | float) and 1 < got <= 100:
        return "divide the column by 100"
    return "mend the row or drop it"


def _one_row_a_cell(rows: pd.DataFrame) -> None:
    twice = rows.duplicated(["run", "task", "step"])
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise DataError(
            f"duplicate row {row + 1}",
            rule="one row for each (run, task), or (run, task, step) for checkpoints",
            got=f"run {rows['run'].iloc[row]!r}, task {rows['task'].iloc[row]!r} twice",
            way_out="drop one, or give reruns run names of their own",
        )


def _one_value_a_group(rows: pd.DataFrame, keys: list[str], columns: list[str]) -> None:
    """Every row of one group carries the same value in each of `columns`."""
    groups = rows.groupby(keys, dropna=False, sort=False)
    for column in columns:
        several = groups[column].nunique(dropna=False)
        if (several > 1).any():
            key = several.index[int(np.flatnonzero(several > 1)[0])]
            mine = groups.get_group(key if isinstance(key, tuple) else (key,))[column]
            raise DataError(
                f"column {column!r} of {keys[0]} {key[0] if isinstance(key, tuple) else key!r}",
                rule=f"must be the same in every row that shares {', '.join(keys)}",
                got=", ".join(map(str, pd.unique(mine)[:3])),
                way_out="mend the rows, or give different runs different names",
            )
