"""Values by a threshold or a line, and what is refused."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from bayescale.decisions.value import Linear, Threshold
from bayescale.errors import SettingError

ACCURACY = xr.DataArray(
    [[0.4, 0.9, np.nan], [0.6, 0.7, np.nan]],
    dims=("draw", "task"),
    coords={"task": ["a", "b", "c"]},
)
DRAWS = xr.Dataset({"accuracy": ACCURACY})


def test_a_threshold_is_of_the_mean_or_of_every_task() -> None:
    np.testing.assert_array_equal(Threshold(5.0, 0.64, tasks=["a", "b"])(DRAWS), [5.0, 5.0])
    np.testing.assert_array_equal(Threshold(5.0, {"a": 0.5, "b": 0.7})(DRAWS), [0.0, 5.0])
    np.testing.assert_array_equal(
        Threshold(5.0, 0.55, weights={"a": 2.0, "b": 1.0})(DRAWS), [5.0, 5.0]
    )


def test_a_line_is_worth_each_point_above_its_baseline() -> None:
    np.testing.assert_allclose(Linear(2.0, 0.5, tasks=["a"])(DRAWS), [-20.0, 20.0])


def test_the_tasks_of_a_value_are_those_of_its_thresholds_or_of_its_mean() -> None:
    assert Threshold(1.0, {"b": 0.5}).tasks_in(ACCURACY) == ["b"]
    assert Threshold(1.0, 0.5, tasks=["a"]).tasks_in(ACCURACY) == ["a"]
    assert Linear(1.0, weights={"b": 1.0}).tasks_in(ACCURACY) == ["b"]
    assert Linear(1.0).tasks_in(ACCURACY) == ["a", "b"]


def test_only_thresholds_shift() -> None:
    assert Threshold(1.0, 0.5).shifted(0.2).each == {"": pytest.approx(0.7)}
    assert Threshold(1.0, {"a": 0.5, "b": 0.9}).shifted(0.2).each == {
        "a": pytest.approx(0.7),
        "b": 1.0,
    }
    assert Linear(1.0, 0.5).shifted(0.2) == Linear(1.0, 0.5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Threshold(1.0, 60.0), r"\[0, 1\]"),
        (lambda: Threshold(1.0, {"a": -0.1}), r"\[0, 1\]"),
        (lambda: Threshold(1.0, {}), r"\[0, 1\]"),
        (lambda: Threshold(-1.0, 0.5), "above 0"),
        (lambda: Threshold(1.0, {"a": 0.5}, tasks=["a"]), "mean alone"),
        (lambda: Linear(0.0), "above 0"),
        (lambda: Linear(1.0, baseline=60.0), r"\[0, 1\)"),
    ],
)
def test_bad_values_are_refused(build: Callable[[], Threshold | Linear], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        build()
