"""Power-scaling: the densities of the priors are the model's own, and weighing by them gives the
fit under that prior.
"""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
import xarray as xr
from numpyro.infer.util import log_density

from bayescale.data.target import Target
from bayescale.errors import SettingError
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.fits.simulate import simulate
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.prior_sensitivity import parameter_sensitivity, prior_sensitivity
from bayescale.inference.posterior import real_draws
from bayescale.models.stage_models import loss_model
from helpers.fits import with_trees

SIZES = [1e8, 1e8, 4e8, 4e8, 8e8, 1.6e9]
TOKENS = [2e9, 1e10, 8e9, 4e10, 1.6e10, 1e11]
LARGE = Target(7e9, 1e12, name="large")
ALPHA = dist.LogNormal(np.log(0.2), 0.3)


def fitted(prior: dist.Distribution) -> Fit:
    """Of six runs, which do not drown a prior of alpha."""
    ladder = simulate(params=SIZES, tokens=TOKENS, law="chinchilla", link=None, seed=5).ladder
    return fit(
        ladder,
        law="chinchilla",
        pooling="none",
        discrepancy="none",
        priors={"alpha": prior},
        chains=2,
        draws=1000,
    )


@pytest.fixture(scope="module")
def narrow() -> Fit:
    return fitted(ALPHA)


def test_densities_are_those_of_the_model(narrow: Fit) -> None:
    """Without pooling, the joint density less the likelihood is the product of the priors."""
    found = narrow
    losses = found.loss_data
    model = loss_model(found.law, losses.groups, pooling="none", priors=found.priors)
    real, shape = real_draws(found.losses, model, losses.groups.names, "loss_name")
    priors, likelihood = (
        found.losses[group].to_dataset() for group in ("log_prior", "log_likelihood")
    )
    ours = (
        sum(v.values.ravel() for v in priors.values())
        + likelihood["log_loss"].sum(["loss_name", "run"]).values.ravel()
    )
    for j in (0, shape[0] * shape[1] - 1):
        joint, _ = log_density(
            model, (losses.layout,), {}, {name: jnp.asarray(v[j]) for name, v in real.items()}
        )
        assert ours[j] == pytest.approx(float(joint), rel=1e-9)


@pytest.mark.slow
def test_weighing_by_a_density_gives_the_fit_under_that_prior(narrow: Fit) -> None:
    """The prior of alpha squared: that of a normal is a normal of half the variance."""
    again = fitted(dist.LogNormal(np.log(0.2), 0.3 / np.sqrt(2)))
    alpha, other = (
        np.log(f.losses["posterior"]["alpha"]).mean(("corpus", "loss_name")).values.ravel()
        for f in (narrow, again)
    )
    density = narrow.losses["log_prior"]["alpha"].values.ravel()
    weights = np.exp(density - density.max())
    weighed = np.average(alpha, weights=weights)
    # of two fits whose draws are not quite independent
    error = alpha.std() / np.sqrt(len(alpha) / 4)
    assert abs(other.mean() - alpha.mean()) > 4 * error, "the prior matters, or this shows nothing"
    assert weighed == pytest.approx(other.mean(), abs=3 * error)


def test_the_forecast_leans_on_the_prior_that_the_runs_do_not_drown(narrow: Fit) -> None:
    found = prior_sensitivity(narrow, forecast(narrow, LARGE)).set_index("prior")
    assert set(found["target"]) == {"large"}
    assert found.attrs["status"] == narrow.status
    assert found.loc["law chinchilla: alpha", "leans"]
    assert found["sensitivity"].drop(index="all together").idxmax() == "law chinchilla: alpha"
    of_parameters = parameter_sensitivity(narrow).query("parameter == 'alpha'")
    assert (of_parameters["prior"] > 0.05).all()
    assert of_parameters["reading"].all()


def test_what_depends_on_no_prior_is_below_the_floor_of_every_stage(default_fit: Fit) -> None:
    made = forecast(default_fit, default_fit.ladder.targets())
    noise = np.random.default_rng(3).standard_normal(made.draws["accuracy"].shape)
    found = prior_sensitivity(
        default_fit,
        replace(made, draws=made.draws.assign(accuracy=(made.draws["accuracy"].dims, noise))),
    )
    assert (found["sensitivity"] < found["floor"]).mean() > 0.7
    assert found["leans"].mean() < 0.1
    assert {name.split(":")[0] for name in found["prior"]} == {
        "all together",
        "law skaling",
        "link via c4",
    }


def test_priors_of_every_member_count_once(narrow: Fit) -> None:
    denser = narrow.losses.copy()
    denser["log_prior"] = xr.DataTree(1.0 + narrow.losses["log_prior"].to_dataset())
    both = replace(
        narrow,
        members=(narrow, with_trees(narrow, denser, narrow.accuracies)),
        weights=pd.DataFrame({"member": [0, 1], "law": "skaling", "weight": 0.5, "k": 0.1}),
    )
    names = set(prior_sensitivity(both, forecast(narrow, LARGE))["prior"])
    assert {name.split(":")[0] for name in names} == {
        "all together",
        "law chinchilla",
        "law chinchilla, member 2",
    }


def test_a_fit_without_densities_and_anothers_forecast_are_told(
    narrow: Fit, default_fit: Fit
) -> None:
    made = forecast(narrow, LARGE)
    with pytest.raises(SettingError, match="of this fit"):
        prior_sensitivity(default_fit, made)
    old = narrow.losses.copy()
    del old["log_prior"]
    for asked in (lambda f: prior_sensitivity(f, made), parameter_sensitivity):
        with pytest.raises(SettingError, match="densities"):
            asked(with_trees(narrow, old, narrow.accuracies))
