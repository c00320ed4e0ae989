"""Other files about the same runs: evaluation results and charts, joined by the names of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from bayescale.data.names import listed
from bayescale.data.readers.fields import record_of
from bayescale.data.readers.formats import read_cells
from bayescale.data.readers.harness import read_harness
from bayescale.data.readers.harness_file import is_harness
from bayescale.data.readers.wandb import is_chart_export, read_chart_export
from bayescale.errors import DataError


class Joined(NamedTuple):
    """What other files say of the runs.

    Parameters
    ----------
    columns
        One row per run, indexed by its name, one column for each metric of a chart and each column
        of a table; empty where there are none.
    scores
        One row per (run, task): run, task, accuracy, items (nan where it is unknown).
    notes
        What was understood, one sentence each.
    """

    columns: pd.DataFrame
    scores: pd.DataFrame
    notes: list[str]


def read_others(paths: Sequence[object], metrics: Mapping[str, str] | None) -> Joined:
    """What other files say of the runs.

    Parameters
    ----------
    paths
        Results of lm-evaluation-harness (files, or folders of them), charts exported from Weights &
        Biases, and tables with a column ``run``.
    metrics
        The metric of each task of the harness; see `read_harness`.

    Raises
    ------
    FileError
        For a file that does not parse.
    DataError
        For a table without a column ``run``, or with several rows of one run.
    """
    results = [path for path in paths if is_results(path)]
    tables, notes = [], []
    for path in paths:
        if path not in results:
            table, told = _by_run(path)
            tables.append(table)
            notes += told
    columns = pd.concat(tables, axis="columns") if tables else pd.DataFrame()
    scores = pd.DataFrame(columns=["run", "task", "accuracy", "items"])
    if results:
        scores, told = read_harness([Path(str(path)) for path in results], metrics=metrics)
        notes += told
    return Joined(columns, scores, notes)


def is_results(path: object) -> bool:
    """Whether a path is a folder, or a results file of lm-evaluation-harness."""
    if not isinstance(path, str | Path):
        return False
    return Path(path).is_dir() or is_harness(record_of(Path(path)))


def add_columns(table: pd.DataFrame, run: str, columns: pd.DataFrame) -> pd.DataFrame:
    """The table with the columns of other files, by the name of the run.

    Parameters
    ----------
    table
        The cells of the run table.
    run
        Its column of names of runs.
    columns
        One row per run, indexed by its name.

    Raises
    ------
    DataError
        Where no run of the other files is in the table.
    """
    names = _matches(columns.index, table[run])
    known = columns[columns.index.isin(names)].rename(index=names)
    new = known[[name for name in known.columns if name not in table.columns]]
    return table.join(new, on=run)


def add_scores(rows: pd.DataFrame, scores: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows with an accuracy for each (run, task) of the scores.

    A task goes with the loss of its own name where the table has one, else with the first loss.

    Parameters
    ----------
    rows
        Rows per (run, task) with the columns run, task, loss.
    scores
        Columns run, task, accuracy.

    Returns
    -------
    rows : DataFrame
        The old rows, and a row for each score of a task that a run does not have yet.
    notes : list of str
        Which runs have no partner.

    Raises
    ------
    DataError
        Where no run of the scores is in the table, or where a score is in both.
    """
    names = _matches(scores["run"], rows["run"])
    alone = [run for run in dict.fromkeys(scores["run"]) if run not in names]
    notes = []
    if alone:
        without = [run for run in dict.fromkeys(rows["run"]) if run not in names.values()]
        notes.append(
            f"scores of runs that the table lacks, left out: {listed(alone)}; runs of the table "
            f"without scores: {listed(without) or 'none'}"
        )
    scores = scores[scores["run"].isin(names)]
    scores = scores.assign(run=scores["run"].map(names))
    rows = rows.assign(loss_name=rows["loss_name"] if "loss_name" in rows else rows["task"])
    rows = rows.assign(accuracy=rows["accuracy"] if "accuracy" in rows else float("nan"))
    main = rows["loss_name"].iloc[0]
    new = []
    for task, of_task in scores.groupby("task", sort=False):
        loss_name = task if (rows["loss_name"] == task).any() else main
        base = rows[rows["loss_name"] == loss_name].drop_duplicates("run", keep="last")
        accuracy = of_task.set_index("run")["accuracy"]
        base = base[base["run"].isin(accuracy.index)]
        new.append(base.assign(task=task, accuracy=base["run"].map(accuracy), metric=float("nan")))
    scored = pd.concat(new)
    both = rows[rows["accuracy"].notna()].merge(scored[["run", "task"]], on=["run", "task"])
    if len(both):
        raise DataError(
            f"accuracy of run {both['run'].iloc[0]!r}, task {both['task'].iloc[0]!r}",
            rule="must come from one place",
            got="the run table and the evaluation results",
            way_out="leave one of them out",
        )
    # A row that only declares the series of a task gives way to the row with its score.
    declared = pd.MultiIndex.from_frame(rows[["run", "task"]]).isin(
        pd.MultiIndex.from_frame(scored[["run", "task"]])
    )
    return pd.concat([rows[~declared], scored], ignore_index=True), notes


def items_of(scores: pd.DataFrame) -> dict[str, float]:
    """Items of each task, where all runs of the task have one number of them."""
    known = scores.dropna(subset=["items"]).groupby("task", sort=False)["items"]
    lowest, highest = known.min(), known.max()
    return {str(task): float(items) for task, items in lowest[lowest == highest].items()}


def _by_run(path: object) -> tuple[pd.DataFrame, list[str]]:
    """The columns of a table by the name of the run; a chart has one column for each metric."""
    table = read_cells(path).table
    if is_chart_export(table):
        points, notes = read_chart_export(table)
        return points.pivot_table(index="run", columns="metric", values="value", sort=False), notes
    if "run" not in table or table["run"].duplicated().any():
        raise DataError(
            f"file {str(path)!r}",
            rule="must be a chart, evaluation results, or a table with one row for each run",
            got=f"columns {listed(table.columns)}",
            way_out="give the column of names of runs the name run, one row per run",
        )
    return table.set_index("run"), []


def _matches(names: pd.Series | pd.Index, known: pd.Series) -> dict[object, object]:
    """The run of the table for each name: the same name, or the same without capitals."""
    same = {str(run).strip().lower(): run for run in known}
    found = {name: same[key] for name in names if (key := str(name).strip().lower()) in same}
    if not found:
        raise DataError(
            "runs of the joined files",
            rule="must have the names that the run table gives them",
            got=f"{listed(dict.fromkeys(names))}; the table has {listed(dict.fromkeys(known))}",
            way_out="rename the runs in the run table",
        )
    return found
