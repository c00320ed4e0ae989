"""How an observation scatters around its expectation: parameters and distributions of the noise."""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import log_ndtr
from numpyro.distributions import Distribution, constraints
from numpyro.distributions.util import promote_shapes, validate_sample

from bayescale.models.parameters import Parameter, logit_normal

Noise = Literal["normal", "student_t", "one_sided"]
NOISES: tuple[Noise, ...] = ("normal", "student_t", "one_sided")
# Standard deviation of ln loss around the law.
SIGMA = Parameter(
    name="sigma",
    support="positive",
    prior=dist.LogNormal(math.log(0.01), 1.0),
    pooling=0.5,
    source="residuals of published ladders 0.2-0.9 % of the loss, up to 5 % for task losses",
)
# Standard deviation of an accuracy around the link, in units of its binomial noise.
NOISE_RATIO = Parameter(
    name="noise_ratio",
    support="positive",
    prior=dist.LogNormal(math.log(0.5), 0.7),
    pooling=0.5,
    source="seeds scatter half of sqrt(p(1-p)/items) on the same questions (ladder reruns)",
)
# Share of the noise variance that the cells of a group have in common.
COMMON = Parameter(
    name="common",
    support="unit",
    prior=logit_normal(0.0, 1.0),
    pooling=0.5,
    source=(
        "about a half: seeds of a run scatter by 1/2 of the binomial noise of an accuracy, "
        "its checkpoints by 1/3 (ladder reruns)"
    ),
)
# Growth of the noise towards small compute, per e-fold (see `widened`).
WIDENING = Parameter(
    name="widening",
    support="positive",
    prior=dist.LogNormal(math.log(0.3), 0.7),
    pooling=None,
    source=(
        "small runs lose weight as far as the data ask: 5 e-folds of compute below the largest "
        "run, the noise is 1.1 to 4.9 times that of the largest run (90 %)"
    ),
)
# Degrees of freedom of the noise `student_t`.
TAIL = Parameter(
    name="tail",
    support="positive",
    prior=dist.Gamma(2.0, 0.1),
    pooling=None,
    source="degrees of freedom of the Student-t (Juarez and Steel 2010)",
)


def widened[T: (jax.Array, np.ndarray)](widening: T, lag: T) -> T:
    """sqrt(1 + (widening lag)^2): the noise relative to that of the largest run.

    Parameters
    ----------
    widening
        Value of the parameter `WIDENING`, of a shape that broadcasts with `lag`.
    lag
        e-folds of compute below the largest run.
    """
    return (1 + (widening * lag) ** 2) ** 0.5


def from_earlier(
    residual: jax.Array, first: jax.Array, common: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Mean and sd of a residual given the earlier residuals of its group.

    All residuals have variance 1 and each two of a group have covariance c. Given r_1 .. r_(k-1)
    with sum S, the mean of r_k is c S / (1 + (k - 2) c), and its standard deviation is
    (1 - (k - 1) c^2 / (1 + (k - 2) c))^(1/2).

    Parameters
    ----------
    residual
        Residuals in units of their standard deviation, shape (series, cells).
    first
        Index of the first cell of each cell's group, shape (series, cells), as in `Layout`.
    common
        c, shape (series, 1).

    Returns
    -------
    mean, sd : Array
        Shape (series, cells) each.
    """
    before = jnp.cumsum(residual, -1) - residual
    total = before - jnp.take_along_axis(before, first, -1)
    earlier = jnp.arange(residual.shape[-1]) - first
    weight = common / jnp.where(earlier > 0, 1 + (earlier - 1) * common, 1.0)
    return weight * total, jnp.sqrt(1 - earlier * common * weight)


class OneSided(Distribution):
    """y = loc + w + e, w ~ Exponential(mean scale), e ~ Normal(0, scale / 5).

    A run that is not well tuned lies above the law, never below. Without the small measurement
    noise e the posterior would have an edge.

    Parameters
    ----------
    loc
        The law's expectation.
    scale
        Mean of w, positive; broadcasts with `loc`.
    """

    # Dictionaries and lists of a class are NumPyro's own form.
    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012
    support = constraints.real
    reparametrized_params = ["loc", "scale"]  # noqa: RUF012
    # Standard deviation of e in units of the scale.
    EDGE = 0.2

    def __init__(
        self, loc: jax.Array, scale: jax.Array, *, validate_args: bool | None = None
    ) -> None:
        self.loc, self.scale = promote_shapes(loc, scale)
        super().__init__(
            jnp.broadcast_shapes(jnp.shape(loc), jnp.shape(scale)), validate_args=validate_args
        )

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws of shape sample_shape + batch shape."""
        key_of_w, key_of_e = jax.random.split(key)
        shape = sample_shape + self.batch_shape
        w = jax.random.exponential(key_of_w, shape)
        e = self.EDGE * jax.random.normal(key_of_e, shape)
        return self.loc + self.scale * (w + e)

    @validate_sample
    def log_prob(self, value: jax.Array) -> jax.Array:
        """ln of the density of the exponentially modified normal."""
        z = (value - self.loc) / self.scale
        return -jnp.log(self.scale) + self.EDGE**2 / 2 - z + log_ndtr(z / self.EDGE - self.EDGE)


def score_sd(p: jax.Array, items: jax.Array) -> jax.Array:
    """sqrt(p (1 - p) / items): the binomial standard deviation of an accuracy.

    Half a question is added on either side, so that an accuracy of 0 or 1 keeps some noise.

    Parameters
    ----------
    p
        Expected accuracy; values outside 0 to 1 are taken as 0 or 1.
    items
        Number of questions, of a shape that broadcasts with `p`.
    """
    p = (jnp.clip(p, 0.0, 1.0) * items + 0.5) / (items + 1.0)
    return jnp.sqrt(p * (1.0 - p) / items)
