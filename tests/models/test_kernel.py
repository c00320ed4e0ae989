"""The kernel of the discrepancy, and the terms that carry it."""

import numpy as np
import pytest

from bayescale.data.datasets import load_dataset
from bayescale.models.inputs import loss_data
from bayescale.models.kernel import LEFT_OUT, SIZE_SD, kernel, locations, make_terms

RNG = np.random.default_rng(0)
X = RNG.uniform(0.0, 6.0, (30, 2))


def matern(distance: float) -> float:
    r = 5**0.5 * distance
    return float((1 + r + r**2 / 3) * np.exp(-r))


def test_it_is_a_smooth_part_and_a_part_of_the_size() -> None:
    for a, b in ((X[0], X[1]), (X[2], X[2]), (X[3], X[3] + [0.0, 2.0])):
        wanted = matern(float(np.hypot(*(a - b))) / 4) + 0.25**2 * matern(abs(a[0] - b[0]) / 0.5)
        assert float(kernel(a[None], b[None])[0, 0]) == pytest.approx(wanted, rel=1e-12)
    assert np.linalg.eigvalsh(kernel(X, X)).min() > -1e-10


def test_runs_of_one_size_have_more_in_common_than_runs_as_far_apart_in_size() -> None:
    at = np.zeros((1, 2))
    assert kernel(at, np.array([[0.0, 1.0]]))[0, 0] > kernel(at, np.array([[1.0, 0.0]]))[0, 0]


@pytest.mark.parametrize("points", [3, 30])
def test_terms_carry_nearly_all_of_it_where_there_are_runs(points: int) -> None:
    terms = make_terms(X[:points])
    left_out = terms.left_out(X[:points])
    assert np.abs(left_out).max() <= LEFT_OUT * (1 + SIZE_SD**2) * 1.001
    assert terms.root.shape[1] <= points
    phi = terms.at(X[:points])
    np.testing.assert_allclose(phi @ phi.T, kernel(X[:points], X[:points]) - left_out, atol=1e-9)


def test_what_they_leave_out_elsewhere_is_a_covariance_that_grows_away_from_the_runs() -> None:
    terms = make_terms(X)
    away = np.array([[3.0, 3.0], [8.0, 8.0], [20.0, 20.0]])
    covariance = terms.left_out(away)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9
    assert (np.diff(np.diag(covariance)) > 0).all()
    assert covariance[2, 2] == pytest.approx(1 + SIZE_SD**2, abs=1e-3)


def test_reruns_count_once() -> None:
    terms = make_terms(np.concatenate([X, X]))
    np.testing.assert_allclose(terms.x, make_terms(X).x)


def test_a_layout_has_the_terms_at_its_own_runs() -> None:
    data = loss_data(load_dataset("ladder2024").with_role("fit"))
    assert data.terms.root.shape == (16, 9)
    at = data.terms.at(locations(data.params, data.tokens))
    assert at.shape == (9, 16, 9)
    np.testing.assert_allclose(at, np.broadcast_to(data.layout.basis, at.shape))


def test_cells_have_one_set_of_terms_where_all_series_have_the_same_runs() -> None:
    terms = make_terms(X)
    x = np.stack([X, X, X])
    seen = np.ones(x.shape[:2], bool)
    # A series without the last run, whose cell holds anything.
    x[1, -1], seen[1, -1] = x[1, 0], False
    np.testing.assert_allclose(terms.at_cells(x, seen), terms.at(X))
    x[2] = x[2, ::-1].copy()
    np.testing.assert_allclose(terms.at_cells(x, seen), terms.at(x))
