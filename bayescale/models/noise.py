"""How an observation scatters around its expectation: parameters, spreads and distributions of the
noise.
"""

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
SIGMA = Parameter(
    "sigma",
    "positive",
    dist.LogNormal(math.log(0.01), 1.0),
    0.5,
    "residuals of published ladders 0.2-0.9 % of the loss, up to 5 % for task losses",
)
NOISE_RATIO = Parameter(
    "noise_ratio",
    "positive",
    dist.LogNormal(math.log(0.5), 0.7),
    0.5,
    "seeds scatter half of sqrt(p(1-p)/items) on the same questions (ladder reruns)",
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
TAIL = Parameter(
    "tail",
    "positive",
    dist.Gamma(2.0, 0.1),
    None,
    "degrees of freedom of the Student-t (Juarez and Steel 2010)",
)


def widened[T: (jax.Array, np.ndarray)](widening: T, lag: T) -> T:
    """sqrt(1 + (widening lag)^2): how much larger the noise is `lag` e-folds of compute below the
    dearest run.
    """
    return (1 + (widening * lag) ** 2) ** 0.5


def from_earlier(
    residual: jax.Array, first: jax.Array, common: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Mean and sd of r_k given r_1 .. r_(k-1) of its group, each of variance 1, each two of
    covariance c.

    c S / (1 + (k - 2) c) and (1 - (k - 1) c^2 / (1 + (k - 2) c))^(1/2), S the sum of the earlier
    ones; along the last axis.
    """
    before = jnp.cumsum(residual, -1) - residual
    total = before - jnp.take_along_axis(before, first, -1)
    earlier = jnp.arange(residual.shape[-1]) - first
    weight = common / jnp.where(earlier > 0, 1 + (earlier - 1) * common, 1.0)
    return weight * total, jnp.sqrt(1 - earlier * common * weight)


class OneSided(Distribution):
    """y = loc + w + e, w ~ Exponential(mean scale), e ~ Normal(0, scale / 5).

    An under-tuned run sits above the law, never below; e is the little measurement noise without
    which the posterior would have an edge.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012 (NumPyro's own form)
    support = constraints.real
    reparametrized_params = ["loc", "scale"]  # noqa: RUF012
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
        one, two = jax.random.split(key)
        shape = sample_shape + self.batch_shape
        return self.loc + self.scale * (
            jax.random.exponential(one, shape) + self.EDGE * jax.random.normal(two, shape)
        )

    @validate_sample
    def log_prob(self, value: jax.Array) -> jax.Array:
        """Log density of the exponentially modified normal."""
        z = (value - self.loc) / self.scale
        return -jnp.log(self.scale) + self.EDGE**2 / 2 - z + log_ndtr(z / self.EDGE - self.EDGE)


def score_sd(p: jax.Array, items: jax.Array) -> jax.Array:
    """sqrt(p (1 - p) / items), with half a question added on either side so that a score of 0 or 1
    keeps some noise.
    """
    p = (jnp.clip(p, 0.0, 1.0) * items + 0.5) / (items + 1.0)
    return jnp.sqrt(p * (1.0 - p) / items)
