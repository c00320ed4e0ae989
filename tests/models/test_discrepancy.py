"""The discrepancy integrated out, against one dense normal distribution."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import stats

from bayescale.models.discrepancy import (
    COMMON_OF_CORPORA,
    common_share,
    condition,
    draw_terms,
    log_density_of_each,
    log_evidence,
    mean_terms,
    prior_of_law,
    prior_terms,
)
from helpers.layouts import TWO_KINDS, VALIDATION

SERIES, RUNS, TERMS = 3, 7, 4
SHARES = [np.zeros(SERIES), np.array([0.9, 0.9, 0.0]), np.full(SERIES, 0.6)]


@pytest.fixture(params=range(len(SHARES)), ids=["alone", "two of three", "all"])
def dense(request: pytest.FixtureRequest) -> "Dense":
    return Dense(SHARES[request.param])


class Dense:
    """u = B w + e as one normal vector, with the covariance of w written out."""

    def __init__(self, share: np.ndarray) -> None:
        rng = np.random.default_rng(0)
        self.share = share
        self.u = rng.standard_normal((SERIES, RUNS))
        self.B = rng.standard_normal((SERIES, RUNS, TERMS))
        # A series with fewer runs.
        self.u[1, 5:] = 0.0
        self.B[1, 5:] = 0.0
        of_series = np.sqrt(np.outer(share, share)) + np.diag(1 - share)
        self.prior = np.kron(of_series, np.eye(TERMS))
        self.block = np.zeros((SERIES * RUNS, SERIES * TERMS))
        for s in range(SERIES):
            rows, columns = slice(RUNS * s, RUNS * (s + 1)), slice(TERMS * s, TERMS * (s + 1))
            self.block[rows, columns] = self.B[s]
        self.covariance = np.eye(SERIES * RUNS) + self.block @ self.prior @ self.block.T

    @property
    def gain(self) -> np.ndarray:
        return self.prior @ self.block.T @ np.linalg.inv(self.covariance)


def test_evidence_is_the_density_of_the_dense_normal(dense: Dense) -> None:
    found = log_evidence(jnp.asarray(dense.u), jnp.asarray(dense.B), tuple(dense.share))
    wanted = stats.multivariate_normal(cov=dense.covariance).logpdf(dense.u.ravel())
    constant = SERIES * RUNS * 0.5 * np.log(2 * np.pi)
    assert float(found) - constant == pytest.approx(float(wanted), rel=1e-10)


def test_its_derivatives_are_those_of_finite_differences(dense: Dense) -> None:
    def evidence(u: jax.Array, B: jax.Array) -> jax.Array:
        return log_evidence(u, B, tuple(dense.share))

    check_grads(
        evidence, (jnp.asarray(dense.u), jnp.asarray(dense.B)), order=1, modes=["fwd", "rev"]
    )


def test_terms_have_mean_and_covariance_of_the_dense_conditional(dense: Dense) -> None:
    terms = condition(jnp.asarray(dense.u), jnp.asarray(dense.B), dense.share)
    mean = dense.gain @ dense.u.ravel()
    covariance = dense.prior - dense.gain @ dense.block @ dense.prior
    np.testing.assert_allclose(np.ravel(mean_terms(terms)), mean, atol=1e-10)
    draws = jax.vmap(lambda key: draw_terms(terms, key))(jax.random.split(jax.random.key(0), 40000))
    flat = np.asarray(draws).reshape(len(draws), -1)
    np.testing.assert_allclose(flat.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(flat.T), covariance, atol=0.03)


def test_each_residual_given_all_others(dense: Dense) -> None:
    u, B = jnp.asarray(dense.u), jnp.asarray(dense.B)
    found = np.ravel(log_density_of_each(condition(u, B, dense.share), u, B))
    flat = dense.u.ravel()
    for i in (0, 9, 20):
        rest = np.delete(np.arange(len(flat)), i)
        within = dense.covariance[np.ix_(rest, rest)]
        cross = np.linalg.solve(within, dense.covariance[rest, i])
        sd = np.sqrt(dense.covariance[i, i] - cross @ dense.covariance[rest, i])
        wanted = stats.norm(cross @ flat[rest], sd).logpdf(flat[i])
        assert found[i] - 0.5 * np.log(2 * np.pi) == pytest.approx(wanted, rel=1e-9)


def test_prior_draws_have_the_covariance_of_the_prior(dense: Dense) -> None:
    keys = jax.random.split(jax.random.key(0), 20000)
    draws = np.asarray(jax.vmap(lambda key: prior_terms(dense.share, TERMS, key))(keys))
    found = np.cov(draws.reshape(len(draws), -1).T)
    np.testing.assert_allclose(found, dense.prior, atol=0.05)


class TestPriors:
    def test_validation_losses_of_several_corpora_have_a_part_in_common(self) -> None:
        np.testing.assert_array_equal(common_share(VALIDATION), np.full(3, COMMON_OF_CORPORA))
        assert not common_share(TWO_KINDS).any()

    def test_tasks_err_more_than_validation_losses(self) -> None:
        groups = replace(TWO_KINDS, kinds=("task", "validation"))
        prior = prior_of_law(groups)
        np.testing.assert_allclose(np.exp(prior.loc), [0.04, 0.01])
        np.testing.assert_allclose(prior.scale, [1.0, 0.5])
