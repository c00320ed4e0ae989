"""Laws: (N, D) -> loss, each around a reference point so that its parameters are nearly independent, and back to the papers' constants.

To add a law: write its `log_ratio` and its `constants`, add one line to `LAWS`, one row to the table in tests/test_laws.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayescale.errors import SettingError
from bayescale.parameters import Parameter, irreducible_normal, logit_normal

type Values = Mapping[str, jax.Array]
type Ridge = Callable[[Values, Values, Any], dict[str, jax.Array]]


class Point(NamedTuple):
    """n = ln(N/N0), d = ln(D/D0), c = ln(C/C0): one run's place relative to the reference."""

    n: jax.Array
    d: jax.Array
    c: jax.Array


class Reference(NamedTuple):
    """N0, D0 and C0 (parameters, tokens, FLOPs): the point around which a law is written."""

    params: float
    tokens: float
    flops: float


@dataclass(frozen=True)
class Law:
    """L = L0 exp(log_ratio(theta, point)), L0 the loss at the reference.

    Parameters
    ----------
    name
        How it is asked for.
    formula
        As it stands in the docs.
    parameters
        All but L0, with their priors.
    log_ratio
        ``(values, Point) -> ln(L / L0)`` for one point, zero at the reference.
    constants
        ``(values with L0, Reference) -> {name: value}``: the constants under the paper's own names.
    ridge
        ``(values, values at a mode, Point) -> {exponent: the value at which the slope of ln L at that point is what it is at the mode}``. Runs
        determine the slopes, so the posterior of exponents and shares follows that curve, which the sampler straightens. An exponent's value
        here must not depend on any exponent in `values`. It changes no result; a law without it is sampled more slowly.
    """

    name: str
    formula: str
    parameters: tuple[Parameter, ...]
    log_ratio: Callable[[Values, Point], jax.Array]
    constants: Callable[[Values, Reference], dict[str, jax.Array]]
    ridge: Ridge = lambda v, at, x: {}


LEVEL = Parameter("L0", "positive", dist.LogNormal(math.log(2.0), 1.0), None, "wide: covers 0.3 bits a byte to 15 nats a token; never pooled")
ALPHA = Parameter(
    "alpha",
    "positive",
    dist.LogNormal(math.log(0.37), 0.4),
    0.3,
    "0.34 (Hoffmann 2022), 0.348 (Besiroglu 2024), 0.353 (Muennighoff 2023), 0.24-0.27 (Gadre 2024, 2 eta)",
)
BETA = Parameter(
    "beta",
    "positive",
    dist.LogNormal(math.log(0.37), 0.4),
    0.3,
    "0.28 (Hoffmann 2022), 0.366 (Besiroglu 2024), 0.353 (Muennighoff 2023), 0.24-0.27 (Gadre 2024, 2 eta)",
)
PHI = Parameter(
    "phi",
    "irreducible",
    irreducible_normal(0.72, 0.36),
    0.25,
    "about a half: E/L is 0.53 at 0.1B, 0.72 at 1B, 0.92 at 70B parameters, 20 tokens each, by Besiroglu 2024, so for a large ladder raise it",
)
PSI = Parameter(
    "psi",
    "unit",
    logit_normal(0.0, 0.7),
    0.5,
    "near the compute-optimal frontier size and tokens explain like shares (Besiroglu 2024: beta/(alpha+beta) = 0.51)",
)
ETA = Parameter("eta", "positive", dist.LogNormal(math.log(0.175), 0.4), 0.3, "half of alpha, beta above")
GAMMA = Parameter("gamma", "positive", dist.LogNormal(math.log(0.17), 0.4), 0.3, "alpha beta / (alpha + beta) = 0.178 with the exponents of Besiroglu 2024")


def _chinchilla(v: Values, x: Point) -> jax.Array:
    return jnp.log(v["phi"] + (1 - v["phi"]) * (v["psi"] * jnp.exp(-v["alpha"] * x.n) + (1 - v["psi"]) * jnp.exp(-v["beta"] * x.d)))


def _chinchilla_constants(v: Values, at: Reference) -> dict[str, jax.Array]:
    reducible = v["L0"] * (1 - v["phi"])
    return {
        "E": v["L0"] * v["phi"],
        "A": reducible * v["psi"] * at.params ** v["alpha"],
        "B": reducible * (1 - v["psi"]) * at.tokens ** v["beta"],
    }


def _chinchilla_ridge(v: Values, at: Values, x: Point) -> dict[str, jax.Array]:
    factor = (1 - v["phi"]) / (1 - at["phi"])
    return {
        "alpha": _same_slope(at["alpha"], factor * v["psi"] / at["psi"], x.n),
        "beta": _same_slope(at["beta"], factor * (1 - v["psi"]) / (1 - at["psi"]), x.d),
    }


def _same_slope(exponent: jax.Array, factor: jax.Array, place: jax.Array) -> jax.Array:
    """The e that solves factor e exp(-e t) = exponent exp(-exponent t), t the place along the axis: the slope is what it was before the factor.

    By two steps of Newton's method on ln e - e t, which is concave and increasing where t < 0, as it is at the centre of the runs.
    """
    lever = jnp.maximum(-place, 0.0)
    total = jnp.log(exponent) + lever * exponent - jnp.log(factor)
    log_e = jnp.log(exponent) - jnp.log(factor) / (1 + lever * exponent)
    for _ in range(2):
        e = jnp.exp(log_e)
        log_e = log_e - (log_e + lever * e - total) / (1 + lever * e)
    return jnp.exp(log_e)


def _gadre(v: Values, x: Point) -> jax.Array:
    return _chinchilla({**v, "alpha": 2 * v["eta"], "beta": 2 * v["eta"]}, x)


def _gadre_constants(v: Values, at: Reference) -> dict[str, jax.Array]:
    reducible = v["L0"] * (1 - v["phi"]) * 6.0 ** v["eta"]
    return {
        "E": v["L0"] * v["phi"],
        "a": reducible * v["psi"] * at.params ** (2 * v["eta"]),
        "b": reducible * (1 - v["psi"]) * at.tokens ** (2 * v["eta"]),
    }


def _gadre_ridge(v: Values, at: Values, x: Point) -> dict[str, jax.Array]:
    return {"eta": _same_slope(at["eta"], (1 - v["phi"]) / (1 - at["phi"]), x.n + x.d)}


def _compute_ridge(v: Values, at: Values, x: Point) -> dict[str, jax.Array]:
    return {"gamma": _same_slope(at["gamma"], (1 - v["phi"]) / (1 - at["phi"]), x.c)}


def _compute(v: Values, x: Point) -> jax.Array:
    return jnp.log(v["phi"] + (1 - v["phi"]) * jnp.exp(-v["gamma"] * x.c))


def _compute_constants(v: Values, at: Reference) -> dict[str, jax.Array]:
    return {"E": v["L0"] * v["phi"], "A": v["L0"] * (1 - v["phi"]) * at.flops ** v["gamma"]}


LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law("chinchilla", "L = E + A N^-alpha + B D^-beta", (PHI, PSI, ALPHA, BETA), _chinchilla, _chinchilla_constants, _chinchilla_ridge),
        Law("gadre", "L = E + (a M^eta + b M^-eta) C^-eta, M = D/N, C = 6ND", (PHI, PSI, ETA), _gadre, _gadre_constants, _gadre_ridge),
        Law("compute", "L = E + A C^-gamma", (PHI, GAMMA), _compute, _compute_constants, _compute_ridge),
    )
}


def get_law(law: str | Law) -> Law:
    """The law of that name, or the law itself where the user brings one."""
    if isinstance(law, Law):
        return law
    if law not in LAWS:
        raise SettingError("law", rule=f"must be a Law or one of {', '.join(LAWS)}", got=repr(law), way_out="mend the name, or pass a Law of your own")
    return LAWS[law]
