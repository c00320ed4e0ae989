"""Partial pooling: how many series share a parameter, and the priors that a user may replace."""

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
from bayescale.validation import require_choice

PoolingMode = Literal["partial", "none", "complete"]
POOLING_MODES: tuple[PoolingMode, ...] = ("partial", "none", "complete")
# Values of the sites of a model on the real line, by name.
type Sites = Mapping[str, jax.Array]
# Standard deviation of a kind's only series around its population, on the real line. It is next to
# nothing beside priors of sd 0.4 or more: such a series is its own population.
NO_SPREAD = 1e-3


@dataclass(frozen=True)
class Groups:
    """The groups of each series: it has a corpus, a name (of a loss or a task) and a kind.

    Series of one kind are exchangeable and share a population. Series of different kinds share
    nothing.

    Parameters
    ----------
    corpora
        The corpora that occur.
    names
        The names of losses or tasks that occur.
    kinds
        The kinds of series that occur: ``validation`` or ``task``.
    corpus
        Corpus of each series, an index into `corpora`, shape (series,).
    name
        Name of each series, an index into `names`, shape (series,).
    kind
        Kind of each series, an index into `kinds`, shape (series,).
    name_of_names
        What a name is the name of: ``loss_name`` or ``task``.
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
        """The kinds that have more than one series, as indices: only they have a spread."""
        return np.flatnonzero(np.bincount(self.kind, minlength=len(self.kinds)) > 1)

    @cached_property
    def crossed(self) -> dict[str, Effects]:
        """Effects of the corpus and of the name, which series have besides their own.

        Only kinds where corpora and names really cross have such effects; a factor without effects
        is left out.
        """
        effects_of = {
            "corpus": self._effects(self.corpora, self.corpus),
            self.name_of_names: self._effects(self.names, self.name),
        }
        return {factor: effects for factor, effects in effects_of.items() if effects.labels}

    @property
    def own(self) -> str:
        """The factor that tells one series from another; ``series`` where corpus and name vary."""
        if self.crossed or (len(self.corpora) > 1 and len(self.names) > 1):
            return "series"
        return "corpus" if len(self.corpora) > 1 else self.name_of_names

    def _effects(self, levels: tuple[str, ...], level: tuple[int, ...]) -> Effects:
        """The effects of a factor, by its levels and the level of each series."""
        labels: list[str] = []
        kind_of_level: list[int] = []
        columns: list[np.ndarray] = []
        level_of_series = np.array(level)
        for k, kind in enumerate(self.kinds):
            of_kind = np.array(self.kind) == k
            corpora = len(set(np.array(self.corpus)[of_kind]))
            names = len(set(np.array(self.name)[of_kind]))
            # Factors cross where both vary and no factor alone tells all series apart.
            if min(corpora, names) < 2 or max(corpora, names) == of_kind.sum():
                continue
            for i in sorted(set(level_of_series[of_kind])):
                labels.append(levels[i] if len(self.kinds) == 1 else f"{kind}: {levels[i]}")
                kind_of_level.append(k)
                columns.append(of_kind & (level_of_series == i))
        return Effects(
            labels=tuple(labels),
            kind=np.array(kind_of_level, int),
            touches=np.array(columns, float).T,
        )


class Effects(NamedTuple):
    """Effects of a crossed factor, one per level and kind of series.

    Parameters
    ----------
    labels
        Name of each level, with its kind where there are several kinds.
    kind
        Kind of the series that each level belongs to, an index, shape (levels,).
    touches
        1 where a series has a level, else 0, shape (series, levels).
    """

    labels: tuple[str, ...]
    kind: np.ndarray
    touches: np.ndarray


@dataclass(frozen=True)
class Pooling:
    """theta_s ~ Normal(mu + u_corpus[s] + v_name[s], sd) for each pooled parameter.

    theta_s is the parameter of series s on the real line; mu, u, v and sd belong to the kind of the
    series. The sites of the model are all on the real line. For a parameter x they are

    - ``population_x``, which is mu, one value per kind;
    - ``sd_x_<factor>`` (support ``spread``), one value per kind with more than one series;
    - ``effect_x_<factor>``, standardised, only where corpora and names really cross;
    - ``x`` itself, one value per series, or per kind where pooling is complete.

    Parameters
    ----------
    parameters
        Parameters of the law or the link, then those of the noise. One whose ``pooling`` is None is
        never pooled.
    groups
        Corpus, name and kind of each series.
    mode
        ``partial``, ``none`` (each series by itself, under the population's prior) or ``complete``
        (one value for all series of a kind).
    overrides
        The user's priors in place of the defaults, by ``x`` (on its natural scale) or by
        ``sd_x_<factor>``.
    """

    parameters: tuple[Parameter, ...]
    groups: Groups
    mode: PoolingMode
    overrides: Mapping[str, Distribution]

    def pooled(self, p: Parameter) -> bool:
        """Whether the series share this parameter in part."""
        return self.mode == "partial" and bool(p.pooling) and len(self.groups.several) > 0

    def shared(self, p: Parameter) -> bool:
        """Whether all series of a kind have one value."""
        return p.pooling == 0 or (self.mode == "complete" and p.pooling is not None)

    def prior(self, p: Parameter) -> Distribution:
        """The prior on the real line: of the population, or of each series where not pooled."""
        return on_real_line(self.overrides.get(p.name, p.prior), p.support)

    def spreads(self, p: Parameter) -> dict[str, Distribution]:
        """Priors of the standard deviations between levels, on the natural scale, by site name."""
        names = [f"sd_{p.name}_{factor}" for factor in (*self.groups.crossed, self.groups.own)]
        return {name: self.overrides.get(name, dist.HalfNormal(p.pooling)) for name in names}

    def location(self, p: Parameter, sites: Sites) -> jax.Array:
        """mu + u_corpus[s] + v_name[s], shape (series,)."""
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
        """Standard deviation between the levels of a factor, one value per kind of series.

        Parameters
        ----------
        p
            A parameter that is pooled in part.
        factor
            ``corpus``, the name of the names, or ``series`` (see `Groups.own`).
        sites
            Values of the model's sites.

        Returns
        -------
        Array
            Shape (kinds,); next to 0 for a kind of one series.
        """
        spread = to_natural("spread")(sites[f"sd_{p.name}_{factor}"])
        if len(self.groups.several) == len(self.groups.kinds):
            return spread
        has_spread = np.eye(len(self.groups.kinds))[:, self.groups.several]
        return has_spread @ spread + NO_SPREAD * (1 - has_spread.sum(1))

    def sample(self) -> dict[str, jax.Array]:
        """Sample every parameter's NumPyro sites; its values on the real line, shape (series,)."""
        return {p.name: self._sample(p) for p in self.parameters}

    def _sample(self, p: Parameter) -> jax.Array:
        """Sample the NumPyro sites of one parameter."""
        kinds = len(self.groups.kinds)
        if self.shared(p):
            of_kind = numpyro.sample(p.name, self.prior(p).expand((kinds,)))
            return of_kind[np.array(self.groups.kind)]
        if not self.pooled(p):
            return numpyro.sample(p.name, self.prior(p).expand((self.groups.series,)))
        population = f"population_{p.name}"
        sites = {population: numpyro.sample(population, self.prior(p).expand((kinds,)))}
        several = len(self.groups.several)
        for name, spread in self.spreads(p).items():
            prior = on_real_line(spread, "spread").expand((several,))
            sites[name] = numpyro.sample(name, prior)
        for factor, effects in self.groups.crossed.items():
            name = f"effect_{p.name}_{factor}"
            sites[name] = numpyro.sample(name, dist.Normal(0.0, 1.0).expand((len(effects.labels),)))
        return numpyro.sample(p.name, dist.Normal(self.location(p, sites), self.own_sd(p, sites)))

    def by_series(self, sites: Sites) -> dict[str, jax.Array]:
        """Values of every parameter on the real line, one per series.

        Parameters
        ----------
        sites
            Values of the model's sites, with any leading dimensions.

        Returns
        -------
        dict
            Arrays of shape (..., series), by parameter; a value that all series of a kind share is
            repeated.
        """
        kind = np.array(self.groups.kind)
        return {
            p.name: sites[p.name][..., kind] if self.shared(p) else sites[p.name]
            for p in self.parameters
        }

    def values(self, real: Sites) -> dict[str, jax.Array]:
        """Natural values of every parameter, from those on the real line, by name."""
        return {p.name: p.transform(real[p.name]) for p in self.parameters}

    def natural(self, sites: Sites) -> dict[str, jax.Array]:
        """Values of every site on its natural scale, by site.

        Parameters
        ----------
        sites
            Values of the model's sites on the real line, with any leading dimensions.
        """
        to_spread = to_natural("spread")
        values: dict[str, jax.Array] = {}
        for p in self.parameters:
            values[p.name] = p.transform(sites[p.name])
            if self.pooled(p):
                population = f"population_{p.name}"
                values[population] = p.transform(sites[population])
                values |= {name: to_spread(sites[name]) for name in self.spreads(p)}
                effects = [f"effect_{p.name}_{factor}" for factor in self.groups.crossed]
                values |= {name: sites[name] for name in effects}
        return values

    def log_prior(self, sites: Sites) -> dict[str, jax.Array]:
        """ln p of every prior that a user may replace, by its name in the posterior.

        The priors of populations are on the real line, those of spreads on their natural scale. The
        distribution of series around their population is not among them: it is part of the model,
        not a prior of its own (Kallioinen et al. 2024, section 3.4).

        Parameters
        ----------
        sites
            Values of the model's sites on the real line, with any leading dimensions.

        Returns
        -------
        dict
            Arrays with the leading dimensions of `sites`.
        """
        to_spread = to_natural("spread")
        log_p: dict[str, jax.Array] = {}
        for p in self.parameters:
            name = f"population_{p.name}" if self.pooled(p) else p.name
            log_p[name] = self.prior(p).log_prob(sites[name]).sum(-1)
            if self.pooled(p):
                log_p |= {
                    spread: prior.log_prob(to_spread(sites[spread])).sum(-1)
                    for spread, prior in self.spreads(p).items()
                }
        return log_p


def make_pooling(
    parameters: tuple[Parameter, ...],
    groups: Groups,
    mode: PoolingMode,
    priors: Mapping[str, Distribution],
) -> Pooling:
    """Pooling with the user's priors put in, each checked against the prior that it replaces.

    Parameters
    ----------
    parameters
        Parameters of the law or the link, then those of the noise.
    groups
        Corpus, name and kind of each series.
    mode
        ``partial``, ``none`` or ``complete``.
    priors
        The user's priors by name; those of other models are left out.

    Raises
    ------
    SettingError
        For an unknown mode, or a prior that is no distribution on the parameter's support.
    """
    require_choice("pooling", mode, POOLING_MODES)
    pooling = Pooling(parameters=parameters, groups=groups, mode=mode, overrides={})
    supports = {p.name: p.support for p in parameters}
    supports |= {
        name: "positive" for p in parameters if pooling.pooled(p) for name in pooling.spreads(p)
    }
    overrides = {name: prior for name, prior in priors.items() if name in supports}
    for name, prior in overrides.items():
        _check_prior(name, prior, supports[name])
    return replace(pooling, overrides=overrides)


def _check_prior(name: str, prior: object, support: str) -> None:
    """Check that a user's prior is a distribution on the support of its parameter."""
    if not isinstance(prior, Distribution):
        raise SettingError(
            f"prior of {name!r}",
            rule="must be a NumPyro distribution on the natural scale",
            got=repr(prior),
            way_out="such as numpyro.distributions.LogNormal(-1.0, 0.4)",
        )
    allowed: tuple[constraints.Constraint, ...] = (constraints.unit_interval,)
    numbers = "numbers between 0 and 1"
    if support == "positive":
        allowed = (constraints.positive, constraints.nonnegative, *allowed)
        numbers = "positive numbers"
    if support != "real" and prior.support not in allowed:
        raise SettingError(
            f"prior of {name!r}",
            rule=f"must be a distribution on the {numbers}",
            got=str(prior.support),
            way_out="choose a distribution with that support",
        )
