"""Tasks of a decision: which have accuracies, their weighted mean, and which to doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.data.names import suggested
from bayescale.errors import SettingError

# verdicts of `Fit.verdicts` that leave no doubt
TRUSTED = ("predictable", "weak")


def weighted_mean(
    accuracy: xr.DataArray, tasks: Sequence[str] | None, weights: Mapping[str, float] | None
) -> xr.DataArray:
    """sum_t w_t accuracy_t / sum_t w_t, without the dimension task.

    Parameters
    ----------
    accuracy
        Accuracies, with a dimension task.
    tasks
        Tasks of the mean; None for all tasks that have weights, or without weights for all tasks
        that have accuracies.
    weights
        w_t of each task, of any sum, 0 for a task that is missing; None for equal weights.

    Returns
    -------
    xarray.DataArray
        The mean; nan where an accuracy of these tasks is nan.

    Raises
    ------
    SettingError
        For a task that has no accuracies, a negative weight, and weights that are all 0.
    """
    chosen = scored(accuracy, tasks_of_mean(tasks, weights))
    w = xr.DataArray(
        [1.0 if weights is None else float(weights.get(task, 0.0)) for task in chosen],
        dims="task",
        coords={"task": chosen},
    )
    if (w < 0).any() or not w.sum() > 0:
        raise SettingError(
            "weights",
            rule="must be 0 or more, and above 0 for one task at least",
            got=repr(dict(weights or {})),
            way_out="leave a task out instead",
        )
    return (accuracy.sel(task=chosen) * w).sum("task", skipna=False) / w.sum()


def scored(accuracy: xr.DataArray, tasks: Sequence[str] | None) -> list[str]:
    """The tasks asked for; all tasks that have accuracies where `tasks` is None.

    Parameters
    ----------
    accuracy
        Accuracies, with a dimension task; all nan for a task that has none.
    tasks
        Names of tasks, or None.

    Raises
    ------
    SettingError
        For a task that has no accuracies, and where no task has any.
    """
    known = [str(t) for t in accuracy.task.values if not np.isnan(accuracy.sel(task=t)).all()]
    unknown = [task for task in tasks or () if task not in known]
    if unknown or not known:
        raise SettingError(
            "tasks of the value",
            rule="must have accuracies in the forecast",
            got=repr(unknown[0]) if unknown else "a forecast of losses alone",
            way_out=f"use {suggested(unknown[0], known)}" if unknown else "add accuracies",
        )
    return known if tasks is None else list(tasks)


def tasks_of_mean(
    tasks: Sequence[str] | None, weights: Mapping[str, float] | None
) -> Sequence[str] | None:
    """The tasks of a weighted mean: those that have weights where `tasks` is None.

    Parameters
    ----------
    tasks
        Names of the tasks that the user asks for, or None.
    weights
        Weight of each task, or None for equal weights.

    Returns
    -------
    sequence of str or None
        None for all tasks that have accuracies.
    """
    return list(weights) if tasks is None and weights is not None else tasks


def mean_in_words(tasks: Sequence[str] | None, weights: Mapping[str, float] | None) -> str:
    """A weighted mean as a text, such as ``mean accuracy of all tasks``.

    Parameters
    ----------
    tasks
        Names of the tasks that the user asks for, or None.
    weights
        Weight of each task, or None for equal weights.
    """
    if weights is not None:
        return f"weighted mean accuracy ({', '.join(f'{t} {w:g}' for t, w in weights.items())})"
    return f"mean accuracy of {'all tasks' if tasks is None else ', '.join(tasks)}"


def doubts(table: pd.DataFrame, tasks: Sequence[str]) -> list[str]:
    """A remark that names the tasks that the ladder does not speak for (see `Fit.verdicts`).

    Parameters
    ----------
    table
        Table of a forecast, with the columns task and verdict.
    tasks
        The tasks that a decision depends on.

    Returns
    -------
    list of str
        One remark; empty where the ladder speaks for all of the tasks.
    """
    rows = table[table["task"].isin(tasks)].drop_duplicates("task")
    doubtful = [
        f"{row.task} ({row.verdict})"
        for row in rows.dropna(subset="verdict").itertuples()
        if row.verdict not in TRUSTED
    ]
    return [f"the ladder does not speak for {', '.join(doubtful)}"] if doubtful else []
