"""Partial pooling: how the parameters of many series share what they have in common, and the priors
a user may replace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import Distribution, constraints

from bayescale.errors import SettingError
from bayescale.models.parameters import Parameter, on_real_line, to_natural

PoolingMode = Literal["partial", "none", "complete"]
POOLING_MODES: tuple[PoolingMode, ...] = ("partial", "none", "complete")
type Sites = Mapping[str, jax.Array]
# on the real line, where priors have sd 0.4 or more: a lone series is its own population
NO_SPREAD = 1e-3


@dataclass(frozen=True)
class Groups:
    """Which corpus, which name (loss or task) and which kind each series has.

    Parameters
    ----------
    corpora, names, kinds
        Levels. Series of one kind are exchangeable and share a population; series of different
        kinds share nothing.
    corpus, name, kind
        Level of each series, integers of shape (series,).
    name_of_names
        What the second factor is called: ``loss_name`` or ``task``.
    """

    corpora: tuple[str, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    corpus: tuple[int, ...]
    name: tuple[int, ...]
    kind: tuple[int, ...]
    name_of_names: str

    @property
    def series(self) -> int:
        """Number of series."""
        return len(self.corpus)

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """(corpus, name) of each series."""
        return [
            (self.corpora[c], self.names[j]) for c, j in zip(self.corpus, self.name, strict=True)
        ]

    @cached_property
    def several(self) -> np.ndarray:
        """The kinds that have more than one series: only they have a spread."""
        return np.flatnonzero(np.bincount(self.kind, minlength=len(self.kinds)) > 1)

    @cached_property
    def crossed(self) -> dict[str, Effects]:
        """Effects of a factor besides the series' own, within the kinds where both factors really
        cross.
        """
        found = {
            "corpus": self._effects(self.corpora, self.corpus),
            self.name_of_names: self._effects(self.names, self.name),
        }
        return {factor: effects for factor, effects in found.items() if effects.labels}

    @property
    def own(self) -> str:
        """What tells one series from another: the single factor that varies, or ``series`` where
        two do.
        """
        if self.crossed or (len(self.corpora) > 1 and len(self.names) > 1):
            return "series"
        return "corpus" if len(self.corpora) > 1 else self.name_of_names

    def _effects(self, levels: tuple[str, ...], level: tuple[int, ...]) -> Effects:
        labels, kind_of, columns = [], [], []
        for g, kind in enumerate(self.kinds):
            members = np.array(self.kind) == g
            counts = [len(set(np.array(of)[members])) for of in (self.corpus, self.name)]
            if min(counts) < 2 or max(counts) == members.sum():
                continue
            for i in sorted(set(np.array(level)[members])):
                labels.append(levels[i] if len(self.kinds) == 1 else f"{kind}: {levels[i]}")
                kind_of.append(g)
                columns.append(members & (np.array(level) == i))
        return Effects(tuple(labels), np.array(kind_of, int), np.array(columns, float).T)


class Effects(NamedTuple):
    """Levels of a crossed factor: labels, the kind that each belongs to (levels,), and which series
    each touches (series, levels).
    """

    labels: tuple[str, ...]
    kind: np.ndarray
    touches: np.ndarray


@dataclass(frozen=True)
class Pooling:
    """theta_s ~ Normal(mu + u_corpus[s] + v_name[s], sd) for each pooled parameter, on its real
    scale, within each kind of series.

    Sites of the model, all on the real line: ``population_x`` and ``sd_x_<factor>`` (support
    ``spread``), one value a kind; ``effect_x_<factor>``, standardised, only where both factors
    really cross; and ``x`` itself, one value a series (one a kind where pooling is complete).

    Parameters
    ----------
    parameters
        Of the law or the link, the noise included. A parameter whose `pooling` is None is never
        pooled.
    factors
        Corpus and name of each series.
    kind
        ``partial``, ``none`` (each series by itself, under the population's prior) or ``complete``
        (one value for all).
    overrides
        Distributions that replace a prior, by ``x`` (on its natural scale) or by ``sd_x_<factor>``.
    """

    parameters: tuple[Parameter, ...]
    groups: Groups
    kind: PoolingMode
    overrides: Mapping[str, Distribution]

    def pooled(self, p: Parameter) -> bool:
        """Whether the series share this parameter in part."""
        return self.kind == "partial" and p.pooling is not None and len(self.groups.several) > 0

    def shared(self, p: Parameter) -> bool:
        """Whether one value serves all series."""
        return self.kind == "complete" and p.pooling is not None

    def prior(self, p: Parameter) -> Distribution:
        """The prior on the real line, of the population or of each series."""
        return on_real_line(self.overrides.get(p.name, p.prior), p.support)

    def spreads(self, p: Parameter) -> dict[str, Distribution]:
        """Priors of the standard deviations between levels, natural scale, by site name."""
        names = [f"sd_{p.name}_{factor}" for factor in (*self.groups.crossed, self.groups.own)]
        return {name: self.overrides.get(name, dist.HalfNormal(p.pooling)) for name in names}

    def location(self, p: Parameter, sites: Sites) -> jax.Array:
        """Mu + u_corpus[s] + v_name[s], shape (series,)."""
        mu = sites[f"population_{p.name}"][np.array(self.groups.kind)]
        for factor, effects in self.groups.crossed.items():
            mu = mu + effects.touches @ (
                self.sd(p, factor, sites)[effects.kind] * sites[f"effect_{p.name}_{factor}"]
            )
        return mu

    def own_sd(self, p: Parameter, sites: Sites) -> jax.Array:
        """Standard deviation of each series around `location`, shape (series,)."""
        return self.sd(p, self.groups.own, sites)[np.array(self.groups.kind)]

    def sd(self, p: Parameter, factor: str, sites: Sites) -> jax.Array:
        """Standard deviation between the levels of a factor, or of the series (`factors.own`), one
        a kind; next to nil in a kind of one series.
        """
        spread = to_natural("spread")(sites[f"sd_{p.name}_{factor}"])
        if len(self.groups.several) == len(self.groups.kinds):
            return spread
        place = np.eye(len(self.groups.kinds))[:, self.groups.several]
        return place @ spread + NO_SPREAD * (1 - place.sum(1))

    def sample(self) -> dict[str, jax.Array]:
        """The NumPyro sites of every parameter: real values of shape (series,), by name."""
        return {p.name: self._sample(p) for p in self.parameters}

    def _sample(self, p: Parameter) -> jax.Array:
        n, kinds, kind = self.groups.series, len(self.groups.kinds), np.array(self.groups.kind)
        if not self.pooled(p):
            size = kinds if self.shared(p) else n
            value = numpyro.sample(p.name, self.prior(p).expand((size,)))
            return value[kind] if self.shared(p) else value
        sites = {
            f"population_{p.name}": numpyro.sample(
                f"population_{p.name}", self.prior(p).expand((kinds,))
            )
        }
        for name, spread in self.spreads(p).items():
            sites[name] = numpyro.sample(
                name, on_real_line(spread, "spread").expand((len(self.groups.several),))
            )
        for factor, effects in self.groups.crossed.items():
            name = f"effect_{p.name}_{factor}"
            sites[name] = numpyro.sample(name, dist.Normal(0.0, 1.0).expand((len(effects.labels),)))
        return numpyro.sample(p.name, dist.Normal(self.location(p, sites), self.own_sd(p, sites)))

    def by_series(self, sites: Sites) -> dict[str, jax.Array]:
        """The real values of every parameter, shape (..., series), shared ones repeated."""
        kind = np.array(self.groups.kind)
        return {
            p.name: sites[p.name][..., kind] if self.shared(p) else sites[p.name]
            for p in self.parameters
        }

    def natural(self, sites: Sites) -> dict[str, jax.Array]:
        """Every site on its natural scale, from real values with any leading dimensions."""
        found: dict[str, jax.Array] = {}
        for p in self.parameters:
            found[p.name] = p.transform(sites[p.name])
            if self.pooled(p):
                found[f"population_{p.name}"] = p.transform(sites[f"population_{p.name}"])
                found |= {name: to_natural("spread")(sites[name]) for name in self.spreads(p)}
                found |= {
                    f"effect_{p.name}_{f}": sites[f"effect_{p.name}_{f}"]
                    for f in self.groups.crossed
                }
        return found

    def log_prior(self, sites: Sites) -> dict[str, jax.Array]:
        """Ln p of every prior that a user may replace, by its name in the posterior: of populations
        on the real line, of spreads on their natural scale.

        What lies between, series around their population, is not among them: it is the model's, not
        a prior of its own (Kallioinen et al. 2024, section 3.4).
        """
        found: dict[str, jax.Array] = {}
        for p in self.parameters:
            name = f"population_{p.name}" if self.pooled(p) else p.name
            found[name] = self.prior(p).log_prob(sites[name]).sum(-1)
            if self.pooled(p):
                found |= {
                    spread: of.log_prob(to_natural("spread")(sites[spread])).sum(-1)
                    for spread, of in self.spreads(p).items()
                }
        return found


def make_pooling(
    parameters: tuple[Parameter, ...],
    groups: Groups,
    kind: PoolingMode,
    priors: Mapping[str, Distribution],
) -> Pooling:
    """Pooling with the user's priors put in, each checked against what it replaces."""
    if kind not in POOLING_MODES:
        raise SettingError(
            "pooling",
            rule=f"must be one of {', '.join(POOLING_MODES)}",
            got=repr(kind),
            way_out="mend the name",
        )
    pooling = Pooling(parameters, groups, kind, {})
    supports = {p.name: p.support for p in parameters}
    supports |= {
        name: "positive" for p in parameters if pooling.pooled(p) for name in pooling.spreads(p)
    }
    mine = {name: prior for name, prior in priors.items() if name in supports}
    for name, prior in mine.items():
        _check_prior(name, prior, supports[name])
    return replace(pooling, overrides=mine)


def _check_prior(name: str, prior: object, support: str) -> None:
    if not isinstance(prior, Distribution):
        raise SettingError(
            f"prior of {name!r}",
            rule="must be a NumPyro distribution on the natural scale",
            got=repr(prior),
            way_out="such as numpyro.distributions.LogNormal(-1.0, 0.4)",
        )
    inside = {
        "positive": (constraints.positive, constraints.nonnegative, constraints.unit_interval)
    }.get(support, (constraints.unit_interval,))
    if support != "real" and prior.support not in inside:
        raise SettingError(
            f"prior of {name!r}",
            rule=f"must live on the {support} numbers",
            got=str(prior.support),
            way_out="choose a distribution with that support",
        )
