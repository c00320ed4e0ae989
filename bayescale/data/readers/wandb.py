"""Exports of Weights & Biases: the table of runs, and the points of a chart."""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np
import pandas as pd

from bayescale.data.names import listed, visible
from bayescale.data.readers.fields import as_numbers
from bayescale.errors import DataError
from bayescale.validation import shown

# Columns of the table of runs that are neither settings nor results.
OWN = (
    "Name", "State", "Notes", "User", "Tags", "Created", "Updated", "End Time", "Runtime", "Sweep",
    "ID", "Group", "Job Type", "Hostname", "Commit", "Description",
)  # fmt: skip
# Weights & Biases writes these results for every run that has logged anything.
LOGGED = ("_step", "_runtime", "_timestamp")
# Settings that tell two models of one name apart, by the last part of the column, letters only.
SIZES = {
    "params", "nparams", "numparams", "totalparams", "paramcount", "parameters", "nparameters",
    "numparameters", "parametercount", "modelsize", "layers", "nlayer", "nlayers", "numlayers",
    "numhiddenlayers", "depth", "width", "dim", "dmodel", "nembd", "hiddensize", "hiddendim",
    "nhead", "nheads", "numheads", "numattentionheads", "seed",
}  # fmt: skip
FINISHED = "finished"
# A column of a chart is RUN - METRIC, with the least and the largest value that a point stands for.
BETWEEN = " - "
EXTREMES = ("__MIN", "__MAX")
# How a value that is no finite number is written.
NOT_FINITE = ("nan", "inf", "-inf", "infinity", "-infinity")


def is_runs_export(frame: pd.DataFrame) -> bool:
    """Whether a table is the export of a table of runs.

    Parameters
    ----------
    frame
        A table that was read from CSV.

    Returns
    -------
    bool
        True for a table with columns ``Name`` and ``State``.
    """
    return {"Name", "State"} <= set(frame.columns)


def is_chart_export(frame: pd.DataFrame) -> bool:
    """Whether a table is the export of a chart.

    Parameters
    ----------
    frame
        A table that was read from CSV.

    Returns
    -------
    bool
        True where the first column is the x axis, such as ``Step``, and every other column is
        called ``RUN - METRIC``.
    """
    axis, *series = map(str, frame.columns) if len(frame.columns) else ("",)
    return bool(series) and BETWEEN not in axis and all(BETWEEN in name for name in series)


def read_runs_export(
    frame: pd.DataFrame, *, unfinished: bool = False
) -> tuple[pd.DataFrame, list[str]]:
    """One row for each finished run of an exported table of runs.

    Parameters
    ----------
    frame
        The exported table, for which `is_runs_export` is true.
    unfinished
        Whether to keep runs that crashed, failed, were killed or still run.

    Returns
    -------
    table : DataFrame
        The rows that are kept. The column ``Name`` is called ``run``, states are in lower case, and
        all else is as it was.
    notes : list of str
        Sentences on the runs that were left out, and on names that several rows have.

    Raises
    ------
    DataError
        For a row without a name, for different models of one name, for several rows of one name of
        which none is the newest, and where no run is left.
    """
    _require_unique(frame)
    notes: list[str] = []
    rows = frame.reset_index(drop=True)
    names = rows["Name"].map(lambda name: "" if pd.isna(name) else str(name))
    if (names.str.strip() == "").any():
        row = int(np.flatnonzero(names.str.strip() == "")[0])
        raise DataError(
            f"column 'Name', row {row + 1}",
            rule="must not be empty",
            got="an empty cell",
            way_out="name the run, or drop the row",
        )
    if "run" in rows:
        notes.append("Column run is left out: the names of the runs are in column Name.")
    rows = rows.drop(columns="run", errors="ignore").assign(Name=names)
    rows = rows.rename(columns={"Name": "run"})
    rows = _without_unfinished(rows, unfinished, notes)
    is_empty = _has_logged_nothing(rows)
    if is_empty.any():
        notes.append(f"Runs that logged nothing, left out: {listed(rows.loc[is_empty, 'run'])}.")
    rows = rows[~is_empty]
    if rows.empty:
        raise DataError(
            "the export of runs",
            rule="must have a finished run that logged something",
            got=" ".join(notes) or "no rows",
            way_out="export other runs, or take those that did not finish too (unfinished)",
        )
    repeated = rows["run"].duplicated(keep=False)
    newest = [_newest(same) for _, same in rows[repeated].groupby("run", sort=False)]
    if newest:
        notes.append(
            "Of several rows of one name (a run that was resumed or restarted) the newest by "
            f"Created is taken: {listed(rows.loc[newest, 'run'])}."
        )
    kept = rows.index[~repeated].union(pd.Index(newest, dtype=int))
    return rows.loc[kept].reset_index(drop=True), notes


def read_chart_export(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The last finite value of each series of an exported chart.

    Parameters
    ----------
    frame
        The exported table, for which `is_chart_export` is true.

    Returns
    -------
    table : DataFrame
        Columns ``run``, ``step``, ``metric``, ``value``: one row for each series, with the place
        of its last value on the x axis.
    notes : list of str
        Sentences on the columns that were left out, and on series that end before their run.

    Raises
    ------
    DataError
        For a cell that holds text, and for a chart without values.
    """
    _require_unique(frame)
    rows = frame.reset_index(drop=True).rename(columns=str)
    axis = rows.columns[0]
    steps = _finite(rows[axis], axis, may_lack=False)
    series = [name for name in rows.columns[1:] if not name.endswith(EXTREMES)]
    notes = [f"The last finite value of each series is taken; its {visible(axis)} is its step."]
    extremes = len(rows.columns) - 1 - len(series)
    if extremes:
        notes.append(f"{extremes} columns of extremes (__MIN, __MAX) are left out.")
    last_step: dict[str, float] = defaultdict(lambda: -np.inf)
    values, empty = [], []
    for name in series:
        run, _, metric = name.rpartition(BETWEEN)
        # Where the x axis is another one, the export repeats the steps of each run.
        if metric == "_step":
            continue
        last_step[run] = max(last_step[run], steps[rows[name].notna()].max())
        points = pd.DataFrame({"step": steps, "value": _finite(rows[name], name)}).dropna()
        if points.empty:
            empty.append(name)
            continue
        last = points.sort_values("step", kind="stable").iloc[-1]
        values.append({"run": run, "step": last["step"], "metric": metric, "value": last["value"]})
    if empty:
        notes.append(f"No finite value: {listed(empty)}.")
    early = [
        f"{each['run']} - {each['metric']} ({each['step']:g} of {last_step[each['run']]:g})"
        for each in values
        if each["step"] < last_step[each["run"]]
    ]
    if early:
        notes.append(f"The last finite value is not at the run's last step: {listed(early)}.")
    if not values:
        raise DataError(
            "the export of a chart",
            rule="must hold a value of at least one run",
            got=f"{len(rows)} rows and {len(series)} series",
            way_out="export the chart again",
        )
    return pd.DataFrame(values, columns=["run", "step", "metric", "value"]), notes


def _require_unique(frame: pd.DataFrame) -> None:
    """Check that each column is there once."""
    if not frame.columns.is_unique:
        raise DataError(
            "the export",
            rule="must name each column once",
            got=f"column {frame.columns[frame.columns.duplicated()][0]!r} twice",
            way_out="rename or drop one",
        )


def _without_unfinished(rows: pd.DataFrame, unfinished: bool, notes: list[str]) -> pd.DataFrame:
    """The finished runs, or all of them; runs that did not finish are noted."""
    states = rows["State"].map(lambda state: "no state" if pd.isna(state) else str(state))
    rows = rows.assign(State=states.str.strip().str.lower())
    is_finished = rows["State"] == FINISHED
    others = rows[~is_finished]
    if len(others):
        what = "taken too" if unfinished else "left out"
        named = [
            f"{run} ({state})" for run, state in zip(others["run"], others["State"], strict=True)
        ]
        notes.append(f"Runs that did not finish, {what}: {listed(named)}.")
    return rows if unfinished else rows[is_finished]


def _has_logged_nothing(rows: pd.DataFrame) -> pd.Series:
    """Which rows lack every result that a run always has, or every column but the names."""
    results = [name for name in LOGGED if name in rows and rows[name].notna().any()]
    others = results or [name for name in rows.columns if name not in ("run", *OWN)]
    return rows[others].isna().all(axis="columns") & bool(others)


def _newest(same: pd.DataFrame) -> int:
    """The row to take of several of one name: a finished one, and of these the newest."""
    run = str(same["run"].iloc[0])
    _require_one_model(same, run)
    is_finished = same["State"] == FINISHED
    candidates = same[is_finished] if is_finished.any() else same
    created = candidates["Created"] if "Created" in same else pd.Series("", candidates.index)
    dates = pd.to_datetime(created.map(str), errors="coerce", utc=True, format="ISO8601")
    is_newest = (dates == dates.max()) | dates.isna()
    if is_newest.sum() > 1:
        raise DataError(
            f"run {run!r}",
            rule="must have dates (Created) that tell which of its rows is the newest",
            got=", ".join(map(shown, created[is_newest])),
            way_out="rename the runs, or drop all rows but one",
        )
    return int(is_newest.idxmax())


def _require_one_model(same: pd.DataFrame, run: str) -> None:
    """Check that the rows of one name are one model that was resumed or restarted."""
    for column in same.columns:
        last_part = re.split(r"[./]", str(column))[-1].lower()
        values = same[column].dropna().map(str).unique()
        if re.sub(r"[^a-z]", "", last_part) in SIZES and len(values) > 1:
            raise DataError(
                f"run {run!r}",
                rule="must be one model in all its rows",
                got=f"{shown(column)} {shown(values[0])} and {shown(values[1])}",
                way_out="give different runs different names",
            )


def _finite(column: pd.Series, name: str, *, may_lack: bool = True) -> pd.Series:
    """The finite numbers of a column, nan for the others; a DataError for text."""
    numbers = as_numbers(column)
    is_wrong = numbers.isna()
    if may_lack and is_wrong.any():
        is_missing = column.map(lambda cell: str(cell).strip().lower() in NOT_FINITE)
        is_wrong &= column.notna() & ~is_missing
    if is_wrong.any():
        row = int(np.flatnonzero(is_wrong)[0])
        raise DataError(
            f"column {name!r}, row {row + 1}",
            rule="must be a number",
            got=shown(column.iloc[row]),
            way_out="fix the cell, or export the chart again",
        )
    return numbers
