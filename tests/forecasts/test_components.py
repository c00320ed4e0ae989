"""The parts of a forecast: noise, errors of law and link, and their shares of the variance."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayescale.data.target import Target
from bayescale.extrapolation.predictive import COMPONENTS, LOSS_COMPONENTS, LossComponents
from bayescale.fits.record import Fit
from bayescale.forecasts.components import (
    FitComponents,
    ForecastComponents,
    shared_variance,
)
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast


class TestMixture:
    def test_a_draw_comes_from_one_of_the_fits_by_their_weights(self, default_fit: Fit) -> None:
        weights = pd.DataFrame(
            {"member": [0, 1], "law": "skaling", "weight": [0.3, 0.7], "k": [0.1, 0.2]}
        )
        narrow = replace(default_fit, sampler=replace(default_fit.sampler, seed=5))
        mixture = replace(default_fit, members=(default_fit, narrow), weights=weights)
        targets = default_fit.ladder.targets("target")
        mixed, *each = (
            forecast(f, targets).components.cells(None) for f in (mixture, default_fit, narrow)
        )
        key = ("accuracy", "13B-5T", "mmlu")
        first, second = (mixed[key] == one[key] for one in each)
        assert (first | second).all()
        sd = np.sqrt(0.3 * 0.7 / len(first))
        assert first.mean() == pytest.approx(0.3, abs=4 * sd)
        loss = mixed["loss", "13B-5T", "mmlu"] == each[0]["loss", "13B-5T", "mmlu"]
        np.testing.assert_array_equal(loss, first), "one draw is of one fit throughout"


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


class TestForecast:
    def test_noise_inside_the_ladder_is_that_of_a_run_of_its_compute(
        self, default_fit: Fit
    ) -> None:
        biggest = float(default_fit.ladder.with_role("fit").compute().max())
        targets = [
            Target(2e8, 4e9, flops=biggest / 100, name="small"),
            Target(7e9, 4e12, flops=100 * biggest, name="large"),
        ]
        components = forecast(default_fit, targets).components
        (first,) = components.fits
        losses = first.losses
        posterior = default_fit.losses["posterior"].to_dataset().isel(corpus=0)
        s, small = first.loss_index["small", "c4"]
        large = first.loss_index["large", "c4"][1]
        sigma, widening = (
            posterior[name].sel(loss_name="c4").to_numpy().ravel() for name in ("sigma", "widening")
        )
        np.testing.assert_allclose(losses.sd[:, s, large], sigma, rtol=1e-6)
        np.testing.assert_allclose(
            losses.sd[:, s, small], sigma * np.sqrt(1 + (widening * np.log(100)) ** 2), rtol=1e-6
        )

    def test_shares_of_the_variance_sum_to_1(self, far: Forecast) -> None:
        shares = far.variance()
        np.testing.assert_allclose(shares[list(COMPONENTS)].sum(axis=1), 1.0)
        assert (shares[list(COMPONENTS)] >= 0).all(axis=None)
        losses = shares[shares["quantity"] == "loss"]
        assert (losses[list(COMPONENTS[len(LOSS_COMPONENTS) :])] == 0).all(axis=None)
        assert losses["discrepancy"].gt(0.2).mean() > 0.5, (
            "at 75 and 177 times the compute the law's error is a large part"
        )

    def test_shares_are_those_of_independent_normals(self) -> None:
        g, n = rng(), 4000
        law, noise = 0.01 * g.standard_normal((n, 1, 1)), g.standard_normal((n, 1, 1))
        error = 0.012 * g.standard_normal((n, 1, 1))
        losses = LossComponents(law, np.full((n, 1, 1), 0.005), error, noise, np.zeros((n, 1)))
        one = FitComponents(losses, None, {("t", "c4"): (0, 0)}, {})
        parts = ForecastComponents((one,), None, "link parameters")
        whole = parts.cells(None)
        total = 0.01**2 + 0.012**2 + 0.005**2
        for kept, share in ((1, 0.01**2), (2, 0.01**2 + 0.012**2)):
            found = shared_variance(parts, whole, LOSS_COMPONENTS[:kept], g)[("loss", "t", "c4")]
            assert found / total == pytest.approx(share / total, abs=0.06)
