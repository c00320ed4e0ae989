"""The figure of a backtest's coverage, and of the error that it finds."""

import dataclasses

import pytest

from bayescale import plots
from bayescale.errors import SettingError
from helpers.backtests import written_backtest


@pytest.mark.parametrize("quantity", ["loss", "accuracy"])
def test_figures(quantity: str) -> None:
    made = written_backtest(quantity)
    assert quantity in plots.plot_error(made, quantity=quantity).get_title()
    assert plots.plot_calibration(made, quantity=quantity).get_xlim() == (0.4, 1.0)
    truth = plots.plot_truth(made, quantity=quantity)
    assert truth.get_xlabel().startswith(f"actual {quantity}")


def test_a_failed_fit_is_said() -> None:
    made = written_backtest("loss")
    broken = dataclasses.replace(
        made, folds=made.folds.assign(status="fail", failed="loss: R-hat 1.2")
    )
    for plot in (plots.plot_error, plots.plot_calibration, plots.plot_truth):
        assert "CHECKS OF THE FIT: FAIL" in plot(broken, quantity="loss").get_title()
    assert broken.coverage().attrs["status"] == broken.scores().attrs["status"] == "fail"
    assert "loss: R-hat 1.2" in broken._repr_html_()


def test_another_quantity_is_refused() -> None:
    with pytest.raises(SettingError, match="quantity"):
        plots.plot_error(written_backtest(), quantity="perplexity")
