"""The figure of a backtest's errors against the extrapolation factor."""

import numpy as np
import pytest

from bayescale import plots
from bayescale.errors import SettingError
from helpers.backtests import written_backtest
from helpers.figures import legend


@pytest.mark.parametrize("quantity", ["loss", "accuracy"])
def test_each_case_stands_at_its_factor_and_its_error(quantity: str) -> None:
    backtest = written_backtest(quantity)
    ax = plots.plot_error(backtest)
    drawn = sorted(
        (x, y) for line in ax.lines if line.get_marker() == "." for x, y in line.get_xydata()
    )
    cases = backtest.cases
    wanted = sorted(zip(cases["extrapolation_factor"], -cases["error"], strict=True))
    np.testing.assert_allclose(drawn, wanted, err_msg="actual less forecast")
    assert ax.get_xscale() == "log"
    unit = {"loss": "% of the actual loss", "accuracy": "percentage points"}[quantity]
    assert unit in ax.get_ylabel()


def test_cases_outside_their_interval_have_a_colour_of_their_own() -> None:
    ax = plots.plot_error(written_backtest())
    inside, outside = (line for line in ax.lines if line.get_marker() == ".")
    assert len(inside.get_xdata()) == 4
    assert len(outside.get_xdata()) == 2, "one run at each cut"
    assert inside.get_color() != outside.get_color()
    assert {"inside its 90 % interval", "outside its 90 % interval"} <= set(legend(ax))


def test_bands_are_the_mean_ends_of_the_intervals() -> None:
    ax = plots.plot_error(written_backtest())
    wide = max(band.get_paths()[0].vertices[:, 1].max() for band in ax.collections)
    assert wide == pytest.approx(100 * 0.1 * 0.9), "90 % in percentage points"


def test_a_quantity_that_the_backtest_lacks_is_told() -> None:
    with pytest.raises(SettingError, match="quantity"):
        plots.plot_error(written_backtest("loss"), quantity="accuracy")
