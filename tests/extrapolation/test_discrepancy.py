"""The error of law and link at new runs: mean, variance and what series have in common."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayescale.extrapolation.discrepancy import (
    COMMON_OF_LINKS,
    COMMON_WALK,
    LINK_WALK,
    TASK_WALK,
    WALK,
    WALK_MAX_SIGMA,
    WALK_OF_CORPORA,
    KnownError,
    Points,
    known_error,
    law_error,
    link_error,
)
from bayescale.fits.record import Fit
from bayescale.inference.posterior import real_draws
from bayescale.models.discrepancy import at_runs
from bayescale.models.kernel import make_terms

DRAWS = 20_000
RUNS = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 1.0], [2.0, 3.0]])
TERMS = make_terms(RUNS)
AWAY = np.array([[3.0, 4.0], [4.0, 5.0]])
# Covariance of a Wiener process at 2 and 4 e-folds.
MIN = np.array([[2.0, 2.0], [2.0, 4.0]])
FAR = Points(AWAY, np.array([[2.0, 4.0]] * 2))


def nothing_known(sigma: float = 0.005, common: float = 0.0) -> KnownError:
    """Two series with lambda 0.02; z is 0, so the error is what no term carries."""
    zero = np.zeros((DRAWS, 2, TERMS.root.shape[1]))
    return KnownError(
        mean=zero,
        drawn=zero,
        amplitude=np.full((DRAWS, 2), 0.02),
        sigma=np.full((DRAWS, 2), sigma),
        common=np.full(2, common),
    )


class TestLaw:
    def test_variance_of_a_validation_loss_is_what_terms_leave_out_and_a_walk(self) -> None:
        error = law_error(
            nothing_known(),
            TERMS,
            FAR,
            of_task=np.zeros(2, bool),
            rng=np.random.default_rng(0),
        )
        left_out = 0.02**2 * TERMS.left_out(AWAY)
        wanted = left_out + WALK**2 * MIN
        np.testing.assert_allclose(np.cov(error.random[:, 0].T), wanted, rtol=0.06)
        assert not error.known.any()

    @pytest.mark.parametrize(("sigma", "factor"), [(0.00125, 0.5), (0.08, 2**0.5)])
    def test_the_walk_grows_with_the_root_of_the_noise_up_to_a_limit(
        self, sigma: float, factor: float
    ) -> None:
        quiet = replace(nothing_known(sigma), amplitude=np.zeros((DRAWS, 2)))
        error = law_error(
            quiet, TERMS, FAR, of_task=np.zeros(2, bool), rng=np.random.default_rng(0)
        )
        assert error.random[:, 0, 1].std() == pytest.approx(WALK * 2 * factor, rel=0.03)
        assert WALK_MAX_SIGMA == 0.01

    def test_a_tasks_loss_has_a_walk_tied_to_its_amplitude(self) -> None:
        known = nothing_known()
        rng = np.random.default_rng(0)
        error = law_error(known, TERMS, FAR, of_task=np.ones(2, bool), rng=rng)
        wanted = 0.02**2 * (TERMS.left_out(AWAY) + TASK_WALK**2 * MIN)
        np.testing.assert_allclose(np.cov(error.random[:, 1].T), wanted, rtol=0.06)

    def test_corpora_share_what_terms_leave_out_and_not_the_walk(self) -> None:
        rng = np.random.default_rng(0)
        error = law_error(nothing_known(common=0.9), TERMS, FAR, of_task=np.zeros(2, bool), rng=rng)
        shared = np.cov(error.random[:, 0, 0], error.random[:, 1, 0])[0, 1]
        assert shared == pytest.approx(0.9 * 0.02**2 * TERMS.left_out(AWAY)[0, 0], rel=0.06)

    def test_each_of_several_corpora_has_a_larger_walk(self) -> None:
        """Also where one of them is looked at alone."""
        known = nothing_known(common=0.9)
        wanted = 0.02**2 * TERMS.left_out(AWAY) + WALK_OF_CORPORA**2 * MIN
        for one, far in ((known, FAR), (known.of(0), Points(AWAY, FAR.efolds[:1]))):
            of_task = np.zeros(len(far.efolds), bool)
            error = law_error(one, TERMS, far, of_task=of_task, rng=np.random.default_rng(0))
            np.testing.assert_allclose(np.cov(error.random[:, 0].T), wanted, rtol=0.06)

    def test_inside_the_ladder_at_its_runs_nothing_is_left(self) -> None:
        here = Points(RUNS, np.zeros((2, len(RUNS))))
        rng = np.random.default_rng(0)
        error = law_error(nothing_known(), TERMS, here, of_task=np.zeros(2, bool), rng=rng)
        assert error.random.std(0).max() < 0.02 * 0.05


def test_links_of_tasks_share_a_part_of_all_that_is_beyond_the_ladder() -> None:
    known = nothing_known()
    error = link_error(known, TERMS, FAR, np.random.default_rng(0))
    own = 0.02**2 * (TERMS.left_out(AWAY) + LINK_WALK**2 * MIN)
    walk = COMMON_WALK**2 * MIN
    np.testing.assert_allclose(np.cov(error.random[:, 0].T), own + walk, rtol=0.06)
    between = np.cov(error.random[:, 0, 1], error.random[:, 1, 1])[0, 1]
    assert between == pytest.approx(COMMON_OF_LINKS * own[1, 1] + walk[1, 1], rel=0.06)


class TestKnown:
    def test_a_fit_knows_its_error_at_the_fitted_runs(self, default_fit: Fit) -> None:
        """The residuals of the law less the error are noise: smaller than without it."""
        data, known = default_fit.loss_data, default_fit.loss_error
        assert known is not None
        error = np.asarray(at_runs(np.asarray(data.layout.basis), known.drawn))
        real, shape = real_draws(
            default_fit.losses, default_fit.loss_model, data.groups.names, "loss_name"
        )
        assert error.shape[0] == shape[0] * shape[1]
        mean, _ = jax.vmap(lambda one: default_fit.loss_model.expectation(one, data.layout))(real)
        residual = np.asarray(data.layout.y) - np.asarray(mean)
        seen = np.asarray(data.layout.seen)
        with_error = (residual - error)[:, seen].std()
        assert with_error < residual[:, seen].std()

    def test_the_mean_over_draws_is_that_of_the_means(self, default_fit: Fit) -> None:
        known = default_fit.loss_error
        assert known is not None
        sd = (known.drawn - known.mean).std(0)
        error = (known.drawn - known.mean).mean(0)
        assert np.abs(error / sd).max() < 5 / np.sqrt(len(known.drawn))

    def test_a_true_law_has_none(self, gadre_fit: Fit) -> None:
        data = gadre_fit.loss_data
        real = {"L0": jnp.zeros((3, data.groups.series))}
        key = jax.random.key(0)
        assert known_error(gadre_fit.loss_model, real, data.layout, key) is None
        assert gadre_fit.loss_error is None
        assert gadre_fit.accuracy_error is None
