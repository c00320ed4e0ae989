"""The figure of forecast intervals against actual values."""

import numpy as np
import pytest

from bayescale import plots
from bayescale.errors import SettingError
from helpers.backtests import written_backtest
from helpers.figures import legend


def test_each_case_of_a_cut_is_a_median_with_its_interval() -> None:
    ax = plots.plot_truth(written_backtest(), cut=1e19)
    points = sorted((x, y) for bar in ax.containers for x, y in bar.lines[0].get_xydata())
    np.testing.assert_allclose(points, [(0.52, 0.50), (0.61, 0.60), (0.90, 0.70)])
    ends = sorted(
        tuple(segment[:, 1]) for bar in ax.containers for segment in bar.lines[2][0].get_segments()
    )
    np.testing.assert_allclose(ends, [(0.41, 0.59), (0.51, 0.69), (0.61, 0.79)])


def test_cases_inside_and_outside_are_counted() -> None:
    assert set(legend(plots.plot_truth(written_backtest()))) >= {"inside (2)", "outside (1)"}


def test_on_the_line_forecast_and_actual_value_are_equal() -> None:
    ax = plots.plot_truth(written_backtest())
    (line,) = (
        line
        for line in ax.lines
        if len(line.get_xdata()) == 2 and line.get_marker() in ("", "None", None)
    )
    np.testing.assert_allclose(line.get_xdata(), line.get_ydata())
    np.testing.assert_allclose(line.get_xdata(), (0.41, 0.90))


def test_the_largest_cut_is_drawn_unless_asked() -> None:
    assert "1e+20 FLOPs" in plots.plot_truth(written_backtest()).get_title()
    assert "1e+19 FLOPs" in plots.plot_truth(written_backtest(), cut=1e19).get_title()


def test_units_are_named() -> None:
    assert plots.plot_truth(written_backtest()).get_xlabel() == "actual accuracy (%)"
    assert plots.plot_truth(written_backtest("loss")).get_xlabel() == "actual loss"


@pytest.mark.parametrize(
    ("asked", "words"), [({"cut": 3e19}, "1e\\+20, 1e\\+19"), ({"quantity": "loss"}, "accuracy")]
)
def test_what_the_backtest_lacks_is_answered_with_the_choices(
    asked: dict[str, float], words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        plots.plot_truth(written_backtest(), **asked)  # type: ignore[arg-type]
