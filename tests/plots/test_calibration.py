"""The figure of a backtest's coverage, and of the error that it finds."""

import dataclasses

import pytest

from bayescale import plots
from bayescale.backtests.record import (
    Backtest,
)
from bayescale.errors import SettingError


class TestSummaries:
    def test_figures(self, small_backtest: Backtest) -> None:
        for quantity in ("loss", "accuracy"):
            assert quantity in plots.plot_error(small_backtest, quantity=quantity).get_title()
            assert plots.plot_calibration(small_backtest, quantity=quantity).get_xlim() == (
                0.4,
                1.0,
            )
            assert (
                plots.plot_truth(small_backtest, quantity=quantity)
                .get_xlabel()
                .startswith(f"actual {quantity}")
            )
        broken = dataclasses.replace(
            small_backtest,
            folds=small_backtest.folds.assign(status="fail", failed="loss: R-hat 1.2"),
        )
        for plot in (plots.plot_error, plots.plot_calibration, plots.plot_truth):
            assert "CHECKS OF THE FIT: FAIL" in plot(broken, quantity="loss").get_title()
        assert broken.coverage().attrs["status"] == broken.scores().attrs["status"] == "fail"
        assert "loss: R-hat 1.2" in broken._repr_html_()
        with pytest.raises(SettingError, match="quantity"):
            plots.plot_error(small_backtest, quantity="perplexity")
