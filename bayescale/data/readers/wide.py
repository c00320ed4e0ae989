"""The wide form of a run table, one row per run, and the way to the tidy form and back.

Public results come in the wide form, and the embedded tables are stored in it; a ladder takes the
tidy form.
"""

from __future__ import annotations

import pandas as pd

from bayescale.data.ladder import Ladder

# Prefixes of the columns of a wide table: `loss:NAME` and `accuracy:TASK`.
LOSS = "loss:"
ACCURACY = "accuracy:"


def tidy(wide: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """The tidy run table of a wide one, one row per (run, task).

    Parameters
    ----------
    wide
        One row per run: columns of the run (``run``, ``params``, ...), ``loss:NAME`` for each loss
        and ``accuracy:TASK`` for each task that has accuracies.
    tasks
        Columns ``task``, ``loss_name``: the tasks and declared series to take, in this order.

    Returns
    -------
    DataFrame
        The columns of the run, and task, loss_name, loss, accuracy; all runs of the first task come
        first.
    """
    of_run = wide[[name for name in wide.columns if not name.startswith((LOSS, ACCURACY))]]
    tables = []
    for task, loss_name in zip(tasks["task"], tasks["loss_name"], strict=True):
        accuracy = wide[ACCURACY + task] if ACCURACY + task in wide else float("nan")
        loss = wide[LOSS + loss_name]
        tables.append(of_run.assign(task=task, loss_name=loss_name, loss=loss, accuracy=accuracy))
    return pd.concat(tables, ignore_index=True)


def widen(ladder: Ladder) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The wide table of a ladder and its task table, from which `tidy` gives the rows back.

    Parameters
    ----------
    ladder
        A ladder with one row per (run, task).

    Returns
    -------
    wide : DataFrame
        One row per run, with the columns that `tidy` takes.
    tasks : DataFrame
        Columns ``task``, ``loss_name``, ``chance``, ``items``; the last two are nan for a declared
        series.
    """
    rows = ladder.frame
    losses = rows.pivot_table(index="run", columns="loss_name", values="loss", aggfunc="first")
    losses = losses[ladder.loss_names].add_prefix(LOSS)
    scores = rows.pivot_table(index="run", columns="task", values="accuracy", aggfunc="first")
    scores = scores[ladder.tasks].add_prefix(ACCURACY)
    of_run = ladder.runs.dropna(axis="columns", how="all")
    wide = of_run.join(losses).join(scores).reset_index()
    tasks = (
        rows[["task", "loss_name"]]
        .drop_duplicates("task")
        .set_index("task")
        .join(ladder.task_table)
        .reset_index()
    )
    return wide, tasks
