"""The last loss and accuracy of each run, and the loss that an accuracy is paired with."""

from __future__ import annotations

import pandas as pd

from bayescale.data.ladder import Ladder


def paired(rows: pd.DataFrame, via: str | None, *, every: bool = False) -> pd.DataFrame:
    """The last accuracy (or every one) of each (run, task) beside the loss that it is linked
    through: columns `via` (its name) and `through`.

    That is the loss at the accuracy's own step, or the run's last one where there is none; runs
    without such a loss are left out.
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
    """One row a (run, `by`): its last checkpoint, the first row of the table among those of one
    step.
    """
    first = rows.iloc[::-1].sort_values("step", kind="stable", na_position="first")
    return first.drop_duplicates(["run", by], keep="last").sort_index()


def outcomes(ladder: Ladder) -> pd.DataFrame:
    """The last loss and the last accuracy of each (run, task), nan where there is none; indexed by
    run and task.
    """
    rows = ladder.frame
    accuracy = last_rows(rows[rows["accuracy"].notna()], "task").set_index(["run", "task"])[
        "accuracy"
    ]
    return last_rows(rows, "task").set_index(["run", "task"])[["loss"]].join(accuracy)
