"""Batched small Cholesky factors against NumPy's."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from bayescale.models.linalg import inverse_cholesky


@pytest.mark.parametrize("k", [1, 5, 21])
def test_inverse_cholesky_is_the_factorisations(k: int) -> None:
    rng = np.random.default_rng(0)
    P = np.stack([m @ m.T for m in rng.standard_normal((4, k, k + 3))])
    inverse, log_det = inverse_cholesky(jnp.asarray(P))
    L = np.linalg.cholesky(P)
    np.testing.assert_allclose(inverse, np.linalg.inv(L), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(L)[1], rtol=1e-12)


@pytest.mark.parametrize("k", [3, 11])
def test_inverse_cholesky_has_the_derivative_of_finite_differences(k: int) -> None:
    rng = np.random.default_rng(1)
    root = rng.standard_normal((2, k, k + 3))
    check_grads(
        lambda root: inverse_cholesky(root @ root.mT), (jnp.asarray(root),), order=1, rtol=1e-5
    )
