"""The last loss and accuracy of each run, and the loss that an accuracy is paired with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from bayescale.data.ladder import Ladder


def paired(rows: pd.DataFrame, via: str | None, *, every: bool = False) -> pd.DataFrame:
    """The last accuracy of each (run, task), beside the loss that it is linked through.

    That loss is the one at the accuracy's own step, or the run's last one where no loss has that
    step. Runs without such a loss are left out.

    Parameters
    ----------
    rows
        Rows of the run table.
    via
        Name of the loss that every accuracy is linked through; None for each task's own loss.
    every
        Whether to take every accuracy of a (run, task), not only the last one.

    Returns
    -------
    DataFrame
        The rows that have an accuracy, with two more columns: ``via``, the name of the loss, and
        ``through``, its value.
    """
    losses = last_rows(rows, "loss_name").set_index(["run", "loss_name"])["loss"]
    scored = rows[rows["accuracy"].notna()]
    scored = scored.copy() if every else last_rows(scored, "task")
    scored["via"] = scored["loss_name"] if via is None else via
    by_step = rows.rename(columns={"loss_name": "via", "loss": "through"})[
        ["run", "via", "step", "through"]
    ].drop_duplicates(["run", "via", "step"])
    scored = scored.merge(by_step, on=["run", "via", "step"], how="left")
    last = losses.reindex(pd.MultiIndex.from_frame(scored[["run", "via"]])).to_numpy()
    scored["through"] = scored["through"].fillna(pd.Series(last, scored.index))
    return scored[scored["through"].notna()]


def last_rows(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """One row per (run, `by`): its last checkpoint.

    Parameters
    ----------
    rows
        Rows of the run table. A row without a step counts as the first checkpoint; of several rows
        with the same step, the first one is taken.
    by
        A column of the run table: ``task`` or ``loss_name``.

    Returns
    -------
    DataFrame
        Rows in the order of the table, with their index.
    """
    backwards = rows.iloc[::-1].sort_values("step", kind="stable", na_position="first")
    return backwards.drop_duplicates(["run", by], keep="last").sort_index()


def outcomes(ladder: Ladder) -> pd.DataFrame:
    """The last loss and the last accuracy of each (run, task).

    Parameters
    ----------
    ladder
        Its runs of every role.

    Returns
    -------
    DataFrame
        Columns loss and accuracy (nan where the run has no accuracy), indexed by run and task.
    """
    rows = ladder.frame
    losses = last_rows(rows, "task").set_index(["run", "task"])[["loss"]]
    scored = last_rows(rows[rows["accuracy"].notna()], "task")
    return losses.join(scored.set_index(["run", "task"])["accuracy"])
