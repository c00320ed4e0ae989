"""Parameter: one quantity of a law or a link, its support, its prior with the source, and how far series share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpyro.distributions as dist
from numpyro.distributions import Distribution, biject_to, constraints, transforms

Support = Literal["real", "positive", "unit"]
_CONSTRAINT = {"real": constraints.real, "positive": constraints.positive, "unit": constraints.unit_interval}


@dataclass(frozen=True)
class Parameter:
    """x = g(theta), theta real; g the identity, exp or the logistic function by support.

    Parameters
    ----------
    name
        As in the formula, and in the posterior.
    support
        ``real``, ``positive`` or ``unit`` (0 to 1).
    prior
        A NumPyro distribution on the natural scale: of the population's value where series are pooled, of each series' own where not.
    pooling
        Scale of the half-normal prior of the spread between series on the real scale; None where series share nothing.
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
    """g of a support: the identity, exp, or the logistic function."""
    return biject_to(_CONSTRAINT[support])


def on_real_line(prior: Distribution, support: Support) -> Distribution:
    """The distribution of theta when g(theta) has the given prior; log-normal and logit-normal become plain normals."""
    base = getattr(prior, "base_dist", None)
    if support == "real":
        return prior
    if isinstance(base, dist.Normal) and [type(t) for t in prior.transforms] == [type(to_natural(support))]:
        return base
    return dist.TransformedDistribution(prior, to_natural(support).inv)


def logit_normal(loc: float, scale: float) -> Distribution:
    """Logit(x) ~ Normal(loc, scale), x in (0, 1)."""
    return dist.TransformedDistribution(dist.Normal(loc, scale), transforms.SigmoidTransform())
