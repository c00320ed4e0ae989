"""Weights of a mixture by leave-one-out densities of the larger runs."""

import numpy as np
import pandas as pd
import pytest

from bayescale.extrapolation.weights import densities, weigh
from bayescale.fits.record import Fit
from bayescale.models.stages import Stages

RNG = np.random.default_rng(0)
RUNS = [f"run {i}" for i in range(40)]


def table(values: np.ndarray) -> pd.Series:
    return pd.Series(values, index=RUNS)


class TestWeights:
    def test_a_component_that_is_better_everywhere_has_nearly_all_the_weight(self) -> None:
        good = RNG.standard_normal(40)
        mean, sd, runs = weigh([table(good), table(good - 1.0)])
        assert mean[0] > 0.97
        assert runs == 40
        assert mean.sum() == pytest.approx(1.0)
        assert (sd >= 0).all()

    def test_a_component_that_is_a_little_better_has_a_little_more(self) -> None:
        good = RNG.standard_normal(40)
        mean, _, _ = weigh([table(good), table(good - 0.02)])
        assert mean[0] == pytest.approx(1 / (1 + np.exp(-0.8)), abs=0.02)

    def test_components_that_are_each_better_at_half_of_the_runs_share_it(self) -> None:
        lift = np.repeat([2.0, 0.0], 20)
        mean, sd, _ = weigh([table(lift), table(2.0 - lift)])
        np.testing.assert_allclose(mean, 0.5, atol=0.05)
        assert (sd > 0.3).all(), "other runs might favour either"

    def test_alike_components_have_equal_weights(self) -> None:
        one = table(RNG.standard_normal(40))
        np.testing.assert_allclose(weigh([one, one, one])[0], 1 / 3)

    def test_only_runs_that_all_components_have_count(self) -> None:
        one, other = table(np.zeros(40)), table(np.zeros(40)).iloc[:7]
        assert weigh([one, other])[2] == 7
        assert weigh([one, other.iloc[:0]])[2] == 0


def test_densities_are_of_the_larger_half_of_the_runs(default_fit: Fit) -> None:
    compute = default_fit.ladder.with_role("fit", "link").compute()
    trees = Stages(default_fit.losses, default_fit.accuracies)
    found = densities(trees, compute)
    assert set(found.index) == set(compute.index[compute >= compute.median()])
    assert np.isfinite(found).all(axis=None)
    assert (found["k"] < 1.5).all()
    losses = densities(Stages(default_fit.losses), compute)
    assert not np.allclose(losses["lpd"], found["lpd"]), "accuracies count too"
