"""Parameter: a quantity of a law or a link, its support, its prior, and how series share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpy.typing import ArrayLike
from numpyro.distributions import Distribution, constraints, transforms

# 95 % quantile of the standard normal.
NORMAL_95 = 1.645


def _softplus(x: jax.Array) -> jax.Array:
    """ln(1 + e^x), right up to x = 700.

    A trajectory that goes further has diverged, and JAX's own function takes a dozen operations.
    """
    return jnp.log1p(jnp.exp(x))


class _Constant(transforms.Transform):
    """A map from the real line without settings: all instances of one class are equal."""

    domain = constraints.real

    def tree_flatten(self) -> tuple[tuple[()], tuple[tuple[()], dict[str, object]]]:
        """A pytree without leaves."""
        return (), ((), {})

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


class IrreducibleTransform(_Constant):
    """x = 1 - (1 + e^(4 y))^(-1/4), from the real line to (0, 1).

    For x above about 0.4, y is nearly -ln(1 - x); below, y goes on to minus infinity. Runs
    determine the slope of a loss, which is the reducible share 1 - phi times an exponent. On this
    scale that ridge is straight.
    """

    codomain = constraints.unit_interval
    SHARPNESS = 4.0

    def __call__(self, x: jax.Array) -> jax.Array:
        """From the real line to (0, 1)."""
        return -jnp.expm1(-_softplus(self.SHARPNESS * x) / self.SHARPNESS)

    def _inverse(self, y: jax.Array) -> jax.Array:
        return jnp.log(jnp.expm1(-self.SHARPNESS * jnp.log1p(-y))) / self.SHARPNESS

    def log_abs_det_jacobian(
        self,
        x: jax.Array,
        y: jax.Array,
        intermediates: object = None,  # noqa: ARG002
    ) -> jax.Array:
        """ln|dy/dx|, x on the real line, y in (0, 1)."""
        return jnp.log1p(-y) + self.SHARPNESS * x - _softplus(self.SHARPNESS * x)


class SpreadTransform(_Constant):
    """y = 0.01 softplus(x)^2, from the real line to the positive numbers.

    The scale x lies between a logarithm and a square root of y, so that the sampler meets a corner
    neither at a spread near 0 nor at a large one.
    """

    codomain = constraints.positive
    SCALE = 0.01

    def __call__(self, x: jax.Array) -> jax.Array:
        """From the real line to the positive numbers."""
        return self.SCALE * _softplus(x) ** 2

    def _inverse(self, y: jax.Array) -> jax.Array:
        root = jnp.sqrt(y / self.SCALE)
        return root + jnp.log(-jnp.expm1(-root))

    def log_abs_det_jacobian(
        self,
        x: jax.Array,
        y: jax.Array,  # noqa: ARG002 (NumPyro's signature)
        intermediates: object = None,  # noqa: ARG002
    ) -> jax.Array:
        """ln|dy/dx|, x on the real line, y positive."""
        return jnp.log(2 * self.SCALE * _softplus(x)) + x - _softplus(x)


Support = Literal["real", "positive", "unit", "irreducible", "spread"]
_TO_NATURAL: dict[Support, transforms.Transform] = {
    "real": transforms.IdentityTransform(),
    "positive": transforms.ExpTransform(),
    "unit": transforms.SigmoidTransform(),
    "irreducible": IrreducibleTransform(),
    "spread": SpreadTransform(),
}


@dataclass(frozen=True)
class Parameter:
    """x = g(theta), theta on the real line, x on the natural scale.

    The map g depends on the support: the identity for ``real``, exp for ``positive``, the logistic
    function for ``unit``, `IrreducibleTransform` for ``irreducible``, `SpreadTransform` for
    ``spread``.

    Parameters
    ----------
    name
        Name of the parameter in the formula and in the posterior.
    support
        ``real``, ``positive``, ``unit`` (between 0 and 1) or ``irreducible`` (between 0 and 1, the
        share of a loss that cannot be reduced). The fifth support, ``spread`` (positive), is for
        standard deviations between series.
    prior
        A NumPyro distribution on the natural scale: of the population's value where series are
        pooled, of the value of each series where they are not.
    pooling
        Scale of the half-normal prior of the spread between series on the real line; None where
        series share nothing, 0 where all series of a kind have one value.
    source
        Where the numbers of the prior come from.
    """

    name: str
    support: Support
    prior: Distribution
    pooling: float | None
    source: str

    @property
    def transform(self) -> transforms.Transform:
        """g, from the real line to the natural scale."""
        return to_natural(self.support)


def to_natural(support: Support) -> transforms.Transform:
    """The map g of a support, from the real line to the natural scale."""
    return _TO_NATURAL[support]


def on_real_line(prior: Distribution, support: Support) -> Distribution:
    """The distribution of theta, on the real line, when g(theta) has the given prior.

    Parameters
    ----------
    prior
        A distribution on the natural scale.
    support
        The support that chooses g.

    Returns
    -------
    Distribution
        A plain normal where `prior` is its image under g, as log-normal and logit-normal are.
    """
    base = getattr(prior, "base_dist", None)
    if support == "real":
        return prior
    if isinstance(base, dist.Normal) and [type(t) for t in prior.transforms] == [
        type(to_natural(support))
    ]:
        return base
    return dist.TransformedDistribution(prior, to_natural(support).inv)


def irreducible_normal(loc: float, scale: float) -> Distribution:
    """-ln(1 - x) ~ Normal(loc, scale), x in (0, 1), except near x = 0.

    Parameters
    ----------
    loc, scale
        Mean and standard deviation on the real line of `IrreducibleTransform`.
    """
    return dist.TransformedDistribution(dist.Normal(loc, scale), IrreducibleTransform())


def logit_normal(loc: ArrayLike, scale: ArrayLike) -> Distribution:
    """logit(x) ~ Normal(loc, scale), x in (0, 1).

    Parameters
    ----------
    loc, scale
        Mean and standard deviation of the logit: numbers, or arrays of one shape.
    """
    return dist.TransformedDistribution(dist.Normal(loc, scale), transforms.SigmoidTransform())
