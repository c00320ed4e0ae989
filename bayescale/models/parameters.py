"""Parameter: a quantity of a law or a link, its support, its prior, and how series share it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpy.typing import ArrayLike
from numpyro.distributions import Distribution, constraints, transforms

from bayescale.errors import SettingError
from bayescale.validation import require_choice, require_kind, require_number, shown

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

    Raises
    ------
    SettingError
        For an unknown support, a prior that is no NumPyro distribution, a scale of pooling that is
        no number, 0 or more, and names and sources that are no texts.
    """

    name: str
    support: Support
    prior: Distribution
    pooling: float | None
    source: str

    def __post_init__(self) -> None:
        for what, text in (("name", self.name), ("source", self.source)):
            _require_text(f"{what} of the parameter", text)
        require_choice(f"support of {shown(self.name)}", self.support, _TO_NATURAL)
        require_kind(
            f"prior of {shown(self.name)}",
            self.prior,
            Distribution,
            rule="must be a NumPyro distribution",
            way_out="such as LogNormal(-1.0, 0.3)",
        )
        if self.pooling is not None:
            require_number(
                f"pooling of {shown(self.name)}",
                self.pooling,
                lambda x: x >= 0,
                rule="must be 0 or more, or None",
                way_out="such as 0.3",
            )

    @property
    def transform(self) -> transforms.Transform:
        """g, from the real line to the natural scale."""
        return to_natural(self.support)


class Curve(Protocol):
    """What a law and a link have in common."""

    @property
    def name(self) -> str:
        """The name by which a user asks for it."""

    @property
    def formula(self) -> str:
        """The formula in the paper's constants."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, with their priors."""


def check_parts(kind: str, curve: Curve, functions: Sequence[object]) -> None:
    """Check the types of the parts of a law or a link.

    Parameters
    ----------
    kind
        ``law`` or ``link``.
    curve
        The law or the link.
    functions
        Those of its parts that must be functions.

    Raises
    ------
    SettingError
        For a name or a formula that is no text, parameters that are no tuple of `Parameter` with
        different names, and a part that must be a function and is none.
    """
    for what, text in (("name", curve.name), ("formula", curve.formula)):
        _require_text(f"{what} of the {kind}", text)
    parameters = curve.parameters
    are_parameters = isinstance(parameters, tuple) and all(
        isinstance(p, Parameter) for p in parameters
    )
    if not are_parameters or len({p.name for p in parameters}) < len(parameters):
        raise SettingError(
            f"parameters of {kind} {shown(curve.name)}",
            rule="must be a tuple of Parameters with different names",
            got=shown(parameters),
            way_out=f"see {kind.upper()}S for examples",
        )
    for function in functions:
        if not callable(function):
            raise SettingError(
                f"functions of {kind} {shown(curve.name)}",
                rule="must be functions",
                got=shown(function),
                way_out=f"see {kind.upper()}S for examples",
            )


def _require_text(what: str, text: object) -> None:
    """A SettingError for anything but a text."""
    rule = "must be a text"
    require_kind(what, text, str, rule=rule, way_out="write it in quotation marks")


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
