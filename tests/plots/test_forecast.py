"""The figure of a forecast: percent, targets, the note, and thresholds."""

import numpy as np
import pytest

from bayescale import plots
from bayescale.decisions.value import Threshold
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast
from helpers.figures import legend, points, texts


def test_forecast_has_percent_targets_and_the_note(
    ladder_fit: Fit, ladder_forecast: Forecast
) -> None:
    ax = plots.plot_forecast(ladder_forecast, ladder=ladder_fit.ladder, prob=0.8)
    assert ax.get_xlabel() == "accuracy (%)"
    assert [t.get_text() for t in ax.get_yticklabels()] == ladder_fit.ladder.tasks
    assert legend(ax) == ["7B-4T", "13B-5T", "median", "50 % interval", "80 % interval", "actual"]
    assert ladder_forecast.note in texts(ax)
    crosses = np.concatenate([line.get_xdata() for line in ax.lines if line.get_marker() == "x"])
    actual = ladder_fit.ladder.with_role("target").frame["accuracy"].dropna()
    np.testing.assert_allclose(np.sort(crosses), np.sort(actual))


def test_forecast_of_losses_names_each_unit(ladder_fit: Fit, ladder_forecast: Forecast) -> None:
    ax = plots.plot_forecast(ladder_forecast, ladder=ladder_fit.ladder, quantity="loss")
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert "piqa (bits/byte)" in labels
    assert "c4 (nats/token)" in labels
    assert "actual" not in legend(plots.plot_forecast(ladder_forecast, quantity="loss"))


def test_tasks_that_share_a_loss_share_a_row(gadre_fit: Fit) -> None:
    ladder = gadre_fit.ladder
    ax = plots.plot_forecast(forecast(gadre_fit, ladder.targets()), ladder=ladder, quantity="loss")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["c4"]
    assert ax.get_xlabel() == "loss (nats/token)"


def test_an_unknown_quantity_or_prob_is_answered_with_the_rule(ladder_forecast: Forecast) -> None:
    with pytest.raises(SettingError, match="accuracy, loss"):
        plots.plot_forecast(ladder_forecast, quantity="logits")
    with pytest.raises(SettingError, match="between 0 and 1"):
        plots.plot_forecast(ladder_forecast, prob=90)


def test_a_threshold_is_drawn_across_the_mean_or_across_its_tasks(
    ladder_fit: Fit, ladder_forecast: Forecast
) -> None:
    ladder = ladder_fit.ladder
    ax = plots.plot_forecast(
        ladder_forecast,
        ladder=ladder,
        threshold=Threshold(1.0, 0.7, weights={"mmlu": 3.0, "piqa": 1.0}),
    )
    assert ax.get_yticklabels()[0].get_text() == "mean"
    drawn = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert [tuple(line.get_xdata()) for line in drawn] == [(0.7, 0.7)]
    crosses = points(ax, filled=True, marker="x")
    frame = ladder.with_role("target").frame.set_index(["run", "task"])["accuracy"]
    wanted = [0.75 * frame[run, "mmlu"] + 0.25 * frame[run, "piqa"] for run in ("7B-4T", "13B-5T")]
    np.testing.assert_allclose(crosses[0, crosses[1] < 0.5], wanted)
    each = plots.plot_forecast(
        ladder_forecast, threshold=Threshold(1.0, {"piqa": 0.8, "mmlu": 0.5})
    )
    names = [label.get_text() for label in each.get_yticklabels()]
    assert "mean" not in names
    assert {
        (line.get_xdata()[0], round(float(np.mean(line.get_ydata()))))
        for line in each.lines
        if line.get_linestyle() == "--"
    } == {
        (0.8, names.index("piqa")),
        (0.5, names.index("mmlu")),
    }
    assert "threshold" in legend(each)
