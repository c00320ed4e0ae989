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
    at_runs,
    common_share,
    condition,
    draw_terms,
    log_density_of_each,
    log_evidence,
    mean_terms,
    prior_of_law,
    prior_terms,
    variance_of_terms,
)
from helpers.layouts import TWO_KINDS, VALIDATION

SERIES, RUNS, TERMS = 3, 7, 4
SHARES = [np.zeros(SERIES), np.array([0.9, 0.9, 0.0]), np.full(SERIES, 0.6)]


@pytest.fixture(params=["one phi for all", "a phi for each"])
def phi(request: pytest.FixtureRequest) -> np.ndarray:
    shape = (RUNS, TERMS) if request.param == "one phi for all" else (SERIES, RUNS, TERMS)
    return np.random.default_rng(1).standard_normal(shape)


@pytest.fixture(params=range(len(SHARES)), ids=["alone", "two of three", "all"])
def dense(request: pytest.FixtureRequest, phi: np.ndarray) -> "Dense":
    return Dense(SHARES[request.param], phi)


class Dense:
    """u = a phi w + e as one normal vector, with the covariance of w written out."""

    def __init__(self, share: np.ndarray, phi: np.ndarray) -> None:
        rng = np.random.default_rng(0)
        self.share = share
        u = rng.standard_normal((SERIES, RUNS))
        a = rng.uniform(0.5, 2.0, (SERIES, RUNS))
        # A series with fewer runs.
        u[1, 5:] = 0.0
        a[1, 5:] = 0.0
        self.residuals = u
        self.u, self.a, self.phi = jnp.asarray(u), jnp.asarray(a), jnp.asarray(phi)
        of_series = np.sqrt(np.outer(share, share)) + np.diag(1 - share)
        self.prior = np.kron(of_series, np.eye(TERMS))
        self.block = np.zeros((SERIES * RUNS, SERIES * TERMS))
        for s in range(SERIES):
            rows, columns = slice(RUNS * s, RUNS * (s + 1)), slice(TERMS * s, TERMS * (s + 1))
            self.block[rows, columns] = a[s][:, None] * (phi if phi.ndim == 2 else phi[s])
        self.covariance = np.eye(SERIES * RUNS) + self.block @ self.prior @ self.block.T

    @property
    def gain(self) -> np.ndarray:
        return self.prior @ self.block.T @ np.linalg.inv(self.covariance)


def test_evidence_is_the_density_of_the_dense_normal(dense: Dense) -> None:
    found = log_evidence(dense.u, dense.a, dense.phi, tuple(dense.share))
    wanted = stats.multivariate_normal(cov=dense.covariance).logpdf(dense.residuals.ravel())
    constant = SERIES * RUNS * 0.5 * np.log(2 * np.pi)
    assert float(found) - constant == pytest.approx(float(wanted), rel=1e-10)


def test_its_derivatives_are_those_of_finite_differences(dense: Dense) -> None:
    def evidence(u: jax.Array, a: jax.Array) -> jax.Array:
        return log_evidence(u, a, dense.phi, tuple(dense.share))

    check_grads(evidence, (dense.u, dense.a), order=1, modes=["fwd", "rev"])


def test_terms_have_mean_and_covariance_of_the_dense_conditional(dense: Dense) -> None:
    terms = condition(dense.u, dense.a, dense.phi, dense.share)
    mean = dense.gain @ dense.residuals.ravel()
    covariance = dense.prior - dense.gain @ dense.block @ dense.prior
    np.testing.assert_allclose(np.ravel(mean_terms(terms)), mean, atol=1e-10)
    of_terms = [covariance[k : k + TERMS, k : k + TERMS] for k in range(0, len(mean), TERMS)]
    np.testing.assert_allclose(variance_of_terms(terms), of_terms, atol=1e-10)
    at = np.ravel(dense.a * at_runs(dense.phi, mean_terms(terms)))
    np.testing.assert_allclose(at, dense.block @ mean, atol=1e-10)
    draws = jax.vmap(lambda key: draw_terms(terms, key))(jax.random.split(jax.random.key(0), 40000))
    flat = np.asarray(draws).reshape(len(draws), -1)
    np.testing.assert_allclose(flat.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(flat.T), covariance, atol=0.03)


def test_each_residual_given_all_others(dense: Dense) -> None:
    given = condition(dense.u, dense.a, dense.phi, dense.share)
    found = np.ravel(log_density_of_each(given, dense.u, dense.a, dense.phi))
    flat = dense.residuals.ravel()
    for i in (0, 9, 20):
        rest = np.delete(np.arange(len(flat)), i)
        within = dense.covariance[np.ix_(rest, rest)]
        cross = np.linalg.solve(within, dense.covariance[rest, i])
        sd = np.sqrt(dense.covariance[i, i] - cross @ dense.covariance[rest, i])
        wanted = stats.norm(cross @ flat[rest], sd).logpdf(flat[i])
        assert found[i] - 0.5 * np.log(2 * np.pi) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("share", SHARES)
def test_prior_draws_have_the_covariance_of_the_prior(share: np.ndarray) -> None:
    prior = Dense(share, np.zeros((RUNS, TERMS))).prior
    keys = jax.random.split(jax.random.key(0), 20000)
    draws = np.asarray(jax.vmap(lambda key: prior_terms(share, TERMS, key))(keys))
    found = np.cov(draws.reshape(len(draws), -1).T)
    np.testing.assert_allclose(found, prior, atol=0.05)


class TestPriors:
    def test_validation_losses_of_several_corpora_have_a_part_in_common(self) -> None:
        np.testing.assert_array_equal(common_share(VALIDATION), np.full(3, COMMON_OF_CORPORA))
        assert not common_share(TWO_KINDS).any()

    def test_tasks_err_more_than_validation_losses(self) -> None:
        groups = replace(TWO_KINDS, kinds=("task", "validation"))
        prior = prior_of_law(groups)
        np.testing.assert_allclose(np.exp(prior.loc), [0.04, 0.01])
        np.testing.assert_allclose(prior.scale, [1.0, 0.5])
