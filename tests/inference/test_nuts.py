"""Chains: their means, one program for two warm-ups, and smaller steps where draws diverge."""

import math

import arviz as az
import numpy as np
import pytest
from scipy import optimize, stats

from bayescale.inference.nuts import Program, Sampler
from bayescale.models.laws import LAWS
from bayescale.models.stage_models import loss_model
from helpers.densities import irreducible
from helpers.layouts import LONE, Array, loss_layout


def test_posterior_means_agree_with_importance_sampling() -> None:
    """One series, law `compute`: NUTS against self-normalised importance sampling of a density
    written in SciPy, from a Student-t around its mode.
    """
    layout = loss_layout(LONE, runs=9)
    model = loss_model(LAWS["compute"], LONE)
    parameters = model.pooling.parameters
    keep = np.asarray(layout.seen)[0]
    y, c = np.asarray(layout.y)[0][keep], np.asarray(layout.x.c)[0][keep]

    def log_density(theta: Array) -> Array:
        real = dict(zip((p.name for p in parameters), theta.T, strict=True))
        phi = irreducible(real["phi"])[:, None]
        mean = real["L0"][:, None] + np.log(
            phi + (1 - phi) * np.exp(-np.exp(real["gamma"])[:, None] * c)
        )
        prior = sum(
            stats.norm(p.prior.base_dist.loc, p.prior.base_dist.scale).logpdf(real[p.name])
            for p in parameters
        )  # type: ignore[attr-defined]
        return prior + stats.norm(mean, np.exp(real["sigma"])[:, None]).logpdf(y).sum(1)

    start = np.array([y.mean(), 0.7, np.log(0.2), np.log(0.02)])
    found = optimize.minimize(lambda t: -log_density(t[None])[0], start, method="BFGS")
    mean, cov = found.x, found.hess_inv
    # BFGS leaves an inverse Hessian that may be far off: the weighted draws of one proposal make
    # the next
    for round_ in range(4):
        proposal = stats.multivariate_t(mean, 1.5 * cov, df=5, seed=round_)
        theta = proposal.rvs(400_000 if round_ == 3 else 50_000)
        log_weight = log_density(theta) - proposal.logpdf(theta)
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        mean, cov = weight @ theta, np.cov(theta.T, aweights=weight)
    assert 1 / (weight**2).sum() > 20_000
    error = np.sqrt(weight**2 @ (theta - mean) ** 2)
    sample = Program(model)(layout, Sampler(chains=2, draws=1500, seed=0))
    for i, p in enumerate(parameters):
        draws = sample.sites[p.name][..., 0]
        mcse = float(az.mcse(draws))
        assert abs(draws.mean() - mean[i]) < 4 * math.hypot(mcse, error[i]), p.name
        assert draws.std() == pytest.approx(
            np.sqrt(weight @ (theta[:, i] - mean[i]) ** 2), rel=0.12
        )


@pytest.mark.slow
def test_a_program_used_with_two_warm_ups_draws_as_two_programs_would() -> None:
    """A kernel holds the schedule of its warm-up: one that is shared would adapt by the first
    one's.
    """
    layout = loss_layout(LONE, runs=9)
    model = loss_model(LAWS["compute"], LONE)
    short = Sampler(chains=1, draws=50, warmup=100)
    program = Program(model)
    program(layout, Sampler(chains=1, draws=50, warmup=400))
    np.testing.assert_array_equal(
        program(layout, short).sites["L0"], Program(model)(layout, short).sites["L0"]
    )


@pytest.mark.slow
def test_a_posterior_whose_draws_diverge_is_sampled_again_with_smaller_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Steps so large that draws diverge, then ones that do not; told in the sample."""
    layout = loss_layout(LONE, runs=4)
    program = Program(loss_model(LAWS["chinchilla"], LONE))
    sampler = Sampler(chains=1, draws=300)
    samples = []
    for accepts in ((0.1,), (0.1, 0.95)):
        monkeypatch.setattr("bayescale.inference.nuts.TARGET_ACCEPT", accepts)
        samples.append(program(layout, sampler))
    once, again = samples
    assert once.statistics["diverging"].any()
    assert (once.target_accept, again.target_accept) == (0.1, 0.95)
    assert again.statistics["step_size"].mean() < once.statistics["step_size"].mean()
