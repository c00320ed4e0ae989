"""The NumPyro model of one stage: many series of runs around a law, or around a link.

It knows nothing of sampling. Equation numbers, such as (D1), are from docs/mathematics.md, section
"The error of law and link".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import Distribution

from bayescale.models import discrepancy
from bayescale.models.curve import Ridge, Values
from bayescale.models.layout import Layout
from bayescale.models.noise import COMMON, TAIL, WIDENING, Noise, OneSided, from_earlier, widened
from bayescale.models.parameters import on_real_line
from bayescale.models.pooling import Pooling

# ln of the square root of 2 pi.
LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)


class Standardised(NamedTuple):
    """Residuals and their discrepancy in units of the noise, given earlier cells of each group.

    Parameters
    ----------
    u
        Residuals, shape (series, runs); 0 where nothing was seen.
    a
        Sd of the discrepancy, shape (series, runs); 0 where nothing was seen.
    log_sd
        ln of the unit, shape (series, runs); 0 where nothing was seen.
    """

    u: jax.Array
    a: jax.Array
    log_sd: jax.Array


class GivenData(NamedTuple):
    """What the data say, given the parameters.

    Parameters
    ----------
    density_of_each
        ln p(y_i | parameters, and all other y where the curve has a discrepancy), shape (series,
        runs); 0 where nothing was seen.
    log_evidence
        ln p(y | parameters), a scalar.
    terms
        The terms of the discrepancy given the data; None where the curve is true.
    """

    density_of_each: jax.Array
    log_evidence: jax.Array
    terms: discrepancy.Conditional | None


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
    amplitude
        Name of the parameter that is the sd of the discrepancy; None where the curve is true.
    effect
        ``(natural values, mean) -> derivative of the expectation by the discrepancy`` for one
        point.
    common
        Share of the variance of the discrepancy that a series has in common with others, shape
        (series,).
    """

    pooling: Pooling
    mean: Callable[[Mapping[str, jax.Array], Any], jax.Array]
    unit_sd: Callable[[jax.Array, jax.Array], jax.Array]
    noise: Noise = "normal"
    ridge: Ridge = lambda v, at, x: {}
    amplitude: str | None = None
    effect: Callable[[Values, jax.Array], jax.Array] = lambda v, mean: jnp.ones_like(mean)
    common: np.ndarray = field(default_factory=lambda: np.zeros(1))

    @property
    def without_priors(self) -> tuple[object, ...]:
        """All that `expectation`, `conditional` and `draw` depend on, for `traces.kept`."""
        parameters = [(type(p), p.name, p.support) for p in self.pooling.parameters]
        curve = self.mean, self.unit_sd, self.noise, self.amplitude, self.effect, self.common
        return parameters, self.pooling.groups, *curve

    def __call__(self, layout: Layout) -> None:
        """Sample the sites of the NumPyro model, all on the real line (see `Pooling`)."""
        real, tail = self.sample()
        if self.amplitude is not None:
            numpyro.factor("y", self.log_evidence(real, layout))
            return
        numpyro.sample("y", self.given_earlier(real, layout, tail).mask(layout.seen), obs=layout.y)

    def sample(self) -> tuple[dict[str, jax.Array], jax.Array | None]:
        """Sample the sites of the parameters: their real values, and ln of degrees of freedom."""
        real = self.pooling.sample()
        tail = numpyro.sample("tail", self._tail_prior) if self.noise == "student_t" else None
        return real, tail

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
        """Mean and standard deviation of y in every cell, without the discrepancy.

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
        values = self.pooling.values(real)
        mean = jax.vmap(jax.vmap(self.mean, in_axes=(None, 0)))(values, layout.x)
        sd = values[self.scale_name][:, None] * self.unit_sd(mean, layout.items)
        if layout.lag is not None and WIDENING.name in values:
            sd = sd * widened(values[WIDENING.name][:, None], layout.lag)
        return mean, sd

    def standardised(self, real: Mapping[str, jax.Array], layout: Layout) -> Standardised:
        """Residuals and the sd of the discrepancy in units of the noise, (D1).

        Parameters
        ----------
        real
            Values of the parameters on the real line, by name, shape (series,).
        layout
            The data. The cells of a group have the same terms.
        """
        mean, sd = self.expectation(real, layout)
        values = self.pooling.values(real)
        effect = self._amplitude(values)[:, None] * jax.vmap(self.effect)(values, mean)
        u = jnp.where(layout.seen, (layout.y - mean) / sd, 0.0)
        a = jnp.where(layout.seen, effect / sd, 0.0)
        log_sd = jnp.where(layout.seen, jnp.log(sd), 0.0)
        if layout.first is None:
            return Standardised(u, a, log_sd)
        common = COMMON.transform(real[COMMON.name])[:, None]
        expected, spread = from_earlier(u, layout.first, common)
        of_error, _ = from_earlier(a, layout.first, common)
        log_spread = jnp.where(layout.seen, jnp.log(spread), 0.0)
        return Standardised((u - expected) / spread, (a - of_error) / spread, log_sd + log_spread)

    def _amplitude(self, values: Values) -> jax.Array:
        """The sd of the discrepancy of each series, of a model that has one."""
        assert self.amplitude is not None
        return values[self.amplitude]

    def log_evidence(self, real: Mapping[str, jax.Array], layout: Layout) -> jax.Array:
        """ln p(y | parameters), the discrepancy integrated out, (D3): a scalar."""
        u, a, log_sd = self.standardised(real, layout)
        evidence = discrepancy.log_evidence(u, a, layout.basis, tuple(self.common.tolist()))
        return evidence - jnp.sum(log_sd + LOG_ROOT_2PI * layout.seen)

    def conditional(self, real: Mapping[str, jax.Array], layout: Layout) -> discrepancy.Conditional:
        """The terms of the discrepancy given the data and the parameters."""
        u, a, _ = self.standardised(real, layout)
        return discrepancy.condition(u, a, layout.basis, self.common)

    def given_data(
        self, real: Mapping[str, jax.Array], layout: Layout, tail: jax.Array | None
    ) -> GivenData:
        """Densities of the data given the parameters, and what the data say of the discrepancy.

        Parameters
        ----------
        real
            Values of the parameters on the real line, by name, shape (series,).
        layout
            The data.
        tail
            ln of the degrees of freedom, a scalar, for noise `student_t`; None for another noise.
        """
        if self.amplitude is None:
            density = self.given_earlier(real, layout, tail).log_prob(layout.y)
            each = jnp.where(layout.seen, density, 0.0)
            return GivenData(each, jnp.sum(each), None)
        u, a, log_sd = self.standardised(real, layout)
        terms = discrepancy.condition(u, a, layout.basis, self.common)
        each = discrepancy.log_density_of_each(terms, u, a, layout.basis)
        evidence = discrepancy.evidence_given(terms, u, a, layout.basis)
        unit = log_sd + LOG_ROOT_2PI * layout.seen
        return GivenData(jnp.where(layout.seen, each - unit, 0.0), evidence - jnp.sum(unit), terms)

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
        self,
        key: jax.Array,
        real: Mapping[str, jax.Array],
        layout: Layout,
        *,
        tail: jax.Array | None,
        terms: jax.Array | None,
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
        terms
            Terms of the discrepancy, shape (series, terms); None where the curve is true.

        Returns
        -------
        Array
            Shape (series, runs).
        """
        mean, sd = self.expectation(real, layout)
        if terms is not None:
            values = self.pooling.values(real)
            error = self._amplitude(values)[:, None] * discrepancy.at_runs(layout.basis, terms)
            mean = mean + error * jax.vmap(self.effect)(values, mean)
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


def asymptotes(v: Values) -> tuple[jax.Array, jax.Array]:
    """lo and hi, the accuracies between which a link runs; 0 and 1 where it has no such parameter.

    Parameters
    ----------
    v
        Natural values of the link's parameters.
    """
    nothing = jnp.zeros_like(next(iter(v.values())))
    return v.get("lo", nothing), v.get("hi", nothing + 1.0)
