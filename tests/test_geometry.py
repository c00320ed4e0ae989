"""The sampler's coordinates change no density, and the models' densities are those that SciPy
computes from the formulas.
"""

import math
from typing import Any

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from jax.flatten_util import ravel_pytree
from jax.test_util import check_grads
from numpy.typing import NDArray
from numpyro import handlers
from numpyro.distributions import constraints
from numpyro.infer.util import log_density
from scipy import optimize, stats

from bayescale.inference.coordinates import coordinates
from bayescale.inference.linalg import inverse_cholesky
from bayescale.inference.modes import (
    Quadratic,
    noise_parameters,
    parameter_order,
    prior_moments,
    quadratic,
    tangent,
)
from bayescale.inference.nuts import Program, Sampler
from bayescale.models.laws import LAWS, Point
from bayescale.models.layout import Layout
from bayescale.models.links import LINKS, lo_prior
from bayescale.models.parameters import Parameter
from bayescale.models.pooling import Groups
from bayescale.models.series import SeriesModel, accuracy_model, loss_model

type Array = NDArray[np.float64]
type Sites = dict[str, Array]


def factors(series: list[tuple[int, int, int]], name_of_names: str = "loss_name") -> Groups:
    """Corpus, name and kind of each series."""
    corpus, name, kind = (tuple(level) for level in zip(*series, strict=True))
    labels = [
        tuple(f"{what}{i}" for i in range(max(levels) + 1))
        for what, levels in (("corpus", corpus), ("name", name), ("kind", kind))
    ]
    return Groups(labels[0], labels[1], labels[2], corpus, name, kind, name_of_names)


ONE_FACTOR = factors([(0, 0, 0), (1, 0, 0), (2, 0, 0)])
TWO_KINDS = factors([(0, 0, 0), (0, 1, 0), (0, 2, 1)])
TWO_POPULATIONS = factors([(0, 0, 0), (0, 1, 0), (0, 2, 1), (0, 3, 1)])
CROSSED = factors([(c, j, 0) for c in range(2) for j in range(2)])
LONE = factors([(0, 0, 0)])
TASKS = factors([(0, 0, 0), (0, 1, 0), (0, 2, 0)], "task")


def loss_layout(f: Groups, runs: int = 6) -> Layout:
    """Losses of a made-up ladder with 1 % noise; the last run of the first series is missing."""
    rng = np.random.default_rng(f.series)
    n, d = (np.broadcast_to(rng.uniform(-3, 0.5, runs), (f.series, runs)) for _ in range(2))
    level = rng.uniform(0.5, 3.0, (f.series, 1))
    y = np.log(
        level * (0.5 + 0.5 * (0.4 * np.exp(-0.35 * n) + 0.6 * np.exp(-0.3 * d)))
    ) + 0.01 * rng.standard_normal(n.shape)
    seen = np.ones(y.shape, bool)
    seen[0, -1] = False
    return Layout(
        jnp.asarray(y),
        jnp.asarray(seen),
        Point(*map(jnp.asarray, (n, d, n + d, d - 0.5))),
        jnp.ones_like(y),
    )


def accuracy_layout(f: Groups, runs: int = 7) -> Layout:
    rng = np.random.default_rng(100 + f.series)
    z = rng.uniform(-2, 2, (f.series, runs))
    items = np.broadcast_to(np.array([14042.0, 1838.0, 500.0])[: f.series, None], z.shape)
    y = (
        0.25
        + 0.7 / (1 + np.exp(1 + 0.8 * z))
        + 0.5 * np.sqrt(0.2 / items) * rng.standard_normal(z.shape)
    )
    seen = np.ones(y.shape, bool)
    seen[1, -1] = False
    return Layout(jnp.asarray(y), jnp.asarray(seen), jnp.asarray(z), jnp.asarray(items))


def latent(model: SeriesModel, layout: Layout, seed: int) -> dict[str, dict[str, Any]]:
    trace = handlers.trace(handlers.seed(model, jax.random.key(seed))).get_trace(layout)
    return {
        name: site
        for name, site in trace.items()
        if site["type"] == "sample" and not site["is_observed"]
    }


LOSS_CASES = {
    "one factor": (ONE_FACTOR, "chinchilla", {}),
    "one series": (LONE, "chinchilla", {}),
    "two kinds, one of a single series": (TWO_KINDS, "gadre", {}),
    "two kinds of several": (TWO_POPULATIONS, "compute", {}),
    "crossed": (CROSSED, "chinchilla", {}),
    "a sum under a power": (ONE_FACTOR, "skaling", {}),
    "repeated data": (ONE_FACTOR, "repeated", {}),
    "no pooling": (ONE_FACTOR, "chinchilla", {"pooling": "none"}),
    "complete pooling": (TWO_KINDS, "chinchilla", {"pooling": "complete"}),
    "reruns": (ONE_FACTOR, "chinchilla", {"grouped": True}),
    "reruns of two kinds": (TWO_KINDS, "compute", {"grouped": True}),
    "reruns, no pooling": (ONE_FACTOR, "compute", {"grouped": True, "pooling": "none"}),
    "Student-t": (ONE_FACTOR, "compute", {"noise": "student_t"}),
    "Student-t, complete pooling": (
        ONE_FACTOR,
        "compute",
        {"noise": "student_t", "pooling": "complete"},
    ),
    "one-sided": (ONE_FACTOR, "compute", {"noise": "one_sided"}),
    "noise that widens": (ONE_FACTOR, "compute", {"widening": True}),
    "noise that widens, two kinds": (TWO_KINDS, "chinchilla", {"widening": True}),
    "noise that widens, reruns": (ONE_FACTOR, "compute", {"widening": True, "grouped": True}),
    "noise that widens, complete pooling": (
        ONE_FACTOR,
        "compute",
        {"widening": True, "pooling": "complete"},
    ),
    "prior of one's own": (
        ONE_FACTOR,
        "compute",
        {"priors": {"gamma": dist.Gamma(4.0, 20.0), "sd_gamma_corpus": dist.Exponential(5.0)}},
    ),
}


def make_case(case: str) -> tuple[SeriesModel, Layout]:
    if case.startswith("link"):
        link = LINKS[case.split()[1]]
        return accuracy_model(
            link, TASKS, priors={"lo": lo_prior(np.array([0.25, 0.5, 0.2]))}
        ), accuracy_layout(TASKS)
    f, law, settings = LOSS_CASES[case]
    layout = loss_layout(f)
    first = np.tile([0, 0, 2, 2, 4, 5], (f.series, 1)) if "grouped" in settings else None
    lag = jnp.maximum(0.0, jnp.max(layout.x.c) - layout.x.c) if "widening" in settings else None
    return loss_model(LAWS[law], f, **settings), layout._replace(first=first, lag=lag)


def made_up(model: SeriesModel, layout: Layout, seed: int) -> Quadratic:
    """Any symmetric F, any h: the change of variables must be right whatever the data say, a
    singular F included.
    """
    rng = np.random.default_rng(seed)
    curve, n = parameter_order(model), layout.y.shape[0]
    k = len(curve)
    moments = prior_moments(model)
    loc, sd = (np.stack([moments[p.name][i] for p in curve], -1) for i in (0, 1))
    root = rng.standard_normal((n, k, k - 1)) * 10 ** rng.uniform(0, 1.5, (n, 1, 1))
    F = root @ root.transpose(0, 2, 1)
    at = loc + 0.3 * sd * rng.standard_normal((n, k))
    centre = jax.tree.map(lambda x: x.mean(1), layout.x)
    h = np.einsum("sij,sj->si", F, at)
    of_noise = len(noise_parameters(model))
    noise_root = rng.standard_normal((n, of_noise, of_noise))
    noise_F = noise_root @ noise_root.transpose(0, 2, 1)
    log_scale = rng.normal(-4.5, 0.3, n)
    noise_h = np.einsum(
        "sij,sj->si",
        noise_F,
        np.concatenate([rng.normal(-1, 0.5, (n, of_noise - 1)), log_scale[:, None]], 1),
    )
    figures = (F, h, log_scale, noise_F, noise_h, rng.uniform(0.1, 2, (n, k)), rng.uniform(0, 1, n))
    return Quadratic(*map(jnp.asarray, figures), tangent(model, curve)(at, centre))


# which change no coordinate's name or number
COORDINATES = [name for name in LOSS_CASES if name not in ("one-sided", "prior of one's own")]


@pytest.mark.parametrize("case", [*COORDINATES, "link logistic"])
def test_coordinates_are_a_change_of_variables(case: str) -> None:
    model, layout = make_case(case)
    assert_change_of_variables(model, layout, [made_up(model, layout, seed) for seed in range(3)])


def test_coordinates_are_a_change_of_variables_at_the_datas_own_quadratic() -> None:
    model, layout = make_case("Student-t")
    assert_change_of_variables(model, layout, [quadratic(model)(layout)])


def assert_change_of_variables(
    model: SeriesModel, layout: Layout, quadratics: list[Quadratic]
) -> None:
    space, sites = coordinates(model), latent(model, layout, 0)

    def flat(z: jax.Array, q: Quadratic) -> tuple[jax.Array, Any]:
        mapped, log_det = space.to_sites(z, q)
        return ravel_pytree(dict(sorted(mapped.items())))[0], (mapped, log_det)

    look = jax.jit(jax.jacfwd(flat, has_aux=True))
    assert space.start.shape == (space.size,)
    for seed, q in enumerate(quadratics):
        z = jnp.asarray(space.start) + jax.random.normal(jax.random.key(seed), (space.size,))
        jacobian, (mapped, log_det) = look(z, q)
        sign, by_autodiff = np.linalg.slogdet(jacobian)
        assert {name: v.shape for name, v in mapped.items()} == {
            name: site["value"].shape for name, site in sites.items()
        }
        assert sum(v.size for v in mapped.values()) == space.size
        assert abs(float(sign)) == 1.0
        assert float(log_det) == pytest.approx(float(by_autodiff), abs=1e-8)


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


# The densities once more, in SciPy, from the formulas of the docs.


def expit(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def irreducible(x: Array) -> Array:
    return 1 - (1 + np.exp(4 * x)) ** -0.25


def spread(x: Array) -> Array:
    return 0.01 * np.log1p(np.exp(x)) ** 2


def own_prior(p: Parameter, x: Array) -> float:
    """Log-normal, logit-normal and the like are normal on the real line."""
    base = p.prior.base_dist  # type: ignore[attr-defined]
    return float(stats.norm(base.loc, base.scale).logpdf(x).sum())


def pooled_prior(p: Parameter, s: Sites, factor: str) -> float:
    """Population, half-normal spread with the Jacobian of its transform, and the series around the
    population.
    """
    population, sd = s[f"population_{p.name}"], s[f"sd_{p.name}_{factor}"]
    jacobian = np.log(0.02 * np.log1p(np.exp(sd)) * expit(sd)).sum()
    half_normal = stats.halfnorm(scale=p.pooling).logpdf(spread(sd)).sum()
    return own_prior(p, population) + float(
        half_normal + jacobian + stats.norm(population, spread(sd)).logpdf(s[p.name]).sum()
    )


def chinchilla_log_density(model: SeriesModel, s: Sites, layout: Layout) -> float:
    L0, alpha, beta, sigma = (np.exp(s[k])[:, None] for k in ("L0", "alpha", "beta", "sigma"))
    phi, psi = irreducible(s["phi"])[:, None], expit(s["psi"])[:, None]
    n, d = np.asarray(layout.x.n), np.asarray(layout.x.d)
    loss = L0 * (phi + (1 - phi) * (psi * np.exp(-alpha * n) + (1 - psi) * np.exp(-beta * d)))
    likelihood = np.where(layout.seen, stats.norm(np.log(loss), sigma).logpdf(layout.y), 0.0).sum()
    level, *pooled = model.pooling.parameters
    return (
        float(likelihood)
        + own_prior(level, s["L0"])
        + sum(pooled_prior(p, s, "corpus") for p in pooled)
    )


def logistic_log_density(model: SeriesModel, s: Sites, layout: Layout, chance: Array) -> float:
    lo, hi, middle = (expit(s[k])[:, None] for k in ("lo", "hi", "middle"))
    slope, ratio = (np.exp(s[k])[:, None] for k in ("slope", "noise_ratio"))
    gain = middle * (1 - lo) / (hi - lo)
    q = gain / (1 + gain**8) ** (1 / 8)
    p = lo + (hi - lo) * expit(np.log(q / (1 - q)) - slope * np.asarray(layout.x))
    items = np.asarray(layout.items)
    softened = (p * items + 0.5) / (items + 1)
    sd = ratio * np.sqrt(softened * (1 - softened) / items)
    likelihood = np.where(layout.seen, stats.norm(p, sd).logpdf(layout.y), 0.0).sum()
    _, hi_, middle_, *pooled = model.pooling.parameters
    at, above = (np.log(q / (1 - q)) for q in (chance, chance + 1.645 * 0.02))
    near_chance = stats.norm(at, (above - at) / 1.645).logpdf(s["lo"]).sum()
    return (
        float(likelihood + near_chance)
        + own_prior(hi_, s["hi"])
        + own_prior(middle_, s["middle"])
        + sum(pooled_prior(p, s, "task") for p in pooled)
    )


def prior_draw(model: SeriesModel, layout: Layout, seed: int) -> Sites:
    return {name: np.asarray(site["value"]) for name, site in latent(model, layout, seed).items()}


def numpyro_log_density(model: SeriesModel, layout: Layout, sites: Sites) -> float:
    return float(
        log_density(model, (layout,), {}, {k: jnp.asarray(v) for k, v in sites.items()})[0]
    )


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


@pytest.mark.parametrize("noise", ["normal", "student_t", "one_sided"])
def test_noise_has_the_density_of_its_formula(noise: str) -> None:
    model = loss_model(LAWS["compute"], LONE, noise=noise)  # type: ignore[arg-type]
    y, mean, sd, tail = np.linspace(-0.3, 0.9, 7), 0.1, 0.2, 5.0
    wanted = {
        "normal": stats.norm(mean, sd),
        "student_t": stats.t(tail, mean, sd),
        "one_sided": stats.exponnorm(5.0, mean, sd / 5),
    }[noise]
    found = model.scatter(jnp.asarray(mean), jnp.asarray(sd), jnp.log(tail))
    np.testing.assert_allclose(found.log_prob(jnp.asarray(y)), wanted.logpdf(y), rtol=1e-8)
    draws = np.asarray(found.sample(jax.random.key(0), (20_000,)))
    assert stats.kstest(draws, wanted.cdf).pvalue > 1e-4


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


def test_a_posterior_whose_draws_diverge_is_sampled_again_with_smaller_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Steps so large that draws diverge, then ones that do not; told in the sample, and only where
    the share is more than what is tolerated.
    """
    monkeypatch.setattr("bayescale.inference.nuts.TARGET_ACCEPT", (0.1, 0.95))
    layout = loss_layout(LONE, runs=4)
    program = Program(loss_model(LAWS["chinchilla"], LONE))
    sampler = Sampler(chains=1, draws=300)
    tolerant, strict = (program(layout, sampler, divergent=share) for share in (1.0, 0.0))
    assert tolerant.statistics["diverging"].mean() > 0
    assert tolerant.target_accept == 0.1
    assert strict.target_accept == 0.95
    assert strict.statistics["step_size"].mean() < tolerant.statistics["step_size"].mean()
