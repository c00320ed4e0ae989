"""A parameter's prior and the scale that it is stated on."""

import math

import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

from bayescale.models.laws import LAWS
from bayescale.models.stage_models import loss_model
from helpers.densities import numpyro_log_density, own_prior, prior_draw
from helpers.layouts import LONE, loss_layout


@pytest.mark.parametrize("at", [-3.0, -1.5, 0.2])
def test_a_prior_of_ones_own_is_on_the_natural_scale(at: float) -> None:
    layout = loss_layout(LONE)
    plain = loss_model(LAWS["compute"], LONE)
    mine = loss_model(LAWS["compute"], LONE, priors={"gamma": dist.Gamma(4.0, 20.0)})
    sites = {**prior_draw(plain, layout, 0), "gamma": np.array([at])}
    gamma = next(p for p in plain.pooling.parameters if p.name == "gamma")
    swapped = (
        stats.gamma(4.0, scale=1 / 20).logpdf(math.exp(at)) + at - own_prior(gamma, np.array([at]))
    )
    assert numpyro_log_density(mine, layout, sites) - numpyro_log_density(
        plain, layout, sites
    ) == pytest.approx(swapped, rel=1e-8)
