"""Laws: (N, D) -> loss, each around a reference point so that its parameters are nearly
independent, and back to the papers' constants.

To add a law: write its `log_ratio` and its `constants`, add one line to `LAWS`, one row to the
table in tests/test_laws.py.
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
from bayescale.models.parameters import Parameter, irreducible_normal, logit_normal

type Values = Mapping[str, jax.Array]
type Ridge = Callable[[Values, Values, Any], dict[str, jax.Array]]


class Point(NamedTuple):
    """n = ln(N/N0), d = ln(D/D0), c = ln(C/C0), u = ln(U/D0), U of the D tokens unique: one run's
    place relative to the reference; u = d repeats nothing.
    """

    n: jax.Array
    d: jax.Array
    c: jax.Array
    u: jax.Array


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
        ``(values, Point) -> ln(L / L0)`` for one point, zero at the reference (law `repeated`:
        where its N' and D' are N0 and D0).
    constants
        ``(values with L0, Reference) -> {name: value}``: the constants under the paper's own names.
    ridge
        ``(values, values at a mode, Point) -> {exponent: the value at which the slope of ln L at
        that point is what it is at the mode}``. Runs determine the slopes, so the posterior of
        exponents and shares follows that curve, which the sampler straightens. An exponent's value
        here must not depend on any exponent in `values`. It changes no result; a law without it is
        sampled more slowly.
    drift
        Prior sd of the law's error, in log loss an e-fold of compute beyond the ladder
        (`bayescale.extrapolation.discrepancy`), from public sweeps.
    """

    name: str
    formula: str
    parameters: tuple[Parameter, ...]
    log_ratio: Callable[[Values, Point], jax.Array]
    constants: Callable[[Values, Reference], dict[str, jax.Array]]
    ridge: Ridge = lambda v, at, x: {}
    drift: float = 0.011


FAR = 100.0  # e^100 repeats are worth what endless ones are; more would overflow
LEVEL = Parameter(
    "L0",
    "positive",
    dist.LogNormal(math.log(2.0), 1.0),
    None,
    "wide: covers 0.3 bits a byte to 15 nats a token; never pooled",
)
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
ETA = Parameter(
    "eta", "positive", dist.LogNormal(math.log(0.175), 0.4), 0.3, "half of alpha, beta above"
)
GAMMA = Parameter(
    "gamma",
    "positive",
    dist.LogNormal(math.log(0.17), 0.4),
    0.3,
    "alpha beta / (alpha + beta) = 0.178 with the exponents of Besiroglu 2024",
)
K = Parameter(
    "k",
    "positive",
    dist.LogNormal(math.log(0.6), 0.4),
    0.3,
    "own fits of public sweeps scatter around 0.6; 1 is chinchilla, the ladder of 2024 asks for 0.36",
)
R_STAR_D = Parameter(
    "r_star_d",
    "positive",
    dist.LogNormal(math.log(15.4), 0.5),
    0.3,
    "15.39 (Muennighoff 2023): repetitions after which a token has lost 63 % of its worth",
)
R_STAR_N = Parameter(
    "r_star_n",
    "positive",
    dist.LogNormal(math.log(5.3), 0.5),
    0.3,
    "5.31 (Muennighoff 2023): the same for parameters in excess",
)


def _chinchilla(v: Values, x: Point) -> jax.Array:
    return jnp.log(
        v["phi"]
        + (1 - v["phi"])
        * (v["psi"] * jnp.exp(-v["alpha"] * x.n) + (1 - v["psi"]) * jnp.exp(-v["beta"] * x.d))
    )


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
        "alpha": same_slope(at["alpha"], factor * v["psi"] / at["psi"], x.n),
        "beta": same_slope(at["beta"], factor * (1 - v["psi"]) / (1 - at["psi"]), x.d),
    }


def same_slope(exponent: jax.Array, factor: jax.Array, place: jax.Array) -> jax.Array:
    """The e that solves factor e exp(-e t) = exponent exp(-exponent t), t the place along the axis:
    the slope is what it was before the factor.

    By two steps of Newton's method on ln e - e t, which is concave and increasing where t < 0, as
    it is at the centre of the runs.
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
    return {"eta": same_slope(at["eta"], (1 - v["phi"]) / (1 - at["phi"]), x.n + x.d)}


def _compute_ridge(v: Values, at: Values, x: Point) -> dict[str, jax.Array]:
    return {"gamma": same_slope(at["gamma"], (1 - v["phi"]) / (1 - at["phi"]), x.c)}


def _compute(v: Values, x: Point) -> jax.Array:
    return jnp.log(v["phi"] + (1 - v["phi"]) * jnp.exp(-v["gamma"] * x.c))


def _compute_constants(v: Values, at: Reference) -> dict[str, jax.Array]:
    return {"E": v["L0"] * v["phi"], "A": v["L0"] * (1 - v["phi"]) * at.flops ** v["gamma"]}


def _skaling(v: Values, x: Point) -> jax.Array:
    return jnp.log(v["phi"] + (1 - v["phi"]) * jnp.exp(v["k"] * jnp.logaddexp(*_addends(v, x))))


def _addends(v: Values, x: Point) -> tuple[jax.Array, jax.Array]:
    """Ln of what size and tokens bring to the sum under the power k."""
    return jnp.log(v["psi"]) - v["alpha"] * x.n / v["k"], jnp.log1p(-v["psi"]) - v[
        "beta"
    ] * x.d / v["k"]


def _skaling_constants(v: Values, at: Reference) -> dict[str, jax.Array]:
    reducible = v["L0"] * (1 - v["phi"])
    return {
        "E": v["L0"] * v["phi"],
        "A": reducible * v["psi"] ** v["k"] * at.params ** v["alpha"],
        "B": reducible * (1 - v["psi"]) ** v["k"] * at.tokens ** v["beta"],
    }


def _skaling_ridge(v: Values, at: Values, x: Point) -> dict[str, jax.Array]:
    """Both slopes kept, by two steps of Newton's method on ln alpha and ln beta; all hang together
    through the sum, so a step solves diag + one row.
    """
    x = x._replace(n=jnp.minimum(x.n, 0.0), d=jnp.minimum(x.d, 0.0))

    def log_slopes(w: Values) -> tuple[jax.Array, jax.Array, jax.Array]:
        by_size, by_tokens = _addends(w, x)
        rest = jnp.log1p(-w["phi"]) + (w["k"] - 1) * jnp.logaddexp(by_size, by_tokens)
        return (
            jnp.log(w["alpha"]) + by_size + rest,
            jnp.log(w["beta"]) + by_tokens + rest,
            jax.nn.sigmoid(by_size - by_tokens),
        )

    wanted, now = log_slopes(at), {**v, "alpha": at["alpha"], "beta": at["beta"]}
    for _ in range(2):
        slopes = log_slopes(now)
        one, two = 1 - now["alpha"] * x.n / v["k"], 1 - now["beta"] * x.d / v["k"]
        off_one, off_two = slopes[0] - wanted[0], slopes[1] - wanted[1]
        row_one, row_two = (
            (v["k"] - 1) * slopes[2] * (1 - 1 / one),
            (v["k"] - 1) * (1 - slopes[2]) * (1 - 1 / two),
        )
        both = (row_one * off_one + row_two * off_two) / (1 + row_one + row_two)
        now |= {
            "alpha": now["alpha"] * jnp.exp((both - off_one) / one),
            "beta": now["beta"] * jnp.exp((both - off_two) / two),
        }
    return {"alpha": now["alpha"], "beta": now["beta"]}


def _repeated(v: Values, x: Point) -> jax.Array:
    return _chinchilla(v, _worth(v, x))


def _repeated_ridge(v: Values, at: Values, x: Point) -> dict[str, jax.Array]:
    return _chinchilla_ridge(v, at, _worth(at, x))


def _worth(v: Values, x: Point) -> Point:
    """ln(N'/N0), ln(D'/D0), with ln(U_N/N0) = min(n, (ln(alpha psi / (beta (1 - psi))) + beta u) /
    alpha), for U_N is compute-optimal for U tokens.
    """
    enough = (
        jnp.log(v["alpha"] * v["psi"]) - jnp.log(v["beta"] * (1 - v["psi"])) + v["beta"] * x.u
    ) / v["alpha"]
    return x._replace(
        n=_diminished(x.n, jnp.minimum(x.n, enough), v["r_star_n"]),
        d=_diminished(x.d, x.u, v["r_star_d"]),
    )


def _diminished(place: jax.Array, first: jax.Array, r_star: jax.Array) -> jax.Array:
    """ln(U + U R* (1 - e^(-R/R*))), R = X/U - 1, from ln X and ln U."""
    repeats = jnp.expm1(jnp.minimum(place - first, FAR))
    return first + jnp.log1p(-r_star * jnp.expm1(-repeats / r_star))


LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law(
            "chinchilla",
            "L = E + A N^-alpha + B D^-beta",
            (PHI, PSI, ALPHA, BETA),
            _chinchilla,
            _chinchilla_constants,
            _chinchilla_ridge,
        ),
        Law(
            "gadre",
            "L = E + (a M^eta + b M^-eta) C^-eta, M = D/N, C = 6ND",
            (PHI, PSI, ETA),
            _gadre,
            _gadre_constants,
            _gadre_ridge,
        ),
        Law(
            "compute",
            "L = E + A C^-gamma",
            (PHI, GAMMA),
            _compute,
            _compute_constants,
            _compute_ridge,
        ),
        Law(
            "skaling",
            "L = E + (A^(1/k) N^(-alpha/k) + B^(1/k) D^(-beta/k))^k",
            (PHI, PSI, ALPHA, BETA, K),
            _skaling,
            _skaling_constants,
            _skaling_ridge,
            drift=0.007,
        ),
        Law(
            "repeated",
            "L = E + A N'^-alpha + B D'^-beta, X' = U_X + U_X R*_X (1 - e^(-R_X/R*_X)), R_X = X/U_X - 1",
            (PHI, PSI, ALPHA, BETA, R_STAR_D, R_STAR_N),
            _repeated,
            _chinchilla_constants,
            _repeated_ridge,
        ),
    )
}


def get_law(law: str | Law) -> Law:
    """The law of that name, or the law itself where the user brings one."""
    if isinstance(law, Law):
        return law
    if law not in LAWS:
        raise SettingError(
            "law",
            rule=f"must be a Law or one of {', '.join(LAWS)}",
            got=repr(law),
            way_out="mend the name, or pass a Law of your own",
        )
    return LAWS[law]
