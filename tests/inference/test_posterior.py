"""From draws to a DataTree: its groups, the papers' constants and what was observed."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale.cli.forecast import forecast_json
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.inference.nuts import STATISTICS, Sample, Sampler
from bayescale.inference.posterior import Posterior, make_posterior
from bayescale.inference.stage import Stage
from bayescale.models.stages import Stages
from helpers.densities import prior_draw
from helpers.fits import trees
from helpers.layouts import make_case

GROUPS = {
    "posterior",
    "prior",
    "posterior_predictive",
    "prior_predictive",
    "log_likelihood",
    "log_prior",
    "sample_stats",
    "observed_data",
}


class TestRecord:
    @pytest.mark.parametrize("which", ["losses", "accuracies"])
    def test_groups_and_their_dimensions(self, ladder_fit: Fit, which: str) -> None:
        tree = trees(ladder_fit)[which]
        name, y = {"losses": ("loss_name", "log_loss"), "accuracies": ("task", "accuracy")}[which]
        assert set(tree.children) == GROUPS
        for group in ("posterior_predictive", "prior_predictive", "log_likelihood"):
            assert tree[group][y].dims == ("chain", "draw", name, "run")
        assert tree["observed_data"][y].dims == (name, "run")
        for group in ("posterior", "prior"):
            assert dict(tree[group].sizes)["chain"] == 2
            assert dict(tree[group].sizes)["draw"] == 300
        assert set(tree["posterior"].data_vars) == set(tree["prior"].data_vars)
        for variable in {
            "losses": ("L0", "phi", "psi", "alpha", "beta", "sigma", "E", "A", "B"),
            "accuracies": ("lo", "hi", "slope", "middle", "kappa", "m"),
        }[which]:
            assert tree["posterior"][variable].dims == ("chain", "draw", "corpus", name)
        for statistic in (
            "diverging",
            "energy",
            "n_steps",
            "tree_depth",
            "acceptance_rate",
            "step_size",
            "lp",
        ):
            assert tree["sample_stats"][statistic].dims == ("chain", "draw")

    def test_observed_data_are_the_fitted_rows(self, ladder_fit: Fit) -> None:
        rows = ladder_fit.ladder.with_role("fit").frame.set_index(["task", "run"])
        observed = ladder_fit.losses["observed_data"]["log_loss"].to_series()
        assert len(observed) == len(rows)
        np.testing.assert_allclose(
            np.exp(observed),
            rows["loss"].reindex(pd.MultiIndex.from_tuples(observed.index)),
            rtol=1e-14,
        )
        assert ladder_fit.accuracies is not None
        scored = ladder_fit.accuracies["observed_data"]["accuracy"].to_series()
        np.testing.assert_array_equal(
            scored, rows["accuracy"].reindex(pd.MultiIndex.from_tuples(scored.index))
        )

    def test_curve_passes_through_the_runs(self, ladder_fit: Fit) -> None:
        """The mean over draws of the predicted log loss lies within five of its sds of every run,
        at the run's own N and D.
        """
        predicted = ladder_fit.losses["posterior_predictive"]["log_loss"]
        mean, sd = predicted.mean(("chain", "draw")), predicted.std(("chain", "draw"))
        error = abs(mean - ladder_fit.losses["observed_data"]["log_loss"])
        assert float((error / sd).max()) < 5
        assert float(sd.max()) < 0.1


def test_a_forecast_its_checks_and_its_verdicts_need_the_draws_alone(default_fit: Fit) -> None:
    """The other groups take seconds, so nothing computes them that does not read them."""

    def complete(_: xr.DataTree) -> xr.DataTree:
        raise AssertionError("the whole tree was asked for")

    lazy = [Posterior(posterior.draws, complete) for _, posterior in default_fit.posteriors.named()]
    fitted = replace(default_fit, posteriors=Stages(*lazy))
    made = forecast(fitted, fitted.ladder.targets("target"))
    assert np.isfinite(made.to_frame()["median"]).all()
    forecast_json(fitted, made, 0.9)
    assert fitted.status == default_fit.status
    assert fitted.verdicts().equals(default_fit.verdicts())
    assert len(fitted.discrepancy.table) > 0
    with pytest.raises(AssertionError, match="whole tree"):
        _ = fitted.losses


def test_a_constant_of_a_users_own_law_need_not_depend_on_the_draws() -> None:
    model, layout = make_case("discrepancy")
    sites = {name: v[None, None] for name, v in prior_draw(model, layout, 0).items()}
    groups = model.pooling.groups
    stage = Stage(
        name="loss",
        model=model,
        layout=layout,
        groups=groups,
        runs=np.full(layout.seen.shape, "run"),
        observed="log_loss",
        constants=lambda values: {"gamma": jnp.asarray(0.5), "twice": 2 * values["L0"]},
    )
    one = {name: np.zeros((1, 1)) for name in STATISTICS}
    found = make_posterior(stage, Sample(sites, one, 0.0, Sampler(1, 1), 0.9)).draws["posterior"]
    assert (found["gamma"].values[np.isfinite(found["gamma"].values)] == 0.5).all()
    xr.testing.assert_allclose(found["twice"], 2 * found["L0"])
