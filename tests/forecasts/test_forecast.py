"""forecast: its columns, its draws, and what widens it."""

import dataclasses

import numpy as np
import pytest

from bayescale.data.target import Target
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast

SEVEN = Target(6.9e9, 4e12, name="7B", flops=1.9e23)


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
