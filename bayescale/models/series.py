"""The NumPyro model of one stage: many series of runs around a law, or around a link. It knows
nothing of sampling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import Distribution

from bayescale.errors import SettingError
from bayescale.models.laws import LEVEL, Law, Ridge
from bayescale.models.layout import Layout
from bayescale.models.links import Link
from bayescale.models.noise import (
    COMMON,
    NOISE_RATIO,
    NOISES,
    SIGMA,
    TAIL,
    WIDENING,
    Noise,
    OneSided,
    from_earlier,
    score_sd,
    widened,
)
from bayescale.models.parameters import Parameter, on_real_line
from bayescale.models.pooling import Groups, Pooling, PoolingMode, make_pooling

WITHIN = Parameter(
    "within",
    "real",
    dist.Normal(0.0, 0.1),
    None,
    "accuracy per sd of loss by which a run's own path departs from the link, which is of finished runs: a few points either way",
)


@dataclass(frozen=True, eq=False)
class SeriesModel:
    """y_sr ~ noise around mean(theta_s, x_sr), theta_s pooled over series.

    Parameters
    ----------
    pooling
        The parameters, their priors and how series share them; the last one is the noise scale.
    mean
        ``(natural values, x) -> expectation of y`` for one point.
    unit_sd
        ``(mean, items) -> standard deviation of y`` for one point where the noise scale is 1.
    noise
        ``normal``, ``student_t``, or ``one_sided`` (above the curve, never below but for a fifth of
        its scale).
    ridge
        The law's or the link's; for the sampler's coordinates only.
    """

    pooling: Pooling
    mean: Callable[[Mapping[str, jax.Array], Any], jax.Array]
    unit_sd: Callable[[jax.Array, jax.Array], jax.Array]
    noise: Noise = "normal"
    ridge: Ridge = lambda v, at, x: {}

    def __call__(self, layout: Layout) -> None:
        """The NumPyro model; every latent site is real-valued (see `Pooling`)."""
        real = self.pooling.sample()
        tail = numpyro.sample("tail", self._tail_prior) if self.noise == "student_t" else None
        numpyro.sample("y", self.given_earlier(real, layout, tail).mask(layout.seen), obs=layout.y)

    @property
    def _tail_prior(self) -> Distribution:
        return on_real_line(TAIL.prior, TAIL.support)

    def log_prior(self, sites: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Ln p of every prior at the sites' real values, by its name in the posterior (see
        `Pooling.log_prior`).
        """
        tail = (
            {"tail": self._tail_prior.log_prob(sites["tail"])} if self.noise == "student_t" else {}
        )
        return self.pooling.log_prior(sites) | tail

    def expectation(
        self, real: Mapping[str, jax.Array], layout: Layout
    ) -> tuple[jax.Array, jax.Array]:
        """Mean and standard deviation of y, shape (series, runs) each, from real values of shape
        (series,).
        """
        values = {p.name: p.transform(real[p.name]) for p in self.pooling.parameters}
        mean = jax.vmap(jax.vmap(self.mean, in_axes=(None, 0)))(values, layout.x)
        sd = values[self.scale_name][:, None] * self.unit_sd(mean, layout.items)
        return mean, sd if layout.lag is None else sd * widened(
            values[WIDENING.name][:, None], layout.lag
        )

    def given_earlier(
        self, real: Mapping[str, jax.Array], layout: Layout, tail: jax.Array | None
    ) -> Distribution:
        """The distribution of each cell of y given the earlier cells of its group; their product is
        the likelihood.
        """
        mean, sd = self.expectation(real, layout)
        if layout.first is None:
            return self.scatter(mean, sd, tail)
        residual = jnp.where(layout.seen, (layout.y - mean) / sd, 0.0)
        expected, spread = from_earlier(
            residual, layout.first, COMMON.transform(real[COMMON.name])[:, None]
        )
        return dist.Normal(mean + sd * expected, sd * spread)

    def draw(
        self, key: jax.Array, real: Mapping[str, jax.Array], layout: Layout, tail: jax.Array | None
    ) -> jax.Array:
        """New y for every cell, shape (series, runs), the cells of a group with their common
        part.
        """
        mean, sd = self.expectation(real, layout)
        if layout.first is None:
            return self.scatter(mean, sd, tail).sample(key)
        shared, own = jax.random.normal(key, (2, *mean.shape))
        common = COMMON.transform(real[COMMON.name])[:, None]
        return mean + sd * (
            jnp.sqrt(common) * jnp.take_along_axis(shared, layout.first, -1)
            + jnp.sqrt(1 - common) * own
        )

    @property
    def scale_name(self) -> str:
        """Name of the noise parameter."""
        return self.pooling.parameters[-1].name

    def scatter(self, mean: jax.Array, sd: jax.Array, tail: jax.Array | None) -> Distribution:
        """The distribution of y around its expectation; `tail` is the logarithm of the degrees of
        freedom.
        """
        if self.noise == "student_t":
            return dist.StudentT(jnp.exp(tail), mean, sd)
        return OneSided(mean, sd) if self.noise == "one_sided" else dist.Normal(mean, sd)


def loss_model(
    law: Law,
    groups: Groups,
    *,
    pooling: PoolingMode = "partial",
    noise: Noise = "normal",
    priors: Mapping[str, Distribution] | None = None,
    grouped: bool = False,
    widening: bool = False,
) -> SeriesModel:
    """Ln L_sr ~ noise around ln L0_s + log_ratio(theta_s, x_sr); call it on a Layout whose x is a
    `Point`, grouped by configuration or not at all.

    With `widening` the layout has a `lag`, and small runs count for less as far as they are found
    to scatter more.
    """
    if noise not in NOISES:
        raise SettingError(
            "noise",
            rule=f"must be one of {', '.join(NOISES)}",
            got=repr(noise),
            way_out="mend the name",
        )
    if grouped and noise != "normal":
        raise SettingError(
            "noise",
            rule="must be normal where configurations are repeated",
            got=repr(noise),
            way_out="leave the reruns out, or the noise",
        )
    parameters = (
        LEVEL,
        *law.parameters,
        *([COMMON] if grouped else []),
        *([WIDENING] if widening else []),
        SIGMA,
    )
    shared = make_pooling(parameters, groups, pooling, priors or {})
    return SeriesModel(
        shared,
        lambda v, x: jnp.log(v["L0"]) + law.log_ratio(v, x),
        lambda mean, items: jnp.ones_like(mean),
        noise,
        law.ridge,
    )


def accuracy_model(
    link: Link,
    groups: Groups,
    *,
    pooling: PoolingMode = "partial",
    priors: Mapping[str, Distribution] | None = None,
    grouped: bool = False,
) -> SeriesModel:
    """acc_sr ~ Normal(link(theta_s, z_sr), noise_ratio_s sqrt(p (1 - p) / items)); call it on a
    Layout whose x is the standardised loss.

    Grouped, x is `Blocks` and the mean gains within_s times the deviation: the path of a training
    run in (loss, accuracy) need not be the curve that the ends of runs lie on, and a run's many
    blocks would otherwise outvote the few runs (the between-within model of Mundlak 1978,
    Econometrica 46).
    """
    parameters = (*link.parameters, *([WITHIN, COMMON] if grouped else []), NOISE_RATIO)
    shared = make_pooling(parameters, groups, pooling, priors or {})
    if grouped:
        return SeriesModel(
            shared,
            lambda v, x: link.accuracy(v, x.z) + v[WITHIN.name] * x.deviation,
            score_sd,
            ridge=link.ridge,
        )
    return SeriesModel(shared, link.accuracy, score_sd, ridge=link.ridge)


def every_prior_used(priors: Mapping[str, Distribution], models: Sequence[SeriesModel]) -> None:
    """A SettingError for a prior of no parameter."""
    known = {p.name for m in models for p in m.pooling.parameters} | {
        s
        for m in models
        for p in m.pooling.parameters
        if m.pooling.pooled(p)
        for s in m.pooling.spreads(p)
    }
    unknown = [name for name in priors if name not in known]
    if unknown:
        raise SettingError(
            "priors",
            rule="must name parameters of the law or the link, or spreads between series",
            got=repr(unknown[0]),
            way_out=f"use one of {', '.join(sorted(known))}",
        )
