"""What a decision asks of any value, and the probability of reaching a threshold."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayescale.decisions.valuation import OwnValue, as_value, reach, value_draws
from bayescale.decisions.value import Linear, Threshold, Value
from bayescale.errors import SettingError
from bayescale.forecasts.record import Forecast

SHARE = st.floats(0.0, 1.0)
quick = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
DRAWS = xr.Dataset(
    {
        "accuracy": (
            ("chain", "draw", "target", "task"),
            [[[[0.4, 0.8]], [[0.6, 0.7]]]],
        )
    },
    coords={"target": ["large"], "task": ["a", "b"]},
)


def mean_accuracy(draws: xr.Dataset) -> xr.DataArray:
    """A value by a function."""
    return draws["accuracy"].mean("task")


@pytest.mark.parametrize("value", [Threshold(2.0, 0.5), Linear(2.0), mean_accuracy])
def test_every_value_answers_the_same_questions(value: Value) -> None:
    asked = as_value(value)
    assert as_value(asked) is asked
    xr.testing.assert_equal(value_draws(asked, DRAWS), value(DRAWS))
    assert asked.tasks_in(DRAWS["accuracy"]) == ["a", "b"]
    margin = asked.margin(DRAWS["accuracy"])
    shift = asked.break_even_shift(np.array([0.1, 0.2]), 1.0)
    if isinstance(asked, OwnValue):
        assert (asked.most, margin) == (None, None)
        assert np.isnan(shift)
    else:
        assert asked.most is not None
        assert margin is not None
        assert np.isfinite(shift)
    assert (asked.shifted(0.1) == asked) == (not asked.each)


def test_a_value_of_another_kind_is_refused() -> None:
    with pytest.raises(SettingError, match="must be a Threshold"):
        as_value(3e6)  # type: ignore[arg-type]


def test_the_probability_of_each_threshold_and_of_all() -> None:
    rows = reach(Threshold(1.0, {"a": 0.5, "b": 0.75}), DRAWS)
    assert list(rows["task"]) == ["a", "b", "every one"]
    assert list(rows["prob"]) == [0.5, 0.5, 0.0]
    assert list(reach(Threshold(1.0, 0.62), DRAWS)["task"]) == ["mean"]
    for value in (Linear(1.0), mean_accuracy):
        assert reach(value, DRAWS).empty


@quick
@given(one=SHARE, other=SHARE)
def test_a_higher_threshold_never_raises_the_probability_of_reaching_it(
    two_targets: Forecast, one: float, other: float
) -> None:
    lower, higher = (
        reach(Threshold(1.0, accuracy), two_targets.draws)["prob"]
        for accuracy in sorted((one, other))
    )
    assert (higher <= lower).all()
