"""The wide form of a run table, one row a run: how public results come and how they are stored,
against the tidy form that a ladder takes.
"""

from __future__ import annotations

import pandas as pd

from bayescale.data.ladder import Ladder

LOSS, ACCURACY = "loss:", "accuracy:"


def tidy(wide: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """The tidy run table, one row for each (run, task).

    Parameters
    ----------
    wide
        One row a run: its own columns (``run``, ``params``, ...), ``loss:NAME`` for each loss and
        ``accuracy:TASK`` for each task that has accuracies.
    tasks
        Columns ``task``, ``loss_name``: the tasks and declared series to take, in this order.
    """
    own = wide[[name for name in wide.columns if not name.startswith((LOSS, ACCURACY))]]
    parts = []
    for task, loss_name in zip(tasks["task"], tasks["loss_name"], strict=True):
        accuracy = wide[ACCURACY + task] if ACCURACY + task in wide else float("nan")
        parts.append(
            own.assign(
                task=task, loss_name=loss_name, loss=wide[LOSS + loss_name], accuracy=accuracy
            )
        )
    return pd.concat(parts, ignore_index=True)


def widen(ladder: Ladder) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The wide table and its task table (``task``, ``loss_name``, ``chance``, ``items``), from
    which `tidy` gives the ladder's rows back.
    """
    rows = ladder.frame
    losses = rows.pivot_table(index="run", columns="loss_name", values="loss", aggfunc="first")[
        ladder.loss_names
    ]
    scores = rows.pivot_table(index="run", columns="task", values="accuracy", aggfunc="first")[
        ladder.tasks
    ]
    own = ladder.runs.dropna(axis="columns", how="all")
    wide = own.join(losses.add_prefix(LOSS)).join(scores.add_prefix(ACCURACY)).reset_index()
    tasks = (
        rows[["task", "loss_name"]]
        .drop_duplicates("task")
        .set_index("task")
        .join(ladder.task_table)
        .reset_index()
    )
    return wide, tasks
