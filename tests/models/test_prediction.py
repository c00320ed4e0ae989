"""Expectation and noise at points that have no observation, and accuracies moved in logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from bayescale.models.laws import LAWS, Point
from bayescale.models.links import LINKS
from bayescale.models.prediction import expected, shifted_accuracy, standard_noise
from bayescale.models.series import asymptotes
from bayescale.models.stage_models import accuracy_model, loss_model
from helpers.layouts import ONE_FACTOR, TASKS

C = np.array([[0.0, 2.0], [1.0, 3.0], [-1.0, 0.5]])
KEY = jax.random.key(0)


def real(draws: int, **values: float) -> dict[str, jax.Array]:
    """Draws of the real values, a little apart from draw to draw and from series to series."""
    step = 0.1 * jnp.arange(3 * draws).reshape(draws, 3)
    return {name: value + step for name, value in values.items()}


class TestExpected:
    values = real(4, L0=0.7, gamma=-1.7, phi=0.5, sigma=-4.0)
    x = Point(C, C, C, C)

    def test_the_mean_is_the_law(self) -> None:
        model = loss_model(LAWS["compute"], ONE_FACTOR)
        mean, sd = expected(model, self.values, self.x, np.ones(C.shape))
        v = {name: np.asarray(value)[:, :, None] for name, value in self.values.items()}
        phi = 1 - (1 + np.exp(4 * v["phi"])) ** -0.25
        wanted = v["L0"] + np.log(phi + (1 - phi) * np.exp(-np.exp(v["gamma"]) * C))
        np.testing.assert_allclose(mean, wanted, rtol=1e-12)
        np.testing.assert_allclose(sd, np.broadcast_to(np.exp(v["sigma"]), sd.shape), rtol=1e-12)

    def test_noise_widens_towards_small_compute_where_it_is_asked_to(self) -> None:
        model = loss_model(LAWS["compute"], ONE_FACTOR, discrepancy=True)
        more = {"widening": np.log(0.5), "law_discrepancy": -4.6}
        values = {**self.values, **{name: jnp.full((4, 3), v) for name, v in more.items()}}
        _, flat = expected(model, values, self.x, np.ones(C.shape), np.zeros(C.shape))
        _, wide = expected(model, values, self.x, np.ones(C.shape), np.full(C.shape, 4.0))
        np.testing.assert_allclose(wide / flat, np.sqrt(1 + (0.5 * 4.0) ** 2), rtol=1e-12)
        _, plain = expected(model, values, self.x, np.ones(C.shape))
        np.testing.assert_allclose(plain, flat, err_msg="the noise of the largest run")


class TestNoise:
    def test_it_is_standard_normal(self) -> None:
        noise = standard_noise(loss_model(LAWS["compute"], ONE_FACTOR), None, (2000, 3, 2), KEY)
        assert noise.shape == (2000, 3, 2)
        assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3

    def test_each_draw_has_its_own_degrees_of_freedom(self) -> None:
        model = loss_model(LAWS["compute"], ONE_FACTOR, noise="student_t")
        freedom = np.repeat([2.5, 30.0], 3000)
        noise = standard_noise(model, jnp.log(freedom), (6000, 3, 2), KEY)
        for half, df in ((noise[:3000], 2.5), (noise[3000:], 30.0)):
            assert stats.kstest(half.ravel(), stats.t(df).cdf).pvalue > 1e-3


class TestAccuracies:
    def test_asymptotes_are_the_links_own(self) -> None:
        model = accuracy_model(LINKS["logistic"], TASKS)
        names = [p.name for p in model.pooling.parameters]
        real = {name: jnp.asarray([-1.0, 0.0, 1.0]) for name in names}
        lo, hi = asymptotes(model.pooling.values(real))
        assert lo.shape == hi.shape == (3,)
        np.testing.assert_allclose(lo, special.expit([-1.0, 0.0, 1.0]))

    def test_a_link_without_an_upper_asymptote_has_1(self) -> None:
        model = accuracy_model(LINKS["exponential"], TASKS)
        names = {p.name for p in model.pooling.parameters}
        assert "hi" not in names
        lo, hi = asymptotes(model.pooling.values({name: jnp.zeros(3) for name in names}))
        np.testing.assert_array_equal(hi, np.ones(3))
        np.testing.assert_allclose(lo, 0.5)

    def test_a_shift_adds_to_the_logit_between_the_asymptotes(self) -> None:
        lo, hi = jnp.asarray(0.25), jnp.asarray(0.95)
        accuracy = jnp.linspace(0.3, 0.9, 7)
        shifted = shifted_accuracy(accuracy, lo, hi, jnp.asarray(0.8))
        logit = [special.logit(np.asarray((a - 0.25) / 0.7)) for a in (accuracy, shifted)]
        np.testing.assert_allclose(logit[1] - logit[0], 0.8, rtol=1e-9)

    @pytest.mark.parametrize("shift", [-50.0, 0.0, 50.0])
    def test_no_shift_leaves_the_asymptotes(self, shift: float) -> None:
        accuracy = jnp.asarray([0.25, 0.5, 0.95])
        found = shifted_accuracy(accuracy, jnp.asarray(0.25), jnp.asarray(0.95), jnp.asarray(shift))
        assert (found >= 0.25 - 1e-9).all()
        assert (found <= 0.95 + 1e-9).all()
        if not shift:
            np.testing.assert_allclose(found, accuracy, rtol=1e-12)
