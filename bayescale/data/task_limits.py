"""task_limits: how well the accuracy of each task can be known at best, from chance and items."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescale.data.outcomes import last_rows

# An accuracy within this many standard errors of chance tells little of a link.
NEAR_CHANCE = 3.0


def task_limits(rows: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """Standard error of a measured accuracy p of n items: sqrt(p (1 - p) / n).

    No forecast of one run's measured accuracy can have an interval narrower than this noise.

    Parameters
    ----------
    rows
        A run table that `bayescale.data.schema.parse_runs` has checked.
    tasks
        The task table, indexed by task.

    Returns
    -------
    DataFrame
        One row per task: ``task``, ``chance``, ``items``, ``runs`` (fitted runs with an accuracy),
        ``best`` (the highest of their accuracies), ``standard_error`` (at that accuracy),
        ``above_chance`` (how many of the runs lie more than 3 standard errors of guessing above
        chance).
    """
    fitted = rows[rows["role"].isin(["fit", "link"]) & rows["accuracy"].notna()]
    last = last_rows(fitted, "task")
    limits = []
    for task, row in tasks.iterrows():
        scores = last.loc[last["task"] == task, "accuracy"]
        best = float(scores.max()) if len(scores) else float("nan")
        guessing = np.sqrt(row["chance"] * (1 - row["chance"]) / row["items"])
        limits.append(
            {
                "task": task,
                "chance": float(row["chance"]),
                "items": float(row["items"]),
                "runs": len(scores),
                "best": best,
                "standard_error": float(np.sqrt(best * (1 - best) / row["items"])),
                "above_chance": int((scores > row["chance"] + NEAR_CHANCE * guessing).sum()),
            }
        )
    columns = ["task", "chance", "items", "runs", "best", "standard_error", "above_chance"]
    return pd.DataFrame(limits, columns=columns)
