"""Partial pooling: how the parameters of many series share what they have in common, and the priors a user may replace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import Distribution, constraints

from bayescale.errors import SettingError
from bayescale.parameters import Parameter, on_real_line, to_natural

PoolingKind = Literal["partial", "none", "complete"]
POOLINGS: tuple[PoolingKind, ...] = ("partial", "none", "complete")
type Sites = Mapping[str, jax.Array]


@dataclass(frozen=True)
class Factors:
    """Which corpus and which name (loss or task) each series has: s -> (corpus[s], name[s]).

    Parameters
    ----------
    corpora, names
        Levels of the two factors.
    corpus, name
        Level of each series, integers of shape (series,).
    name_of_names
        What the second factor is called: ``loss_name`` or ``task``.
    """

    corpora: tuple[str, ...]
    names: tuple[str, ...]
    corpus: tuple[int, ...]
    name: tuple[int, ...]
    name_of_names: str

    @property
    def series(self) -> int:
        """Number of series."""
        return len(self.corpus)

    @cached_property
    def crossed(self) -> dict[str, tuple[np.ndarray, int]]:
        """Factors with an effect of their own besides the series': {factor: (level of each series, levels)}; none where a factor has one level a series."""
        found = {"corpus": (np.array(self.corpus), len(self.corpora)), self.name_of_names: (np.array(self.name), len(self.names))}
        if any(levels == self.series for _, levels in found.values()):
            return {}
        return {k: v for k, v in found.items() if v[1] > 1}

    @property
    def own(self) -> str:
        """What tells one series from another: the single factor that varies, or ``series`` where two do."""
        if self.crossed or (len(self.corpora) > 1 and len(self.names) > 1):
            return "series"
        return "corpus" if len(self.corpora) > 1 else self.name_of_names


@dataclass(frozen=True)
class Pooling:
    """theta_s ~ Normal(mu + u_corpus[s] + v_name[s], sd) for each pooled parameter, on its real scale.

    Sites of the model, all on the real line: ``population_x``, ``sd_x_<factor>`` (see support ``spread``), ``effect_x_<factor>`` (standardised,
    only where both factors really cross), and ``x`` itself, one value a series (one for all where pooling is complete).

    Parameters
    ----------
    parameters
        Of the law or the link, the noise included. A parameter whose `pooling` is None is never pooled.
    factors
        Corpus and name of each series.
    kind
        ``partial``, ``none`` (each series by itself, under the population's prior) or ``complete`` (one value for all).
    overrides
        Distributions that replace a prior, by ``x`` (on its natural scale) or by ``sd_x_<factor>``.
    """

    parameters: tuple[Parameter, ...]
    factors: Factors
    kind: PoolingKind
    overrides: Mapping[str, Distribution]

    def pooled(self, p: Parameter) -> bool:
        """Whether the series share this parameter in part."""
        return self.kind == "partial" and p.pooling is not None and self.factors.series > 1

    def shared(self, p: Parameter) -> bool:
        """Whether one value serves all series."""
        return self.kind == "complete" and p.pooling is not None

    def prior(self, p: Parameter) -> Distribution:
        """The prior on the real line, of the population or of each series."""
        return on_real_line(self.overrides.get(p.name, p.prior), p.support)

    def spreads(self, p: Parameter) -> dict[str, Distribution]:
        """Priors of the standard deviations between levels, natural scale, by site name."""
        names = [f"sd_{p.name}_{factor}" for factor in (*self.factors.crossed, self.factors.own)]
        return {name: self.overrides.get(name, dist.HalfNormal(p.pooling)) for name in names}

    @cached_property
    def top_level(self) -> tuple[str, ...]:
        """Names of the sites above the series: populations, spreads, effects; each is a scalar but for effects."""
        found = []
        for p in filter(self.pooled, self.parameters):
            found += [f"population_{p.name}", *self.spreads(p), *(f"effect_{p.name}_{f}" for f in self.factors.crossed)]
        return tuple(found)

    def shape(self, site: str) -> tuple[int, ...]:
        """Shape of a site."""
        for factor, (_, levels) in self.factors.crossed.items():
            if site.startswith("effect_") and site.endswith(f"_{factor}"):
                return (levels,)
        shared = any(p.name == site and self.shared(p) for p in self.parameters)
        return () if site in self.top_level or shared else (self.factors.series,)

    def location(self, p: Parameter, sites: Sites) -> jax.Array:
        """Mu + u_corpus[s] + v_name[s], shape (series,)."""
        mu = jnp.broadcast_to(sites[f"population_{p.name}"], (self.factors.series,))
        for factor, (level, _) in self.factors.crossed.items():
            mu = mu + self.sd(p, factor, sites) * sites[f"effect_{p.name}_{factor}"][level]
        return mu

    def sd(self, p: Parameter, factor: str, sites: Sites) -> jax.Array:
        """Standard deviation between the levels of a factor, or of the series (`factors.own`) around `location`."""
        return to_natural("spread")(sites[f"sd_{p.name}_{factor}"])

    def sample(self) -> dict[str, jax.Array]:
        """The NumPyro sites of every parameter: real values of shape (series,), by name."""
        return {p.name: self._sample(p) for p in self.parameters}

    def _sample(self, p: Parameter) -> jax.Array:
        n = self.factors.series
        if not self.pooled(p):
            shape = () if self.shared(p) else (n,)
            prior = self.prior(p)
            return jnp.broadcast_to(numpyro.sample(p.name, prior if prior.batch_shape == shape else prior.expand(shape)), (n,))
        sites = {f"population_{p.name}": numpyro.sample(f"population_{p.name}", self.prior(p))}
        for name, spread in self.spreads(p).items():
            sites[name] = numpyro.sample(name, on_real_line(spread, "spread"))
        for factor, (_, levels) in self.factors.crossed.items():
            name = f"effect_{p.name}_{factor}"
            sites[name] = numpyro.sample(name, dist.Normal(0.0, 1.0).expand((levels,)))
        return numpyro.sample(p.name, dist.Normal(self.location(p, sites), self.sd(p, self.factors.own, sites)))

    def natural(self, sites: Sites) -> dict[str, jax.Array]:
        """Every site on its natural scale, from real values with any leading dimensions."""
        found: dict[str, jax.Array] = {}
        for p in self.parameters:
            found[p.name] = p.transform(sites[p.name])
            if self.pooled(p):
                found[f"population_{p.name}"] = p.transform(sites[f"population_{p.name}"])
                found |= {name: to_natural("spread")(sites[name]) for name in self.spreads(p)}
                found |= {f"effect_{p.name}_{f}": sites[f"effect_{p.name}_{f}"] for f in self.factors.crossed}
        return found


def make_pooling(parameters: tuple[Parameter, ...], factors: Factors, kind: PoolingKind, priors: Mapping[str, Distribution]) -> Pooling:
    """Pooling with the user's priors put in, each checked against what it replaces."""
    if kind not in POOLINGS:
        raise SettingError("pooling", rule=f"must be one of {', '.join(POOLINGS)}", got=repr(kind), way_out="mend the name")
    pooling = Pooling(parameters, factors, kind, {})
    supports = {p.name: p.support for p in parameters}
    supports |= {name: "positive" for p in parameters if pooling.pooled(p) for name in pooling.spreads(p)}
    mine = {name: prior for name, prior in priors.items() if name in supports}
    for name, prior in mine.items():
        _check_prior(name, prior, supports[name])
    return replace(pooling, overrides=mine)


def _check_prior(name: str, prior: object, support: str) -> None:
    if not isinstance(prior, Distribution):
        raise SettingError(
            f"prior of {name!r}", rule="must be a NumPyro distribution on the natural scale", got=repr(prior), way_out="such as numpyro.distributions.LogNormal(-1.0, 0.4)"
        )
    inside = {"positive": (constraints.positive, constraints.nonnegative, constraints.unit_interval)}.get(support, (constraints.unit_interval,))
    if support != "real" and prior.support not in inside:
        raise SettingError(f"prior of {name!r}", rule=f"must live on the {support} numbers", got=str(prior.support), way_out="choose a distribution with that support")
