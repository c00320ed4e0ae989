"""Mode and information of each series against SciPy's least squares."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import optimize, stats

from bayescale.inference.modes import prior_moments, quadratic
from bayescale.inference.ridges import parameter_order
from bayescale.models.laws import LAWS, Point
from bayescale.models.layout import Layout
from bayescale.models.stage_models import loss_model
from helpers.layouts import LONE, ONE_FACTOR, make_case

RUNS, NOISE = 60, 0.03
C = np.linspace(-4.0, 4.0, RUNS)


def curve(real: np.ndarray) -> np.ndarray:
    """ln L of law ``compute`` from ln gamma, ln L0 and the real value of phi."""
    log_gamma, log_level, phi = real
    share = 1 - (1 + np.exp(4 * phi)) ** -0.25
    return log_level + np.log(share + (1 - share) * np.exp(-np.exp(log_gamma) * C))


@pytest.fixture(scope="module")
def losses() -> np.ndarray:
    noise = NOISE * np.random.default_rng(0).standard_normal(RUNS)
    return curve(np.array([np.log(0.2), 1.0, 0.4])) + noise


class TestQuadratic:
    """Sixty runs of one series: what the runs say drowns the priors."""

    def test_it_is_the_least_squares_estimate_and_its_information(self, losses: np.ndarray) -> None:
        model = loss_model(LAWS["compute"], LONE)
        assert [p.name for p in parameter_order(model)] == ["gamma", "L0", "phi"]
        x = Point(*(jnp.asarray(C[None]) for _ in range(4)))
        one = jnp.ones((1, RUNS))
        layout = Layout(jnp.asarray(losses[None]), one.astype(bool), x, one)
        found = quadratic(model)(layout)
        wanted = optimize.least_squares(
            lambda real: (curve(real) - losses) / NOISE, [np.log(0.17), 0.7, 0.5], x_scale=0.1
        )
        F, h = found.at(found.log_scale, None)
        information = wanted.jac.T @ wanted.jac * (NOISE / np.exp(float(found.log_scale[0]))) ** 2
        sd = np.sqrt(np.diag(np.linalg.inv(information)))
        mode = np.linalg.solve(F[0], h[0])
        np.testing.assert_allclose(mode, wanted.x, atol=0.2 * sd.max())
        np.testing.assert_allclose((mode - wanted.x) / sd, 0.0, atol=0.2)
        np.testing.assert_allclose(np.linalg.inv(F[0]), np.linalg.inv(information), rtol=0.2)
        # the prior of the scale, 0.01, weighs as much as four runs
        scale = np.sqrt((2 * wanted.cost * NOISE**2 + 4 * 0.01**2) / (RUNS - 3 + 4))
        assert float(found.log_scale[0]) == pytest.approx(np.log(scale), abs=0.01)
        assert float(found.noise_information[0, -1, -1]) == pytest.approx(2 * (RUNS - 3), rel=0.02)

    def test_cells_that_are_not_seen_count_for_nothing(self) -> None:
        model, layout = make_case("one factor")
        find = quadratic(model)
        other = layout._replace(y=jnp.where(layout.seen, layout.y, 99.0))
        for one, two in zip(find(layout), find(other), strict=True):
            jax.tree.map(np.testing.assert_array_equal, one, two)

    def test_repeats_are_the_share_of_cells_after_the_first_of_their_group(self) -> None:
        model, layout = make_case("reruns")
        # groups (0, 0), (2, 2), 4, 5; the first series lacks its last run
        np.testing.assert_allclose(quadratic(model)(layout).repeats, [2 / 5, 2 / 6, 2 / 6])
        model, layout = make_case("one factor")
        assert not np.any(quadratic(model)(layout).repeats)


class TestMoments:
    def test_moments_of_a_normal_prior_are_exact(self) -> None:
        moments = prior_moments(loss_model(LAWS["compute"], ONE_FACTOR))
        for found, wanted in zip(moments["gamma"], (np.log(0.17), 0.4), strict=True):
            np.testing.assert_allclose(found, np.full(3, wanted), rtol=1e-12)

    def test_moments_of_a_users_prior_are_those_of_its_draws_on_the_real_line(self) -> None:
        model = loss_model(LAWS["compute"], LONE, priors={"gamma": dist.Gamma(4.0, 20.0)})
        log_gamma = stats.loggamma(4.0, loc=-np.log(20.0))
        mean, sd = prior_moments(model)["gamma"]
        assert mean[0] == pytest.approx(log_gamma.mean(), abs=0.05)
        assert sd[0] == pytest.approx(log_gamma.std(), rel=0.1)
