"""below_chance: a warning for each accuracy that guessing does not explain."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescale.checks import Check

# An accuracy this many standard errors of guessing below chance is warned of. Several public small
# models lie 1 to 3 below, because they prefer some answers.
BELOW_CHANCE_Z = -5.0


def below_chance(rows: pd.DataFrame, tasks: pd.DataFrame) -> list[Check]:
    """A warning for each accuracy that is further below chance than guessing explains.

    Parameters
    ----------
    rows
        A run table that `parse_runs` has checked.
    tasks
        The task table, indexed by task.

    Returns
    -------
    list of Check
        One row per such accuracy; its ``value`` is the distance from chance in standard errors of
        guessing.
    """
    scored = rows[rows["accuracy"].notna()].merge(tasks, left_on="task", right_index=True)
    z = (scored["accuracy"] - scored["chance"]) / np.sqrt(
        np.maximum(scored["chance"] * (1 - scored["chance"]), 1e-12) / scored["items"]
    )
    is_low = z < BELOW_CHANCE_Z
    return [
        Check(
            check=f"accuracy above chance: {row.task}, {row.run}",
            status="warn",
            value=float(value),
            limit=BELOW_CHANCE_Z,
            advice=(
                f"accuracy {row.accuracy:.4g} is further below chance {row.chance:.4g} than "
                "guessing explains: check the task's chance and its answer format"
            ),
        )
        for row, value in zip(scored[is_low].itertuples(), z[is_low], strict=True)
    ]
