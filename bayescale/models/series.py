"""The NumPyro model of one stage: many series of runs around a law, or around a link.

It knows nothing of sampling.
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
from bayescale.models.curve import Ridge
from bayescale.models.laws import LEVEL, Law
from bayescale.models.layout import Blocks, Layout
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
from bayescale.validation import require_choice

# How far the path of a training run in (loss, accuracy) departs from the link, which is about
# finished runs.
WITHIN = Parameter(
    name="within",
    support="real",
    prior=dist.Normal(0.0, 0.1),
    pooling=None,
    source=(
        "accuracy per sd of loss by which a training run departs from the link of finished runs: "
        "a few points either way"
    ),
)


@dataclass(frozen=True, eq=False)
class SeriesModel:
    """y_sr ~ noise around mean(theta_s, x_sr), theta_s pooled over series.

    s is a series and r one of its runs. Call the model on a `Layout`.

    Parameters
    ----------
    pooling
        The parameters, their priors and how series share them; the last parameter is the scale of
        the noise.
    mean
        ``(natural values, x) -> expectation of y`` for one point.
    unit_sd
        ``(mean, items) -> standard deviation of y`` for one point where the noise scale is 1.
    noise
        ``normal``, ``student_t``, or ``one_sided``: above the curve, except for a normal part of a
        fifth of the scale (see `OneSided`).
    ridge
        The ridge of the law or of the link; only the sampler's coordinates use it.
    """

    pooling: Pooling
    mean: Callable[[Mapping[str, jax.Array], Any], jax.Array]
    unit_sd: Callable[[jax.Array, jax.Array], jax.Array]
    noise: Noise = "normal"
    ridge: Ridge = lambda v, at, x: {}

    def __call__(self, layout: Layout) -> None:
        """Sample the sites of the NumPyro model, all on the real line (see `Pooling`)."""
        real = self.pooling.sample()
        tail = numpyro.sample("tail", self._tail_prior) if self.noise == "student_t" else None
        numpyro.sample("y", self.given_earlier(real, layout, tail).mask(layout.seen), obs=layout.y)

    @property
    def _tail_prior(self) -> Distribution:
        """The prior of the degrees of freedom, on the real line."""
        return on_real_line(TAIL.prior, TAIL.support)

    def log_prior(self, sites: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """ln p of every prior, by its name in the posterior (see `Pooling.log_prior`).

        Parameters
        ----------
        sites
            Values of the model's sites on the real line, with any leading dimensions.

        Returns
        -------
        dict
            Arrays with the leading dimensions of `sites`.
        """
        log_p = self.pooling.log_prior(sites)
        if self.noise == "student_t":
            log_p["tail"] = self._tail_prior.log_prob(sites["tail"])
        return log_p

    def expectation(
        self, real: Mapping[str, jax.Array], layout: Layout
    ) -> tuple[jax.Array, jax.Array]:
        """Mean and standard deviation of y in every cell.

        Parameters
        ----------
        real
            Values of the parameters on the real line, by name, shape (series,).
        layout
            The points; y is not used.

        Returns
        -------
        mean, sd : Array
            Shape (series, runs) each.
        """
        values = {p.name: p.transform(real[p.name]) for p in self.pooling.parameters}
        mean = jax.vmap(jax.vmap(self.mean, in_axes=(None, 0)))(values, layout.x)
        sd = values[self.scale_name][:, None] * self.unit_sd(mean, layout.items)
        if layout.lag is not None:
            sd = sd * widened(values[WIDENING.name][:, None], layout.lag)
        return mean, sd

    def given_earlier(
        self, real: Mapping[str, jax.Array], layout: Layout, tail: jax.Array | None
    ) -> Distribution:
        """The distribution of each cell of y given the earlier cells of its group.

        The product of their densities is the likelihood.

        Parameters
        ----------
        real
            Values of the parameters on the real line, by name, shape (series,).
        layout
            The data.
        tail
            ln of the degrees of freedom, a scalar, for noise `student_t`; None for another noise.

        Returns
        -------
        Distribution
            Batch shape (series, runs).
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
        """Random y for every cell; the cells of a group have part of their noise in common.

        Parameters
        ----------
        key
            A JAX random key.
        real
            Values of the parameters on the real line, by name, shape (series,).
        layout
            The points; y is not used.
        tail
            ln of the degrees of freedom, a scalar, for noise `student_t`; None for another noise.

        Returns
        -------
        Array
            Shape (series, runs).
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
        """Name of the parameter that is the scale of the noise."""
        return self.pooling.parameters[-1].name

    def scatter(self, mean: jax.Array, sd: jax.Array, tail: jax.Array | None) -> Distribution:
        """The distribution of y around its expectation.

        Parameters
        ----------
        mean, sd
            Expectation of y and scale of its noise, arrays of one shape.
        tail
            ln of the degrees of freedom for noise `student_t`; None for another noise.
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
    """ln L_sr ~ noise around ln L0_s + log_ratio(theta_s, x_sr).

    Call the model on a `Layout` whose x is a `Point`.

    Parameters
    ----------
    law
        The law.
    groups
        Corpus, name and kind of each series.
    pooling
        ``partial``, ``none`` or ``complete``.
    noise
        ``normal``, ``student_t`` or ``one_sided``.
    priors
        The user's priors by name; None for the defaults.
    grouped
        Whether the layout groups the runs of one configuration (it has `Layout.first`).
    widening
        Whether noise may grow towards small compute (the layout has a `Layout.lag`): small runs
        then count for less, as far as they scatter more.

    Returns
    -------
    SeriesModel
        The model of the losses.

    Raises
    ------
    SettingError
        For an unknown noise or pooling, a noise that repeated configurations do not allow, or a
        prior that does not fit its parameter.
    """
    require_choice("noise", noise, NOISES)
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
    return SeriesModel(
        pooling=make_pooling(parameters, groups, pooling, priors or {}),
        mean=lambda v, x: jnp.log(v["L0"]) + law.log_ratio(v, x),
        unit_sd=lambda mean, items: jnp.ones_like(mean),
        noise=noise,
        ridge=law.ridge,
    )


def accuracy_model(
    link: Link,
    groups: Groups,
    *,
    pooling: PoolingMode = "partial",
    priors: Mapping[str, Distribution] | None = None,
    grouped: bool = False,
) -> SeriesModel:
    """acc_sr ~ Normal(p, noise_ratio_s sqrt(p (1 - p) / items)), p = link(theta_s, z_sr).

    Call the model on a `Layout` whose x is the standardised loss z, or `Blocks` where grouped. Then
    p gains within_s times the deviation: the path of a training run in (loss, accuracy) need not be
    the curve on which the ends of the runs lie, and the many blocks of a run would otherwise
    outvote the few runs (the between-within model of Mundlak 1978, Econometrica 46).

    Parameters
    ----------
    link
        The link.
    groups
        Corpus, name and kind of each series.
    pooling
        ``partial``, ``none`` or ``complete``.
    priors
        The user's priors by name; None for the defaults.
    grouped
        Whether the cells are blocks of a run's checkpoints (the layout has `Layout.first`).

    Returns
    -------
    SeriesModel
        The model of the accuracies.

    Raises
    ------
    SettingError
        For an unknown pooling, or a prior that does not fit its parameter.
    """
    parameters = (*link.parameters, *([WITHIN, COMMON] if grouped else []), NOISE_RATIO)

    def mean_of_block(v: Mapping[str, jax.Array], x: Blocks) -> jax.Array:
        return link.accuracy(v, x.z) + v[WITHIN.name] * x.deviation

    return SeriesModel(
        pooling=make_pooling(parameters, groups, pooling, priors or {}),
        mean=mean_of_block if grouped else link.accuracy,
        unit_sd=score_sd,
        ridge=link.ridge,
    )


def every_prior_used(priors: Mapping[str, Distribution], models: Sequence[SeriesModel]) -> None:
    """Check that each of the user's priors belongs to a parameter or a spread of some model.

    Parameters
    ----------
    priors
        The user's priors by name.
    models
        The models of a fit.

    Raises
    ------
    SettingError
        For a prior that no model has; the message lists the known names.
    """
    known: set[str] = set()
    for model in models:
        for p in model.pooling.parameters:
            known.add(p.name)
            if model.pooling.pooled(p):
                known |= set(model.pooling.spreads(p))
    unknown = [name for name in priors if name not in known]
    if unknown:
        raise SettingError(
            "priors",
            rule="must name parameters of the law or the link, or spreads between series",
            got=repr(unknown[0]),
            way_out=f"use one of {', '.join(sorted(known))}",
        )
