"""Densities of the models written a second time, with SciPy."""

import jax.numpy as jnp
import numpy as np
from numpyro.infer.util import log_density
from scipy import stats

from bayescale.models.layout import Layout
from bayescale.models.parameters import Parameter
from bayescale.models.series import SeriesModel
from helpers.layouts import Array, Sites, latent


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
