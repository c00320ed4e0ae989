"""Densities of the noise: normal, heavy-tailed, one-sided, and of reruns that share a part."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bayescale.models.inputs import accuracy_data
from bayescale.models.laws import LAWS
from bayescale.models.links import LINKS
from bayescale.models.noise import from_earlier
from bayescale.models.stage_models import accuracy_model, loss_model
from helpers.checkpoints import checkpoints
from helpers.layouts import LONE


@pytest.mark.parametrize("common", [0.05, 0.5, 0.9])
def test_cells_of_a_group_have_the_density_of_one_covariance(common: float) -> None:
    first = np.array([0, 0, 0, 3, 4, 4])
    residual = np.random.default_rng(0).standard_normal(6)
    mean, sd = from_earlier(jnp.asarray(residual), jnp.asarray(first), jnp.asarray(common))
    covariance = np.where(first[:, None] == first, common, 0.0) + (1 - common) * np.eye(6)
    assert stats.norm(np.asarray(mean), np.asarray(sd)).logpdf(residual).sum() == pytest.approx(
        stats.multivariate_normal(cov=covariance).logpdf(residual)
    )


def test_draws_have_that_covariance() -> None:
    data = accuracy_data(checkpoints(0.0, 0.01), None, 3)
    assert data is not None
    model = accuracy_model(LINKS["logistic"], data.groups, grouped=True)
    middle = {
        "lo": -1.1,
        "hi": 3.5,
        "middle": -0.5,
        "slope": 0.0,
        "within": 0.0,
        "common": np.log(3.0),
        "noise_ratio": 0.0,
    }
    real = {k: jnp.full(1, v) for k, v in middle.items()}
    draws = np.asarray(
        jax.vmap(lambda key: model.draw(key, real, data.layout, tail=None, terms=None))(
            jax.random.split(jax.random.key(0), 20_000)
        )
    )[:, 0]
    correlation = np.corrcoef(draws.T)
    assert correlation[0, 1] == pytest.approx(0.75, abs=0.02)
    assert correlation[0, 3] == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize("noise", ["normal", "student_t", "one_sided"])
def test_noise_has_the_density_of_its_formula(noise: str) -> None:
    model = loss_model(LAWS["compute"], LONE, noise=noise)  # type: ignore[arg-type]
    y, mean, sd, tail = np.linspace(-0.3, 0.9, 7), 0.1, 0.2, 5.0
    wanted = {
        "normal": stats.norm(mean, sd),
        "student_t": stats.t(tail, mean, sd),
        "one_sided": stats.exponnorm(5.0, mean, sd / 5),
    }[noise]
    found = model.scatter(jnp.asarray(mean), jnp.asarray(sd), jnp.log(tail))
    np.testing.assert_allclose(found.log_prob(jnp.asarray(y)), wanted.logpdf(y), rtol=1e-8)
    draws = np.asarray(found.sample(jax.random.key(0), (20_000,)))
    assert stats.kstest(draws, wanted.cdf).pvalue > 1e-4
