"""Draws of a forecast -> money, and the questions that a decision asks of every form of value.

A user gives a `Threshold`, a `Linear` or a function. `as_value` makes one kind of object of them,
so that no other file asks which it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.decisions.tasks import scored
from bayescale.decisions.value import Linear, Threshold, Value
from bayescale.errors import SettingError
from bayescale.validation import shown


class AccuracyValue(Protocol):
    """The questions that a decision asks of every value, whatever its form."""

    def __call__(self, draws: xr.Dataset, /) -> xr.DataArray:
        """Value of each draw and target, in money."""

    @property
    def most(self) -> float | None:
        """The largest possible value, in money; None where it is unknown."""

    @property
    def each(self) -> dict[str, float]:
        """The threshold of each task, or that of the mean under an empty name; else empty."""

    def margin(self, accuracy: xr.DataArray, /) -> xr.DataArray | None:
        """Accuracy less what is asked for, without the dimension task; None where unknown."""

    def tasks_in(self, accuracy: xr.DataArray, /) -> list[str]:
        """The tasks that the value depends on, out of those of the draws."""

    def shifted(self, by: float, /) -> AccuracyValue:
        """The same value with every threshold higher by `by`."""

    def break_even_shift(self, margin: np.ndarray, cost: float, /) -> float:
        """s such that E V = cost if every threshold were higher by s; nan where it is unknown."""


@dataclass(frozen=True)
class OwnValue:
    """V = function(draws): a value by a function of the user's, of which nothing else is known.

    Parameters
    ----------
    function
        Takes the draws of a forecast, over (chain, draw, target, task); returns money over (chain,
        draw, target).
    """

    function: Callable[[xr.Dataset], xr.DataArray]

    @property
    def most(self) -> None:
        """None: the largest value of a function is unknown."""

    @property
    def each(self) -> dict[str, float]:
        """Empty: the thresholds of a function are unknown."""
        return {}

    def __call__(self, draws: xr.Dataset) -> xr.DataArray:
        """Value of each draw and target, in money."""
        return self.function(draws)

    def margin(self, _accuracy: xr.DataArray) -> None:
        """None: the accuracy that a function asks for is unknown."""

    def tasks_in(self, accuracy: xr.DataArray) -> list[str]:
        """All tasks that have accuracies: which of them a function uses is unknown."""
        return scored(accuracy, None)

    def shifted(self, _by: float) -> OwnValue:
        """The same value: the thresholds of a function are unknown."""
        return self

    def break_even_shift(self, _margin: np.ndarray, _cost: float) -> float:
        """nan: the thresholds of a function are unknown."""
        return float("nan")


def as_value(value: Value | OwnValue) -> AccuracyValue:
    """One kind of object for every form of value: a function becomes an `OwnValue`.

    Parameters
    ----------
    value
        A `Threshold`, a `Linear`, or a function of the draws of a forecast.

    Raises
    ------
    SettingError
        For anything else.
    """
    if isinstance(value, Threshold | Linear | OwnValue):
        return value
    if not callable(value):
        raise SettingError(
            "value",
            rule="must be a Threshold, a Linear or a function of the draws",
            got=shown(value),
            way_out="Threshold(worth=3e6, accuracy=0.7)",
        )
    return OwnValue(value)


def value_draws(value: Value | AccuracyValue, draws: xr.Dataset) -> xr.DataArray:
    """V of every draw and target, in money.

    Parameters
    ----------
    value
        A `Threshold`, a `Linear`, or a function of the draws.
    draws
        Draws of a forecast, over (chain, draw, target, task).

    Returns
    -------
    xarray.DataArray
        Money over (chain, draw, target).

    Raises
    ------
    SettingError
        For a value of another kind, of other dimensions, or not finite.
    """
    result = as_value(value)(draws)
    if not isinstance(result, xr.DataArray) or set(result.dims) != {"chain", "draw", "target"}:
        is_array = isinstance(result, xr.DataArray)
        raise SettingError(
            "value",
            rule="must give a DataArray over chain, draw and target",
            got=f"dimensions {result.dims}" if is_array else type(result).__name__,
            way_out="such as draws['accuracy'].mean('task')",
        )
    if result.dtype.kind not in "biuf":
        raise SettingError(
            "value",
            rule="must give numbers",
            got=f"values of type {result.dtype}",
            way_out="return money as floats",
        )
    if not np.isfinite(result).all():
        raise SettingError(
            "value",
            rule="must be finite for every draw",
            got="nan or infinity",
            way_out="leave out tasks that have no accuracy, or fix the function",
        )
    return result.transpose("chain", "draw", "target")


def reach(value: Value | AccuracyValue, draws: xr.Dataset) -> pd.DataFrame:
    """P(accuracy >= threshold) of the mean, or of each task and of all tasks jointly.

    Parameters
    ----------
    value
        A `Threshold`; other values have no thresholds.
    draws
        Draws of a forecast, with the variable ``accuracy`` over (chain, draw, target, task).

    Returns
    -------
    pandas.DataFrame
        One row per (target, threshold): target, task (``mean``, or the name of a task, and ``every
        one`` for all jointly), threshold, prob. Empty for a value without thresholds.
    """
    asked = as_value(value)
    joint = asked.margin(draws["accuracy"])
    if joint is None or not asked.each:
        return pd.DataFrame()
    accuracy = draws["accuracy"]
    margins = [
        (task, threshold, accuracy.sel(task=task) - threshold)
        for task, threshold in asked.each.items()
        if task
    ]
    of_all = ("every one", float("nan")) if margins else ("mean", asked.each[""])
    rows = [
        {
            "target": str(target),
            "task": task,
            "threshold": threshold,
            "prob": float((margin.sel(target=target) >= 0).mean()),
        }
        for target in accuracy.target.values
        for task, threshold, margin in [*margins, (*of_all, joint)]
    ]
    return pd.DataFrame(rows)
