"""Summaries of a forecast: frames, means, comparisons."""

import numpy as np
import pytest

from bayescale.data.target import Target
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast

SEVEN = Target(6.9e9, 4e12, name="7B", flops=1.9e23)


@pytest.fixture(scope="module")
def two_targets(ladder_fit: Fit) -> Forecast:
    return forecast(ladder_fit, ladder_fit.ladder.targets())


class TestFrames:
    def test_forecast(self, two_targets: Forecast) -> None:
        frame = two_targets.to_frame()
        assert list(frame.columns) == [
            "target",
            "corpus",
            "task",
            "quantity",
            "mean",
            "median",
            "sd",
            "lower",
            "upper",
            "loss_name",
            "via",
            "verdict",
        ]
        assert len(frame) == 2 * (5 + 4)
        assert set(frame["quantity"]) == {"loss", "accuracy"}
        assert (
            (frame["lower"] < frame["median"])
            & (frame["median"] < frame["upper"])
            & (frame["sd"] > 0)
        ).all()
        shares = frame.loc[frame["quantity"] == "accuracy", ["lower", "upper"]].to_numpy()
        assert ((shares >= 0) & (shares <= 1)).all()
        assert (frame.attrs["prob"], frame.attrs["status"]) == (0.9, two_targets.status)
        assert two_targets.draws["accuracy"].dims == ("chain", "draw", "target", "task")

    def test_a_forecast_without_discrepancy_says_that_it_is_too_narrow(
        self, gadre_fit: Fit
    ) -> None:
        frame = forecast(gadre_fit, gadre_fit.ladder.targets()).to_frame()
        assert "too narrow" in frame.attrs["note"]

    def test_a_wider_interval_holds_a_narrower_one(self, two_targets: Forecast) -> None:
        wide, narrow = two_targets.to_frame(prob=0.95), two_targets.to_frame(prob=0.5)
        assert ((wide["lower"] < narrow["lower"]) & (narrow["upper"] < wide["upper"])).all()
        values = two_targets.draws["loss"].sel(target="7B-4T", task="c4")
        row = narrow.query("target == '7B-4T' and task == 'c4'").iloc[0]
        assert ((values > row["lower"]) & (values < row["upper"])).mean() == pytest.approx(
            0.5, abs=0.01
        )

    def test_mean_is_taken_draw_by_draw(self, two_targets: Forecast) -> None:
        tasks = ["mmlu", "hellaswag"]
        frame = two_targets.mean(tasks).set_index("target")
        by_draw = two_targets.draws["accuracy"].sel(target="13B-5T", task=tasks).values.mean(-1)
        assert frame.loc["13B-5T", "mean"] == pytest.approx(by_draw.mean(), rel=1e-12)
        assert frame.loc["13B-5T", "sd"] == pytest.approx(by_draw.std(), rel=1e-12)
        assert frame.loc["13B-5T", "lower"] == pytest.approx(np.quantile(by_draw, 0.05), rel=1e-12)
        assert two_targets.mean().attrs["tasks"] == two_targets.draws.task.values[:4].tolist()

    @pytest.mark.parametrize("tasks", [["mmlu", "c4"], ["gsm8k"], "c4"])
    def test_mean_of_what_has_no_accuracy(
        self, two_targets: Forecast, tasks: list[str] | str
    ) -> None:
        with pytest.raises(
            SettingError, match="must be tasks of the forecast that have accuracies"
        ):
            two_targets.mean(tasks)

    def test_mean_of_no_task_at_all(self, two_targets: Forecast) -> None:
        with pytest.raises(SettingError, match="tasks: must be a name, or a list of names"):
            two_targets.mean([])

    @pytest.mark.parametrize("prob", [1.2, 1.0, 0.0, -0.5, float("nan")])
    def test_probability(self, two_targets: Forecast, prob: float) -> None:
        for ask in (lambda: two_targets.to_frame(prob=prob), lambda: two_targets.mean(prob=prob)):
            with pytest.raises(SettingError) as caught:
                ask()
            assert f"prob: must lie between 0 and 1; got {prob}" in str(caught.value)


def test_comparing_is_antisymmetric(far: Forecast) -> None:
    ab, ba = far.compare("7B-4T", "13B-5T"), far.compare("13B-5T", "7B-4T")
    np.testing.assert_allclose(ab["prob_a_better"] + ba["prob_a_better"], 1.0)
    np.testing.assert_allclose(ab["mean"], -ba["mean"])
    assert (ab["prob_a_better"] < 0.5).mean() > 0.8, "the larger one is better"
    with pytest.raises(SettingError, match="'8B'"):
        far.compare("8B", "7B-4T")
