"""Figures that a candidate would show, as a forecast draws them."""

import numpy as np
import pytest

from bayescale.data.target import Target
from bayescale.decisions.figures import figures_of_items, figures_of_runs, joined
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from helpers.targets import again

LARGE = Target(1.3e10, 5e12, name="large", flops=4.6e23)


class TestFigures:
    @pytest.mark.parametrize("run", ["760M-5xC", "1B-10xC"])
    def test_are_those_that_a_forecast_draws(self, default_fit: Fit, run: str) -> None:
        """Mean, sd and correlation of losses and scores, errors and noise included."""
        made = forecast(default_fit, [again(default_fit, run)])
        found = figures_of_runs(made.components.fits[0], [run])
        rng = np.random.default_rng(0)
        noise = np.einsum("jlf,jl->jf", found.loading, rng.standard_normal(found.loading.shape[:2]))
        y = found.mean + noise + found.sd * rng.standard_normal(found.sd.shape)
        losses = [key for key in made.components.cells(None) if key[0] == "loss"]
        scores = [key for key in made.components.cells(None) if key[0] == "accuracy"]
        cells = made.components.cells(None)
        wanted = np.stack([*(np.log(cells[k]) for k in losses), *(cells[k] for k in scores)], 1)
        np.testing.assert_allclose(y.std(0), wanted.std(0), rtol=0.15)  # 600 draws each
        assert (np.abs(y.mean(0) - wanted.mean(0)) < 0.2 * wanted.std(0)).all()
        np.testing.assert_allclose(np.corrcoef(y.T), np.corrcoef(wanted.T), atol=0.25)

    def test_more_questions_are_less_noisy(self, default_fit: Fit) -> None:
        made = forecast(default_fit, [LARGE])
        few, many = (figures_of_items(made.components.fits[0], times) for times in (2.0, 9.0))
        np.testing.assert_allclose(few.sd / many.sd, np.sqrt(8.0), rtol=0.02)
        assert few.mean.shape[1] == 16 * len(default_fit.ladder.tasks)
        both = joined(few, many)
        assert both.mean.shape[1] == both.loading.shape[2] == 2 * few.mean.shape[1]
