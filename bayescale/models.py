"""NumPyro models of one step: many series of runs around a law, or around a link. They know nothing of sampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import log_ndtr
from numpyro.distributions import Distribution, constraints
from numpyro.distributions.util import promote_shapes, validate_sample

from bayescale.errors import SettingError
from bayescale.laws import LEVEL, Law, Ridge
from bayescale.links import Link
from bayescale.parameters import Parameter, logit_normal, on_real_line
from bayescale.priors import Factors, Pooling, PoolingKind, make_pooling

Noise = Literal["normal", "student_t", "one_sided"]
NOISES: tuple[Noise, ...] = ("normal", "student_t", "one_sided")
SIGMA = Parameter(
    "sigma", "positive", dist.LogNormal(math.log(0.01), 1.0), 0.5, "residuals of published ladders 0.2-0.9 % of the loss, up to 5 % for task losses"
)
NOISE_RATIO = Parameter(
    "noise_ratio", "positive", dist.LogNormal(math.log(0.5), 0.7), 0.5, "seeds scatter half of sqrt(p(1-p)/items) on the same questions (ladder reruns)"
)
COMMON = Parameter(
    "common",
    "unit",
    logit_normal(0.0, 1.0),
    0.5,
    "about a half: seeds of a run scatter by 1/2 of the binomial noise of an accuracy, its checkpoints by 1/3 (ladder reruns)",
)
WIDENING = Parameter(
    "widening",
    "positive",
    dist.LogNormal(math.log(0.3), 0.7),
    None,
    "small runs lose weight as far as the data ask: at 5 e-folds of compute below the dearest run noise is 1.1 to 4.9 times what it is there (90 %)",
)
WITHIN = Parameter(
    "within",
    "real",
    dist.Normal(0.0, 0.1),
    None,
    "accuracy per sd of loss by which a run's own path departs from the link, which is of finished runs: a few points either way",
)
TAIL = Parameter("tail", "positive", dist.Gamma(2.0, 0.1), None, "degrees of freedom of the Student-t (Juarez and Steel 2010)")


class Blocks(NamedTuple):
    """x of a link that sees blocks of a run's checkpoints: the standardised loss, and its deviation from that of the run's last block."""

    z: jax.Array
    deviation: jax.Array


class Layout(NamedTuple):
    """The data of one step, a rectangle of series by runs.

    Parameters
    ----------
    y
        ln loss, or accuracy: shape (series, runs).
    seen
        False where a series has no such run; y is then not used.
    x
        Whatever the curve takes for one point: a pytree of arrays of shape (series, runs).
    items
        Number of questions, shape (series, runs); ones for losses.
    first
        Index of the first cell of the group that each cell belongs to, shape (series, runs), cells of a group side by side; None where all
        stand alone. Cells of a group have part of their noise in common: reruns of a configuration, blocks of a run's checkpoints.
    lag
        ln(Cmax / C) of each cell, shape (series, runs), where noise grows with it; None where it does not.
    """

    y: jax.Array
    seen: jax.Array
    x: Any
    items: jax.Array
    first: jax.Array | None = None
    lag: jax.Array | None = None

    @property
    def groups(self) -> np.ndarray:
        """`first`, or each cell's own index where all stand alone: shape (series, runs)."""
        return np.broadcast_to(np.arange(self.seen.shape[1]), self.seen.shape) if self.first is None else np.asarray(self.first)

    def wider(self, width: int) -> Layout:
        """The same cells and as many unseen ones as make `width` of them."""
        more = ((0, 0), (0, width - self.seen.shape[1]))
        if not more[1][1]:
            return self
        y, x, items, lag = jax.tree.map(lambda v: np.pad(np.asarray(v), more, mode="edge"), (self.y, self.x, self.items, self.lag))
        alone = np.broadcast_to(np.arange(width), (len(y), width))
        first = None if self.first is None else np.concatenate([np.asarray(self.first), alone[:, self.seen.shape[1] :]], 1)
        return Layout(y, np.pad(np.asarray(self.seen), more), x, items, first, lag)


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
        ``normal``, ``student_t``, or ``one_sided`` (above the curve, never below but for a fifth of its scale).
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
        """Ln p of every prior at the sites' real values, by its name in the posterior (see `Pooling.log_prior`)."""
        tail = {"tail": self._tail_prior.log_prob(sites["tail"])} if self.noise == "student_t" else {}
        return self.pooling.log_prior(sites) | tail

    def expectation(self, real: Mapping[str, jax.Array], layout: Layout) -> tuple[jax.Array, jax.Array]:
        """Mean and standard deviation of y, shape (series, runs) each, from real values of shape (series,)."""
        values = {p.name: p.transform(real[p.name]) for p in self.pooling.parameters}
        mean = jax.vmap(jax.vmap(self.mean, in_axes=(None, 0)))(values, layout.x)
        sd = values[self.scale_name][:, None] * self.unit_sd(mean, layout.items)
        return mean, sd if layout.lag is None else sd * widened(values[WIDENING.name][:, None], layout.lag)

    def given_earlier(self, real: Mapping[str, jax.Array], layout: Layout, tail: jax.Array | None) -> Distribution:
        """The distribution of each cell of y given the earlier cells of its group; their product is the likelihood."""
        mean, sd = self.expectation(real, layout)
        if layout.first is None:
            return self.scatter(mean, sd, tail)
        residual = jnp.where(layout.seen, (layout.y - mean) / sd, 0.0)
        expected, spread = from_earlier(residual, layout.first, COMMON.transform(real[COMMON.name])[:, None])
        return dist.Normal(mean + sd * expected, sd * spread)

    def draw(self, key: jax.Array, real: Mapping[str, jax.Array], layout: Layout, tail: jax.Array | None) -> jax.Array:
        """New y for every cell, shape (series, runs), the cells of a group with their common part."""
        mean, sd = self.expectation(real, layout)
        if layout.first is None:
            return self.scatter(mean, sd, tail).sample(key)
        shared, own = jax.random.normal(key, (2, *mean.shape))
        common = COMMON.transform(real[COMMON.name])[:, None]
        return mean + sd * (jnp.sqrt(common) * jnp.take_along_axis(shared, layout.first, -1) + jnp.sqrt(1 - common) * own)

    @property
    def scale_name(self) -> str:
        """Name of the noise parameter."""
        return self.pooling.parameters[-1].name

    def scatter(self, mean: jax.Array, sd: jax.Array, tail: jax.Array | None) -> Distribution:
        """The distribution of y around its expectation; `tail` is the logarithm of the degrees of freedom."""
        if self.noise == "student_t":
            return dist.StudentT(jnp.exp(tail), mean, sd)
        return OneSided(mean, sd) if self.noise == "one_sided" else dist.Normal(mean, sd)


def widened[T: (jax.Array, np.ndarray)](widening: T, lag: T) -> T:
    """sqrt(1 + (widening lag)^2): how much larger the noise is `lag` e-folds of compute below the dearest run."""
    return (1 + (widening * lag) ** 2) ** 0.5


def from_earlier(residual: jax.Array, first: jax.Array, common: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and sd of r_k given r_1 .. r_(k-1) of its group, each of variance 1, each two of covariance c.

    c S / (1 + (k - 2) c) and (1 - (k - 1) c^2 / (1 + (k - 2) c))^(1/2), S the sum of the earlier ones; along the last axis.
    """
    before = jnp.cumsum(residual, -1) - residual
    total = before - jnp.take_along_axis(before, first, -1)
    earlier = jnp.arange(residual.shape[-1]) - first
    weight = common / jnp.where(earlier > 0, 1 + (earlier - 1) * common, 1.0)
    return weight * total, jnp.sqrt(1 - earlier * common * weight)


class OneSided(Distribution):
    """y = loc + w + e, w ~ Exponential(mean scale), e ~ Normal(0, scale / 5).

    An under-tuned run sits above the law, never below; e is the little measurement noise without which the posterior would have an edge.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012 (NumPyro's own form)
    support = constraints.real
    reparametrized_params = ["loc", "scale"]  # noqa: RUF012
    EDGE = 0.2

    def __init__(self, loc: jax.Array, scale: jax.Array, *, validate_args: bool | None = None) -> None:
        self.loc, self.scale = promote_shapes(loc, scale)
        super().__init__(jnp.broadcast_shapes(jnp.shape(loc), jnp.shape(scale)), validate_args=validate_args)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws of shape sample_shape + batch shape."""
        one, two = jax.random.split(key)
        shape = sample_shape + self.batch_shape
        return self.loc + self.scale * (jax.random.exponential(one, shape) + self.EDGE * jax.random.normal(two, shape))

    @validate_sample
    def log_prob(self, value: jax.Array) -> jax.Array:
        """Log density of the exponentially modified normal."""
        z = (value - self.loc) / self.scale
        return -jnp.log(self.scale) + self.EDGE**2 / 2 - z + log_ndtr(z / self.EDGE - self.EDGE)


def loss_model(
    law: Law,
    factors: Factors,
    *,
    pooling: PoolingKind = "partial",
    noise: Noise = "normal",
    priors: Mapping[str, Distribution] | None = None,
    grouped: bool = False,
    widening: bool = False,
) -> SeriesModel:
    """Ln L_sr ~ noise around ln L0_s + log_ratio(theta_s, x_sr); call it on a Layout whose x is a `Point`, grouped by configuration or not at all.

    With `widening` the layout has a `lag`, and small runs count for less as far as they are found to scatter more.
    """
    if noise not in NOISES:
        raise SettingError("noise", rule=f"must be one of {', '.join(NOISES)}", got=repr(noise), way_out="mend the name")
    if grouped and noise != "normal":
        raise SettingError("noise", rule="must be normal where configurations are repeated", got=repr(noise), way_out="leave the reruns out, or the noise")
    parameters = (LEVEL, *law.parameters, *([COMMON] if grouped else []), *([WIDENING] if widening else []), SIGMA)
    shared = make_pooling(parameters, factors, pooling, priors or {})
    return SeriesModel(shared, lambda v, x: jnp.log(v["L0"]) + law.log_ratio(v, x), lambda mean, items: jnp.ones_like(mean), noise, law.ridge)


def accuracy_model(
    link: Link, factors: Factors, *, pooling: PoolingKind = "partial", priors: Mapping[str, Distribution] | None = None, grouped: bool = False
) -> SeriesModel:
    """acc_sr ~ Normal(link(theta_s, z_sr), noise_ratio_s sqrt(p (1 - p) / items)); call it on a Layout whose x is the standardised loss.

    Grouped, x is `Blocks` and the mean gains within_s times the deviation: the path of a training run in (loss, accuracy) need not be the curve that
    the ends of runs lie on, and a run's many blocks would otherwise outvote the few runs (the between-within model of Mundlak 1978, Econometrica 46).
    """
    parameters = (*link.parameters, *([WITHIN, COMMON] if grouped else []), NOISE_RATIO)
    shared = make_pooling(parameters, factors, pooling, priors or {})
    if grouped:
        return SeriesModel(shared, lambda v, x: link.accuracy(v, x.z) + v[WITHIN.name] * x.deviation, score_sd, ridge=link.ridge)
    return SeriesModel(shared, link.accuracy, score_sd, ridge=link.ridge)


def score_sd(p: jax.Array, items: jax.Array) -> jax.Array:
    """sqrt(p (1 - p) / items), with half a question added on either side so that a score of 0 or 1 keeps some noise."""
    p = (jnp.clip(p, 0.0, 1.0) * items + 0.5) / (items + 1.0)
    return jnp.sqrt(p * (1.0 - p) / items)


def every_prior_used(priors: Mapping[str, Distribution], models: Sequence[SeriesModel]) -> None:
    """A SettingError for a prior of no parameter."""
    known = {p.name for m in models for p in m.pooling.parameters} | {
        s for m in models for p in m.pooling.parameters if m.pooling.pooled(p) for s in m.pooling.spreads(p)
    }
    unknown = [name for name in priors if name not in known]
    if unknown:
        raise SettingError(
            "priors",
            rule="must name parameters of the law or the link, or spreads between series",
            got=repr(unknown[0]),
            way_out=f"use one of {', '.join(sorted(known))}",
        )
