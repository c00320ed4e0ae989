"""What accuracies are worth: a threshold, a line, or any function of the draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.decisions.cost import money
from bayescale.errors import SettingError

type Value = Threshold | Linear | Callable[[xr.Dataset], xr.DataArray]


@dataclass(frozen=True)
class Threshold:
    """V = worth where the weighted mean accuracy reaches `accuracy`, or every task its own; 0
    otherwise.

    Parameters
    ----------
    worth
        In money.
    accuracy
        In [0, 1]: one number for the mean over tasks, or one a task, of which every one must be
        reached.
    tasks, weights
        Of the mean: None for all tasks that have accuracies, alike; weights by task, of any sum.

    Raises
    ------
    SettingError
        For a worth that is not positive, an accuracy outside [0, 1], and tasks or weights beside
        one accuracy a task.
    """

    worth: float
    accuracy: float | Mapping[str, float]
    tasks: Sequence[str] | None = None
    weights: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", None if self.tasks is None else tuple(self.tasks))
        if not np.isfinite(self.worth) or self.worth <= 0:
            raise SettingError(
                "worth of the threshold",
                rule="must be money above 0",
                got=repr(self.worth),
                way_out="such as worth=3e6",
            )
        if isinstance(self.accuracy, Mapping) and (
            self.tasks is not None or self.weights is not None
        ):
            raise SettingError(
                "threshold",
                rule="has tasks and weights for the mean alone",
                got="an accuracy a task besides",
                way_out="leave them out",
            )
        bad = [a for a in self.each.values() if not 0 <= a <= 1]
        if bad or not self.each:
            raise SettingError(
                "accuracy of the threshold",
                rule="must lie in [0, 1]",
                got=repr(bad[0] if bad else {}),
                way_out="60 % is 0.6",
            )

    @property
    def most(self) -> float:
        """The most that it can be worth."""
        return self.worth

    @property
    def each(self) -> dict[str, float]:
        """The threshold of each task; under an empty name that of the mean."""
        return dict(self.accuracy) if isinstance(self.accuracy, Mapping) else {"": self.accuracy}

    def __str__(self) -> str:
        if isinstance(self.accuracy, Mapping):
            return f"{money(self.worth)} if every one is reached: {', '.join(f'{t} {100 * a:g} %' for t, a in self.accuracy.items())}"
        return f"{money(self.worth)} if the {_mean_of(self.tasks, self.weights)} reaches {100 * self.accuracy:g} %"

    def margin(self, accuracy: xr.DataArray) -> xr.DataArray:
        """By how much the threshold is passed, that of the hardest where every task has its own:
        without the dimension task.
        """
        if not isinstance(self.accuracy, Mapping):
            return weighted_mean(accuracy, self.tasks, self.weights) - self.accuracy
        chosen = scored(accuracy, list(self.accuracy))
        own = xr.DataArray([self.accuracy[t] for t in chosen], dims="task", coords={"task": chosen})
        return (accuracy.sel(task=chosen) - own).min("task", skipna=False)

    def __call__(self, draws: xr.Dataset) -> xr.DataArray:
        """Money, without the dimension task."""
        margin = self.margin(draws["accuracy"])
        return xr.where(np.isnan(margin), np.nan, self.worth * (margin >= 0))

    def shifted(self, by: float) -> Threshold:
        """The same, every threshold higher by so much, within [0, 1]."""
        moved = {name: float(np.clip(a + by, 0, 1)) for name, a in self.each.items()}
        return replace(self, accuracy=moved if isinstance(self.accuracy, Mapping) else moved[""])

    def break_even_shift(self, margin: np.ndarray, cost: float) -> float:
        """The s at which E V = cost, were every threshold higher by s; nan where no s does."""
        return (
            float(np.quantile(margin, 1 - cost / self.worth))
            if 0 < cost < self.worth
            else float("nan")
        )


@dataclass(frozen=True)
class Linear:
    """V = 100 per_point (weighted mean accuracy - baseline).

    Parameters
    ----------
    per_point
        Money for each point, a hundredth, of accuracy.
    baseline
        The accuracy that is worth nothing, such as that of what is there already.
    tasks, weights
        As in `Threshold`.

    Raises
    ------
    SettingError
        For a point that is worth nothing or less, or a baseline outside [0, 1).
    """

    per_point: float
    baseline: float = 0.0
    tasks: Sequence[str] | None = None
    weights: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", None if self.tasks is None else tuple(self.tasks))
        if not np.isfinite(self.per_point) or self.per_point <= 0:
            raise SettingError(
                "per_point",
                rule="must be money above 0",
                got=repr(self.per_point),
                way_out="such as per_point=1e5",
            )
        if not 0 <= self.baseline < 1:
            raise SettingError(
                "baseline",
                rule="must lie in [0, 1)",
                got=repr(self.baseline),
                way_out="60 % is 0.6",
            )

    @property
    def most(self) -> float:
        """The most that it can be worth."""
        return 100 * self.per_point * (1 - self.baseline)

    def __str__(self) -> str:
        return f"{money(self.per_point)} for each point by which the {_mean_of(self.tasks, self.weights)} is above {100 * self.baseline:g} %"

    def margin(self, accuracy: xr.DataArray) -> xr.DataArray:
        """By how much the mean passes the baseline: without the dimension task."""
        return weighted_mean(accuracy, self.tasks, self.weights) - self.baseline

    def __call__(self, draws: xr.Dataset) -> xr.DataArray:
        """Money, without the dimension task."""
        return 100 * self.per_point * self.margin(draws["accuracy"])

    def break_even_shift(self, margin: np.ndarray, cost: float) -> float:
        """The s at which E V = cost, were the baseline higher by s."""
        return float(margin.mean() - cost / (100 * self.per_point))


def _mean_of(tasks: Sequence[str] | None, weights: Mapping[str, float] | None) -> str:
    if weights is not None:
        return f"weighted mean accuracy ({', '.join(f'{t} {w:g}' for t, w in weights.items())})"
    return f"mean accuracy of {'all tasks' if tasks is None else ', '.join(tasks)}"


def value_draws(value: Value, draws: xr.Dataset) -> xr.DataArray:
    """Money for every (chain, draw, target).

    Raises
    ------
    SettingError
        Where the value is not of these dimensions, or not finite.
    """
    if not callable(value):
        raise SettingError(
            "value",
            rule="must be a Threshold, a Linear or a function of the draws",
            got=repr(value),
            way_out="Threshold(worth=3e6, accuracy=0.7)",
        )
    found = value(draws)
    wanted = {"chain", "draw", "target"}
    if not isinstance(found, xr.DataArray) or set(found.dims) != wanted:
        got = (
            f"dimensions {found.dims}" if isinstance(found, xr.DataArray) else type(found).__name__
        )
        raise SettingError(
            "value",
            rule="must give a DataArray over chain, draw and target",
            got=got,
            way_out="such as draws['accuracy'].mean('task')",
        )
    if not np.isfinite(found).all():
        raise SettingError(
            "value",
            rule="must be finite for every draw",
            got="nan or infinity",
            way_out="leave out tasks that have no accuracy, or mend the function",
        )
    return found.transpose("chain", "draw", "target")


def reach(value: Threshold, draws: xr.Dataset) -> pd.DataFrame:
    """P(reaching each threshold), by task where each has its own, and jointly: columns target,
    task, threshold, prob.
    """
    accuracy = draws["accuracy"]
    each = (
        [(t, a, accuracy.sel(task=scored(accuracy, [t])[0]) - a) for t, a in value.accuracy.items()]
        if isinstance(value.accuracy, Mapping)
        else []
    )
    whole = ("every one", float("nan")) if each else ("mean", value.accuracy)
    rows = [
        {
            "target": str(target),
            "task": task,
            "threshold": threshold,
            "prob": float((margin.sel(target=target) >= 0).mean()),
        }
        for target in accuracy.target.values
        for task, threshold, margin in [*each, (*whole, value.margin(accuracy))]
    ]
    return pd.DataFrame(rows)


def tasks_of(value: Value, accuracy: xr.DataArray) -> list[str]:
    """The tasks that a value looks at; all that have accuracies for a function of the user's."""
    if isinstance(value, Threshold) and isinstance(value.accuracy, Mapping):
        return list(value.accuracy)
    return scored(
        accuracy,
        _weighed(value.tasks, value.weights) if isinstance(value, Threshold | Linear) else None,
    )


def doubts(table: pd.DataFrame, tasks: Sequence[str]) -> list[str]:
    """That the ladder does not speak for some of the tasks (see `Fit.verdicts`), from the table of
    a forecast; empty where it does.
    """
    mine = table[table["task"].isin(tasks)].drop_duplicates("task")
    doubtful = [
        f"{row.task} ({row.verdict})"
        for row in mine.itertuples()
        if row.verdict not in ("predictable", "weak", None)
    ]
    return [f"the ladder does not speak for {', '.join(doubtful)}"] if doubtful else []


def weighted_mean(
    accuracy: xr.DataArray, tasks: Sequence[str] | None, weights: Mapping[str, float] | None
) -> xr.DataArray:
    """sum_t w_t accuracy_t / sum_t w_t, without the dimension task."""
    chosen = scored(accuracy, _weighed(tasks, weights))
    w = xr.DataArray(
        [1.0 if weights is None else float(weights.get(t, 0.0)) for t in chosen],
        dims="task",
        coords={"task": chosen},
    )
    if (w < 0).any() or not w.sum() > 0:
        raise SettingError(
            "weights",
            rule="must be 0 or more, not all nil",
            got=repr(dict(weights or {})),
            way_out="leave a task out instead",
        )
    return (accuracy.sel(task=chosen) * w).sum("task", skipna=False) / w.sum()


def _weighed(
    tasks: Sequence[str] | None, weights: Mapping[str, float] | None
) -> Sequence[str] | None:
    """The tasks of a mean: those that have weights, where no others are asked for."""
    return list(weights) if tasks is None and weights is not None else tasks


def scored(accuracy: xr.DataArray, tasks: Sequence[str] | None) -> list[str]:
    """The tasks asked for, all that have accuracies where None are."""
    known = [str(t) for t in accuracy.task.values if not np.isnan(accuracy.sel(task=t)).all()]
    unknown = [t for t in tasks or () if t not in known]
    if unknown or not known:
        got = repr(unknown[0]) if unknown else "a forecast of losses alone"
        raise SettingError(
            "tasks of the value",
            rule="must have accuracies in the forecast",
            got=got,
            way_out=f"use some of {', '.join(known) or 'none'}",
        )
    return known if tasks is None else list(tasks)
