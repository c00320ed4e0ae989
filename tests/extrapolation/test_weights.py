"""Weights of a mixture: stacking of leave-one-out densities of the larger runs."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from bayescale.extrapolation.weights import densities, stacking_weights
from bayescale.fits.record import Fit
from bayescale.models.stages import Stages

RNG = np.random.default_rng(0)
RUNS = [f"run {i}" for i in range(40)]


def table(values: np.ndarray) -> pd.Series:
    return pd.Series(values, index=RUNS)


class TestStacking:
    def test_a_component_that_is_better_everywhere_has_nearly_all_the_weight(self) -> None:
        good = RNG.standard_normal(40)
        mean, sd, runs = stacking_weights([table(good), table(good - 3.0)])
        assert mean[0] > 0.97
        assert runs == 40
        assert mean.sum() == pytest.approx(1.0)
        assert (sd >= 0).all()

    def test_components_that_are_each_better_at_half_of_the_runs_share_it(self) -> None:
        lift = np.repeat([2.0, 0.0], 20)
        mean, _, _ = stacking_weights([table(lift), table(2.0 - lift)])
        np.testing.assert_allclose(mean, 0.5, atol=0.03)

    def test_alike_components_have_equal_weights(self) -> None:
        one = table(RNG.standard_normal(40))
        np.testing.assert_allclose(stacking_weights([one, one, one])[0], 1 / 3)

    def test_without_bootstraps_it_is_the_optimum_of_the_log_score(self) -> None:
        """The mean over bootstraps lies near the optimum of a direct search."""
        lpd = RNG.normal(0.0, 1.5, (40, 3))
        p = np.exp(lpd)

        def loss(free: np.ndarray) -> float:
            w = np.exp(np.append(free, 0.0))
            return -float(np.log(p @ (w / w.sum())).sum())

        best = optimize.minimize(loss, np.zeros(2)).x
        wanted = np.exp(np.append(best, 0.0))
        mean, sd, _ = stacking_weights([table(column) for column in lpd.T])
        assert (np.abs(mean - wanted / wanted.sum()) < sd + 0.02).all()

    def test_only_runs_that_all_components_have_count(self) -> None:
        one, other = table(np.zeros(40)), table(np.zeros(40)).iloc[:7]
        assert stacking_weights([one, other])[2] == 7


def test_densities_are_of_the_larger_half_of_the_runs(default_fit: Fit) -> None:
    compute = default_fit.ladder.with_role("fit", "link").compute()
    trees = Stages(default_fit.losses, default_fit.accuracies)
    found = densities(trees, compute)
    assert set(found.index) == set(compute.index[compute >= compute.median()])
    assert np.isfinite(found).all()
    losses = densities(Stages(default_fit.losses), compute)
    assert not np.allclose(losses, found), "accuracies count too"
