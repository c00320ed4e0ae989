"""From draws to a DataTree: its groups, the papers' constants and what was observed."""

import numpy as np
import pandas as pd
import pytest

from bayescale.fits.record import Fit
from helpers.fits import trees

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
