"""F, h and the information on the scales, against the same quantities from dense matrices."""

import numpy as np
import pytest

from bayescale.inference.quadratic import (
    LOG_RATIOS,
    Linear,
    NoiseScale,
    Quadratic,
    noise_information,
    probable_ratio,
    removed_by,
    whitener,
)

RNG = np.random.default_rng(0)
SERIES, RUNS, K, TERMS = 2, 12, 3, 4
THETA = RNG.standard_normal((SERIES, K))
AT = Linear(
    r=0.02 * RNG.standard_normal((SERIES, RUNS)),
    J=RNG.standard_normal((SERIES, RUNS, K)),
    B=RNG.standard_normal((SERIES, RUNS, TERMS)),
    real=THETA,
)
SIGMA, LAMBDA = np.array([0.01, 0.03]), np.array([0.02, 0.005])


def covariance(s: int) -> np.ndarray:
    return SIGMA[s] ** 2 * np.eye(RUNS) + LAMBDA[s] ** 2 * AT.B[s] @ AT.B[s].T


def test_information_at_any_scales_is_that_of_the_dense_covariance() -> None:
    nothing = np.zeros(SERIES)
    F = AT.J.mT @ AT.J
    found = Quadratic(
        F=F,
        h=np.einsum("sij,sj->si", F, THETA) - np.einsum("srk,sr->sk", AT.J, AT.r),
        removed=removed_by(AT, THETA),
        log_scale=nothing,
        log_amplitude=nothing,
        noise_information=nothing,
        noise_h=nothing,
        weight=nothing,
        repeats=nothing,
        ridge=None,  # type: ignore[arg-type]
    ).at(np.log(SIGMA), np.log(LAMBDA))
    for s in range(SERIES):
        precision = np.linalg.inv(covariance(s))
        wanted = AT.J[s].T @ precision @ AT.J[s]
        np.testing.assert_allclose(found[0][s], wanted, rtol=1e-8)
        target = AT.J[s] @ THETA[s] - AT.r[s]
        np.testing.assert_allclose(found[1][s], AT.J[s].T @ precision @ target, rtol=1e-8)


def test_the_whitener_makes_residuals_independent() -> None:
    ratio = LAMBDA / SIGMA
    white = whitener(AT.B, ratio)
    for s in range(SERIES):
        relative = covariance(s) / SIGMA[s] ** 2
        np.testing.assert_allclose(white[s] @ relative @ white[s].T, np.eye(RUNS), atol=1e-9)


def test_noise_information_is_the_expected_curvature_of_the_restricted_likelihood() -> None:
    """Minus the mean second derivative by ln lambda and ln sigma, over simulated residuals."""

    def restricted(log_scales: np.ndarray, r: np.ndarray) -> np.ndarray:
        log_lambda, log_sigma = log_scales
        V = np.exp(2 * log_sigma) * np.eye(RUNS) + np.exp(2 * log_lambda) * AT.B[0] @ AT.B[0].T
        inverse = np.linalg.inv(V)
        F = AT.J[0].T @ inverse @ AT.J[0]
        P = inverse - inverse @ AT.J[0] @ np.linalg.solve(F, AT.J[0].T @ inverse)
        determinant = np.linalg.slogdet(V)[1] + np.linalg.slogdet(F)[1]
        return -0.5 * np.einsum("ni,ij,nj->n", r, P, r) - 0.5 * determinant

    found = noise_information(
        AT,
        prior_precision=np.zeros((SERIES, K)),
        scale2=SIGMA**2,
        ratio=LAMBDA / SIGMA,
        slopes=[np.ones((SERIES, RUNS))],
        amplitude_at=0,
    )[0]
    r = RNG.multivariate_normal(np.zeros(RUNS), covariance(0), 100_000)
    at = np.log([LAMBDA[0], SIGMA[0]])
    step = 1e-4
    score = np.stack(
        [
            (restricted(at + step * e, r) - restricted(at - step * e, r)) / (2 * step)
            for e in np.eye(2)
        ]
    )
    np.testing.assert_allclose(np.cov(score), found, rtol=0.03, atol=0.03)


@pytest.mark.parametrize("true", [0.3, 4.0])
def test_the_probable_ratio_follows_the_residuals(true: float) -> None:
    """Many runs: the most probable ratio is near the one that the residuals were drawn with."""
    runs, terms = 200, 12
    rng = np.random.default_rng(3)
    B = rng.standard_normal((1, runs, terms))
    J = rng.standard_normal((1, runs, K))
    r = 0.01 * (rng.standard_normal(runs) + true * B[0] @ rng.standard_normal(terms))
    found = probable_ratio(
        Linear(r[None], J, B, np.zeros((1, K))),
        prior_precision=np.full((1, K), 1e-6),
        scale2=np.full(1, 1e-4),
        noise=NoiseScale(np.full(1, 1e-4), np.full(1, runs)),
        amplitude=(np.full(1, np.log(0.01)), np.full(1, 2.0)),
    )
    assert abs(float(np.log(found[0] / true))) < 0.6
    assert np.log(found[0]) in LOG_RATIOS
