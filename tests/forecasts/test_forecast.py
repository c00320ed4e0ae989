"""forecast: its columns, its draws, and what widens it."""

import dataclasses

import numpy as np
import pytest

from bayescale.data.target import Target
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import Forecast, forecast

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
        assert len(frame) == 2 * (9 + 8)
        assert set(frame["quantity"]) == {"loss", "accuracy"}
        assert (
            (frame["lower"] < frame["median"])
            & (frame["median"] < frame["upper"])
            & (frame["sd"] > 0)
        ).all()
        shares = frame.loc[frame["quantity"] == "accuracy", ["lower", "upper"]].to_numpy()
        assert ((shares >= 0) & (shares <= 1)).all()
        assert (frame.attrs["prob"], frame.attrs["status"]) == (0.9, two_targets.status)
        assert "too narrow" in frame.attrs["note"]
        assert two_targets.draws["accuracy"].dims == ("chain", "draw", "target", "task")

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
        assert two_targets.mean().attrs["tasks"] == two_targets.draws.task.values[:8].tolist()

    @pytest.mark.parametrize("tasks", [["mmlu", "c4"], ["gsm8k"], []])
    def test_mean_of_what_has_no_accuracy(self, two_targets: Forecast, tasks: list[str]) -> None:
        with pytest.raises(
            SettingError, match="must be tasks of the forecast that have accuracies"
        ):
            two_targets.mean(tasks)

    @pytest.mark.parametrize("prob", [1.2, 1.0, 0.0, -0.5, float("nan")])
    def test_probability(self, two_targets: Forecast, prob: float) -> None:
        for ask in (lambda: two_targets.to_frame(prob=prob), lambda: two_targets.mean(prob=prob)):
            with pytest.raises(SettingError) as caught:
                ask()
            assert f"prob: must lie between 0 and 1; got {prob}" in str(caught.value)


class TestSeed:
    def test_forecasts_have_their_own(self, small_fit: Fit) -> None:
        once, again, other = (forecast(small_fit, SEVEN, seed=seed).draws for seed in (3, 3, 4))
        assert once.equals(again)
        assert not once.equals(other)


class TestForecast:
    def test_bigger_is_better(self, ladder_fit: Fit) -> None:
        frame = (
            forecast(ladder_fit, [Target(1e9, 1e11, name="small"), Target(1e11, 1e13, name="big")])
            .to_frame()
            .set_index(["target", "task", "quantity"])["mean"]
        )
        small_one, big = frame["small"], frame["big"]
        assert (big.xs("loss", level="quantity") < small_one.xs("loss", level="quantity")).all()
        assert (
            big.xs("accuracy", level="quantity") > small_one.xs("accuracy", level="quantity")
        ).all()

    def test_forecast_is_law_and_noise(self, small_fit: Fit) -> None:
        """Median of ln loss minus the law's own curve, over the noise: that of a standard
        normal.
        """
        v, target = (
            small_fit.losses["posterior"].to_dataset().isel(corpus=0, drop=True),
            Target(7e9, 1e12, flops=4e22),
        )
        draws = (
            forecast(small_fit, target)
            .draws["loss"]
            .isel(target=0, drop=True)
            .rename(task="loss_name")
        )
        C = 4e22 if small_fit.loss_data.compute_is_measured else target.compute_6nd
        z = (np.log(draws) - np.log(v["E"] + v["A"] * C ** -v["gamma"])) / v["sigma"]
        assert abs(float(z.mean())) < 4 / np.sqrt(z.size)
        assert float(z.std()) == pytest.approx(1.0, abs=4 / np.sqrt(2 * z.size))

    def test_shift_widens_the_loss(self, small_fit: Fit) -> None:
        plain, shifted = (
            forecast(
                small_fit, dataclasses.replace(Target(7e9, 1e12, name="x", flops=4e22), shift=s)
            ).draws["loss"]
            for s in (None, 0.2)
        )
        assert (np.log(shifted).std() > 1.5 * np.log(plain).std()).all()

    def test_targets_of_one_forecast_are_joint(self, ladder_fit: Fit) -> None:
        """Two sizes next to one another share the law's uncertainty."""
        one = (
            forecast(ladder_fit, [Target(1e11, 1e13, name="a"), Target(1.1e11, 1.1e13, name="b")])
            .draws["loss"]
            .sel(task="mmlu")
        )
        assert np.corrcoef(np.ravel(one.sel(target="a")), np.ravel(one.sel(target="b")))[0, 1] > 0.5


class TestRoutes:
    def test_the_table_says_which_loss_is_the_heaviest(self, default_fit: Fit) -> None:
        frame = forecast(default_fit, default_fit.ladder.targets("target")).to_frame()
        heaviest = default_fit.weights.sort_values("weight").groupby("task")["via"].last()
        for row in frame[frame["quantity"] == "accuracy"].itertuples():
            assert row.via == (row.task if heaviest[row.task] == "own loss" else heaviest[row.task])


class TestBeyondTheLadder:
    def test_nothing_changes_inside_the_ladder(self, default_fit: Fit) -> None:
        inside = Target(7e8, 2e10, flops=1e20, name="inside")
        plain = dataclasses.replace(
            default_fit,
            discrepancy=dataclasses.replace(default_fit.discrepancy, kind="none", slopes=()),
        )
        np.testing.assert_array_equal(
            *(forecast(f, inside).draws["loss"].to_numpy() for f in (default_fit, plain))
        )

    def test_error_grows_with_every_efold(self, default_fit: Fit) -> None:
        """With law and noise the same, what the discrepancy adds to ln L is l times a slope."""
        biggest = default_fit.ladder.with_role("fit").compute().max()
        targets = [
            Target(1e10, 1e12, flops=float(biggest * np.exp(at)), name=str(at)) for at in (1, 2, 4)
        ]
        plain = dataclasses.replace(
            default_fit,
            discrepancy=dataclasses.replace(default_fit.discrepancy, kind="none", slopes=()),
        )
        with_it, without = (
            np.log(forecast(f, targets).draws["loss"]) for f in (default_fit, plain)
        )
        added = (with_it - without).sel(task="c4").to_numpy()
        np.testing.assert_allclose(added[..., 2], 4 * added[..., 0], rtol=1e-6)
        np.testing.assert_allclose(added[..., 1], 2 * added[..., 0], rtol=1e-6)

    def test_comparing_is_antisymmetric(self, far: Forecast) -> None:
        ab, ba = far.compare("7B-4T", "13B-5T"), far.compare("13B-5T", "7B-4T")
        np.testing.assert_allclose(ab["prob_a_better"] + ba["prob_a_better"], 1.0)
        np.testing.assert_allclose(ab["mean"], -ba["mean"])
        assert (ab["prob_a_better"] < 0.5).mean() > 0.8, "the larger one is better"
        with pytest.raises(SettingError, match="'8B'"):
            far.compare("8B", "7B-4T")
