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
    def test_the_table_says_which_loss_each_accuracy_goes_through(
        self, default_fit: Fit, ladder_fit: Fit
    ) -> None:
        for fitted, via in ((default_fit, {"c4"}), (ladder_fit, set(ladder_fit.ladder.tasks))):
            frame = forecast(fitted, fitted.ladder.targets("target")).to_frame()
            assert set(frame.loc[frame["quantity"] == "accuracy", "via"]) == via


class TestDiscrepancy:
    def test_a_fitted_run_is_forecast_near_what_it_showed(self, default_fit: Fit) -> None:
        """Law and error together go through the runs better than the law alone."""
        runs = default_fit.ladder.targets("fit")
        made = forecast(default_fit, runs)
        actual = default_fit.ladder.where(task=["c4"]).frame.set_index("run")["loss"]
        fits = made.components.fits[0].losses
        s = default_fit.loss_data.groups.names.index("c4")
        log_actual = np.log(actual[[run.label for run in runs]].to_numpy())
        error = fits.without_noise()[:, s].mean(0) - log_actual
        assert np.sqrt((error**2).mean()) < 0.005

    def test_its_random_part_grows_away_from_the_ladder(self, default_fit: Fit) -> None:
        biggest = default_fit.ladder.with_role("fit").compute().max()
        targets = [
            Target(1.3e9 * e, 1e11 * e, flops=float(biggest * e**2), name=f"{e:g}")
            for e in (1.5, 5.0, 30.0)
        ]
        error = forecast(default_fit, targets).components.fits[0].losses.error
        s = default_fit.loss_data.groups.names.index("c4")
        assert (np.diff(error[:, s].std(0)) > 0).all()

    def test_scaled_to_nothing_only_the_known_part_is_left(self, default_fit: Fit) -> None:
        components = forecast(default_fit, default_fit.ladder.targets("target")).components
        none = components.scaled(0.0).fits[0]
        assert not none.losses.error.any()
        assert none.accuracies is not None
        assert not none.accuracies.error.any()
        np.testing.assert_array_equal(none.losses.law, components.fits[0].losses.law)
