"""The models' densities are those that SciPy gives of the formulas."""

import numpy as np
import pytest
from numpyro.distributions import constraints

from bayescale.models.laws import LAWS
from bayescale.models.links import LINKS, lo_prior
from bayescale.models.stage_models import accuracy_model, loss_model
from helpers.densities import (
    chinchilla_log_density,
    logistic_log_density,
    numpyro_log_density,
    prior_draw,
)
from helpers.layouts import (
    LOSS_CASES,
    ONE_FACTOR,
    TASKS,
    accuracy_layout,
    latent,
    loss_layout,
    make_case,
)


@pytest.mark.parametrize(
    "case", [*LOSS_CASES, "link logistic", "link exponential", "link asymmetric"]
)
def test_every_latent_site_lives_on_the_real_line(case: str) -> None:
    model, layout = make_case(case)
    supports = {name: site["fn"].support for name, site in latent(model, layout, 0).items()}
    assert {
        name
        for name, support in supports.items()
        if support is not constraints.real and support is not constraints.real_vector
    } == set()


@pytest.mark.parametrize("seed", range(5))
def test_loss_models_density_is_the_one_in_scipy(seed: int) -> None:
    model, layout = loss_model(LAWS["chinchilla"], ONE_FACTOR), loss_layout(ONE_FACTOR)
    sites = prior_draw(model, layout, seed)
    assert numpyro_log_density(model, layout, sites) == pytest.approx(
        chinchilla_log_density(model, sites, layout), rel=1e-8
    )


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_models_density_is_the_one_in_scipy(seed: int) -> None:
    chance = np.array([0.25, 0.5, 0.2])
    model, layout = (
        accuracy_model(LINKS["logistic"], TASKS, priors={"lo": lo_prior(chance)}),
        accuracy_layout(TASKS),
    )
    sites = prior_draw(model, layout, seed)
    assert numpyro_log_density(model, layout, sites) == pytest.approx(
        logistic_log_density(model, sites, layout, chance), rel=1e-8
    )
