"""Tasks of a decision: their weighted mean, and the tasks to doubt."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale.decisions.tasks import doubts, scored, weighted_mean
from bayescale.errors import SettingError

ACCURACY = xr.DataArray([0.4, 0.8, np.nan], dims="task", coords={"task": ["a", "b", "c"]})


def test_the_mean_is_of_the_tasks_that_have_weights_or_accuracies() -> None:
    assert float(weighted_mean(ACCURACY, None, None)) == pytest.approx(0.6)
    assert float(weighted_mean(ACCURACY, ["a"], None)) == pytest.approx(0.4)
    assert float(weighted_mean(ACCURACY, None, {"a": 1.0, "b": 3.0})) == pytest.approx(0.7)


@pytest.mark.parametrize("weights", [{"a": -1.0}, {"a": 0.0}])
def test_bad_weights_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(SettingError, match="weights"):
        weighted_mean(ACCURACY, None, weights)


def test_a_task_without_accuracies_is_refused() -> None:
    with pytest.raises(SettingError, match="'c'"):
        scored(ACCURACY, ["a", "c"])
    with pytest.raises(SettingError, match="losses alone"):
        scored(ACCURACY.sel(task=["c"]), None)


def test_only_doubtful_tasks_are_named() -> None:
    table = pd.DataFrame({"task": ["a", "b", "c"], "verdict": ["no trend", "weak", None]})
    assert doubts(table, ["a", "b", "c"]) == ["the ladder does not speak for a (no trend)"]
    assert doubts(table, ["b", "c"]) == []
