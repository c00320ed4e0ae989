"""A law or a link with a discrepancy, against one dense normal of all runs."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer.util import log_density
from scipy import stats

from bayescale.errors import SettingError
from bayescale.models.discrepancy import COMMON_OF_CORPORA
from bayescale.models.laws import LAWS
from bayescale.models.layout import Layout
from bayescale.models.series import SeriesModel
from bayescale.models.stage_models import every_prior_used, loss_model
from helpers.densities import prior_draw
from helpers.layouts import ONE_FACTOR, make_case


def dense_density(model: SeriesModel, layout: Layout, sites: dict[str, np.ndarray]) -> float:
    """ln Normal(y; curve, noise + discrepancy), with the whole covariance written out."""
    real = model.pooling.by_series({k: jnp.asarray(v) for k, v in sites.items()})
    values = {k: np.asarray(v) for k, v in model.pooling.values(real).items()}
    mean, sd = (np.asarray(v) for v in model.expectation(real, layout))
    series, runs = mean.shape
    seen = np.asarray(layout.seen)
    effect = np.ones_like(mean)
    if "lo" in values:
        lo, hi = values["lo"][:, None], values["hi"][:, None]
        effect = (mean - lo) * (hi - mean) / (hi - lo)
    phi = np.asarray(layout.basis) * effect[..., None]
    assert model.amplitude is not None
    size = values[model.amplitude]
    covariance = np.zeros((series, runs, series, runs))
    group = layout.group_of_cell
    for s in range(series):
        for t in range(series):
            share = np.sqrt(model.common[s] * model.common[t]) + (1 - model.common[s]) * (s == t)
            covariance[s, :, t] = share * size[s] * size[t] * phi[s] @ phi[t].T
        common = values["common"][s] if "common" in values else 0.0
        within = common * (group[s][:, None] == group[s]) + (1 - common) * np.eye(runs)
        covariance[s, :, s] += within * np.outer(sd[s], sd[s])
    flat = seen.ravel()
    matrix = covariance.reshape(series * runs, -1)[np.ix_(flat, flat)]
    residual = (np.asarray(layout.y) - mean).ravel()[flat]
    return float(stats.multivariate_normal(cov=matrix).logpdf(residual))


CASES = [
    "discrepancy",
    "discrepancy in common",
    "discrepancy of two kinds",
    "discrepancy, reruns",
    "discrepancy, complete pooling",
    "link logistic, discrepancy",
]


@pytest.mark.parametrize("case", CASES)
def test_the_likelihood_is_the_dense_normal(case: str) -> None:
    model, layout = make_case(case)
    sites = prior_draw(model, layout, 0)
    values = {k: jnp.asarray(v) for k, v in sites.items()}
    whole, trace = log_density(model, (layout,), {}, values)
    found = float(trace["y"]["fn"].log_factor)
    assert found == pytest.approx(dense_density(model, layout, sites), rel=1e-8)
    prior = sum(
        float(jnp.sum(site["fn"].log_prob(site["value"])))
        for name, site in trace.items()
        if site["type"] == "sample" and name != "y"
    )
    assert float(whole) == pytest.approx(found + prior, rel=1e-10)


@pytest.mark.parametrize("case", ["discrepancy in common", "link logistic, discrepancy"])
def test_without_other_runs_a_density_of_one_is_its_own(case: str) -> None:
    """Densities given all other runs, against the dense normal with and without the run."""
    model, layout = make_case(case)
    sites = prior_draw(model, layout, 1)
    real = model.pooling.by_series({k: jnp.asarray(v) for k, v in sites.items()})
    found = np.asarray(model.given_data(real, layout, None).density_of_each)
    whole = dense_density(model, layout, sites)
    for s, i in ((0, 2), (2, 4)):
        without = layout._replace(seen=layout.seen.at[s, i].set(False))
        wanted = whole - dense_density(model, without, sites)
        assert found[s, i] == pytest.approx(wanted, rel=1e-6)


def test_a_discrepancy_needs_normal_noise() -> None:
    with pytest.raises(SettingError, match="discrepancy='none' takes the law as true"):
        loss_model(LAWS["compute"], ONE_FACTOR, noise="student_t", discrepancy=True)


def test_corpora_have_one_size_of_discrepancy() -> None:
    model, layout = make_case("discrepancy in common")
    assert prior_draw(model, layout, 0)["law_discrepancy"].shape == (1,)
    np.testing.assert_array_equal(model.common, COMMON_OF_CORPORA)


def test_a_prior_of_the_discrepancy_is_known_where_there_is_one() -> None:
    with_it, without = make_case("discrepancy")[0], make_case("one factor")[0]
    priors = {"law_discrepancy": LAWS["compute"].parameters[0].prior}
    every_prior_used(priors, [with_it])
    with pytest.raises(SettingError, match="use one of"):
        every_prior_used(priors, [without])
