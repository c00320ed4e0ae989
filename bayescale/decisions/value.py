"""Value of a run by its accuracy: a threshold, a line, or any function of the draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from bayescale.decisions.cost import money
from bayescale.decisions.tasks import mean_in_words, scored, tasks_of_mean, weighted_mean
from bayescale.errors import SettingError
from bayescale.validation import require_by_name, require_names, require_number

type Value = Threshold | Linear | Callable[[xr.Dataset], xr.DataArray]


@dataclass(frozen=True)
class Threshold:
    """V = worth where the weighted mean accuracy is at least `accuracy`, and 0 elsewhere.

    Where `accuracy` is a mapping, V = worth where every task of it reaches its own threshold.

    Parameters
    ----------
    worth
        Value of reaching the threshold, in money.
    accuracy
        The threshold, in [0, 1]: one number for the mean over tasks, or a mapping with one number
        per task.
    tasks
        Tasks of the mean, or the name of one task; None for all tasks that have weights, or without
        weights for all tasks that have accuracies.
    weights
        Weight of each task in the mean, of any sum; None for equal weights.

    Raises
    ------
    SettingError
        For a worth that is not positive, an accuracy outside [0, 1], tasks or weights beside a
        mapping of accuracies, and anything of another type.

    Examples
    --------
    >>> import bayescale as bs
    >>> print(bs.Threshold(worth=3e6, accuracy=0.7))
    3,000,000 if the mean accuracy of all tasks reaches 70 %
    """

    worth: float
    accuracy: float | Mapping[str, float]
    tasks: Sequence[str] | None = None
    weights: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        worth = require_number(
            "worth of the threshold",
            self.worth,
            lambda x: x > 0,
            rule="must be money above 0",
            way_out="such as worth=3e6",
        )
        object.__setattr__(self, "worth", worth)
        _set_mean(self)
        if self._by_task and (self.tasks is not None or self.weights is not None):
            raise SettingError(
                "threshold",
                rule="has tasks and weights for the mean alone",
                got="one accuracy per task as well",
                way_out="leave them out",
            )
        what, rule, way_out = "accuracy of the threshold", "must lie in [0, 1]", "60 % is 0.6"
        if isinstance(self.accuracy, Mapping):
            require_by_name(what, self.accuracy, rule=rule, way_out=way_out)
        if not self.each:
            raise SettingError(what, rule=rule, got="{}", way_out=way_out)
        each = {
            name: require_number(what, a, lambda x: 0 <= x <= 1, rule=rule, way_out=way_out)
            for name, a in self.each.items()
        }
        object.__setattr__(self, "accuracy", each if self._by_task else each[""])

    @property
    def _by_task(self) -> bool:
        """Whether each task has its own threshold."""
        return isinstance(self.accuracy, Mapping)

    @property
    def most(self) -> float:
        """The largest possible value, in money."""
        return self.worth

    @property
    def each(self) -> dict[str, float]:
        """The threshold of each task, or that of the mean under an empty name."""
        return dict(self.accuracy) if isinstance(self.accuracy, Mapping) else {"": self.accuracy}

    def __str__(self) -> str:
        if self._by_task:
            thresholds = ", ".join(f"{task} {100 * a:g} %" for task, a in self.each.items())
            return f"{money(self.worth)} if every one is reached: {thresholds}"
        mean = mean_in_words(self.tasks, self.weights)
        return f"{money(self.worth)} if the {mean} reaches {100 * self.each['']:g} %"

    def margin(self, accuracy: xr.DataArray) -> xr.DataArray:
        """Mean accuracy - threshold, or the smallest such difference of the tasks.

        Parameters
        ----------
        accuracy
            Draws of accuracies, with a dimension task.

        Returns
        -------
        xarray.DataArray
            The differences, without the dimension task: the threshold is reached where they are 0
            or more.
        """
        if not self._by_task:
            return weighted_mean(accuracy, self.tasks, self.weights) - self.each[""]
        tasks = self.tasks_in(accuracy)
        thresholds = xr.DataArray(
            [self.each[task] for task in tasks], dims="task", coords={"task": tasks}
        )
        return (accuracy.sel(task=tasks) - thresholds).min("task", skipna=False)

    def __call__(self, draws: xr.Dataset) -> xr.DataArray:
        """Value of each draw and target, in money; nan where an accuracy is nan.

        Parameters
        ----------
        draws
            Draws of a forecast, with the variable ``accuracy``.
        """
        margin = self.margin(draws["accuracy"])
        return xr.where(np.isnan(margin), np.nan, self.worth * (margin >= 0))

    def tasks_in(self, accuracy: xr.DataArray) -> list[str]:
        """The tasks that have a threshold, or those of the mean.

        Parameters
        ----------
        accuracy
            Draws of accuracies, with a dimension task.

        Raises
        ------
        SettingError
            For a task that has no accuracies.
        """
        return scored(
            accuracy, list(self.each) if self._by_task else tasks_of_mean(self.tasks, self.weights)
        )

    def shifted(self, by: float) -> Threshold:
        """The same value with every threshold higher by `by`, within [0, 1].

        Parameters
        ----------
        by
            Difference of accuracy, as a share; negative for lower thresholds.
        """
        moved = {name: float(np.clip(a + by, 0, 1)) for name, a in self.each.items()}
        return replace(self, accuracy=moved if self._by_task else moved[""])

    def break_even_shift(self, margin: np.ndarray, cost: float) -> float:
        """s such that E V = cost if every threshold were higher by s; nan where there is none.

        Parameters
        ----------
        margin
            Draws of `margin` of one target, shape (draws,).
        cost
            Cost of the target, in money.
        """
        if not 0 < cost < self.worth:
            return float("nan")
        return float(np.quantile(margin, 1 - cost / self.worth))


@dataclass(frozen=True)
class Linear:
    """V = 100 per_point (weighted mean accuracy - baseline).

    Parameters
    ----------
    per_point
        Value of one point (0.01) of accuracy, in money.
    baseline
        The accuracy that has no value, such as that of the model in use; in [0, 1).
    tasks
        Tasks of the mean, or the name of one task; None for all tasks that have weights, or without
        weights for all tasks that have accuracies.
    weights
        Weight of each task in the mean, of any sum; None for equal weights.

    Raises
    ------
    SettingError
        For a value per point that is not positive, a baseline outside [0, 1), and anything of
        another type.

    Examples
    --------
    >>> import bayescale as bs
    >>> print(bs.Linear(per_point=1e5, baseline=0.6))
    100,000 for each point by which the mean accuracy of all tasks is above 60 %
    """

    per_point: float
    baseline: float = 0.0
    tasks: Sequence[str] | None = None
    weights: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        per_point = require_number(
            "per_point",
            self.per_point,
            lambda x: x > 0,
            rule="must be money above 0",
            way_out="such as per_point=1e5",
        )
        baseline = require_number(
            "baseline",
            self.baseline,
            lambda x: 0 <= x < 1,
            rule="must lie in [0, 1)",
            way_out="60 % is 0.6",
        )
        object.__setattr__(self, "per_point", per_point)
        object.__setattr__(self, "baseline", baseline)
        _set_mean(self)

    @property
    def most(self) -> float:
        """The largest possible value, in money: that of an accuracy of 1."""
        return 100 * self.per_point * (1 - self.baseline)

    @property
    def each(self) -> dict[str, float]:
        """Empty: a line has no thresholds."""
        return {}

    def __str__(self) -> str:
        mean = mean_in_words(self.tasks, self.weights)
        point = f"{money(self.per_point)} for each point"
        return f"{point} by which the {mean} is above {100 * self.baseline:g} %"

    def margin(self, accuracy: xr.DataArray) -> xr.DataArray:
        """Mean accuracy - baseline, without the dimension task.

        Parameters
        ----------
        accuracy
            Draws of accuracies, with a dimension task.
        """
        return weighted_mean(accuracy, self.tasks, self.weights) - self.baseline

    def __call__(self, draws: xr.Dataset) -> xr.DataArray:
        """Value of each draw and target, in money.

        Parameters
        ----------
        draws
            Draws of a forecast, with the variable ``accuracy``.
        """
        return 100 * self.per_point * self.margin(draws["accuracy"])

    def tasks_in(self, accuracy: xr.DataArray) -> list[str]:
        """The tasks of the mean.

        Parameters
        ----------
        accuracy
            Draws of accuracies, with a dimension task.

        Raises
        ------
        SettingError
            For a task that has no accuracies.
        """
        return scored(accuracy, tasks_of_mean(self.tasks, self.weights))

    def shifted(self, _by: float) -> Linear:
        """The same value: a line has no thresholds."""
        return self

    def break_even_shift(self, margin: np.ndarray, cost: float) -> float:
        """s such that E V = cost if the baseline were higher by s.

        Parameters
        ----------
        margin
            Draws of `margin` of one target, shape (draws,).
        cost
            Cost of the target, in money.
        """
        return float(margin.mean() - cost / (100 * self.per_point))


def _set_mean(value: Threshold | Linear) -> None:
    """Check the tasks and the weights of a mean, and keep them as a tuple and a dictionary."""
    if value.tasks is not None:
        object.__setattr__(value, "tasks", require_names("tasks", value.tasks))
    if value.weights is not None:
        rule, way_out = "must be 0 or more", "such as weights={'mmlu': 2, 'piqa': 1}"
        weights = require_by_name("weights", value.weights, rule=rule, way_out=way_out)
        object.__setattr__(value, "weights", weights)
