"""Laws, (N, D) -> loss, written around a reference point, and back to the papers' constants.

Around the reference point the parameters of a law are nearly independent.

To add a law: write its `log_ratio` and its `constants`, add one entry to `LAWS` and one row to the
table in tests/models/test_laws.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayescale.errors import SettingError
from bayescale.models.curve import Ridge, Values, same_slope
from bayescale.models.parameters import Parameter, check_parts, irreducible_normal, logit_normal
from bayescale.models.traces import keep_records
from bayescale.validation import shown


@keep_records
class Point(NamedTuple):
    """n = ln(N/N0), d = ln(D/D0), c = ln(C/C0), u = ln(U/D0): a run relative to the reference.

    U is the number of different tokens among the D tokens; where u = d, no token is repeated.
    """

    n: jax.Array
    d: jax.Array
    c: jax.Array
    u: jax.Array


class Reference(NamedTuple):
    """N0, D0 and C0: the parameters, tokens and FLOPs around which a law is written."""

    params: float
    tokens: float
    flops: float


@dataclass(frozen=True)
class Law:
    """L = L0 exp(log_ratio(theta, point)), L0 the loss at the reference.

    Parameters
    ----------
    name
        The name by which a user asks for the law.
    formula
        The law in the paper's constants, for reports and docs.
    parameters
        All parameters of the law except L0, with their priors.
    log_ratio
        ``(values, Point) -> ln(L / L0)`` for one point. It is zero at the reference; for the law
        `repeated`, zero where its N' and D' are N0 and D0.
    constants
        ``(values with L0, Reference) -> {name: value}``: the constants under the paper's own names.
    ridge
        ``(values, values at a mode, Point) -> {exponent: value}``: the exponents with which the
        slope of ln L at the point is the same as at the mode. Runs determine the slopes, so the
        posterior of exponents and shares follows this curve, and the sampler straightens it. The
        value of an exponent here must not depend on any exponent in the first argument. The ridge
        changes no result; a law without one is sampled more slowly.
    """

    name: str
    formula: str
    parameters: tuple[Parameter, ...]
    log_ratio: Callable[[Values, Point], jax.Array]
    constants: Callable[[Values, Reference], dict[str, jax.Array]]
    ridge: Ridge = lambda v, at, x: {}

    def __post_init__(self) -> None:
        check_parts("law", self, (self.log_ratio, self.constants, self.ridge))


# Largest ln(X / U) of the law `repeated`: e^100 repetitions are worth as much as endless ones, and
# a larger exponent would overflow.
FAR = 100.0
LEVEL = Parameter(
    name="L0",
    support="positive",
    prior=dist.LogNormal(math.log(2.0), 1.0),
    pooling=None,
    source="wide: covers 0.3 bits per byte to 15 nats per token; never pooled",
)
ALPHA = Parameter(
    name="alpha",
    support="positive",
    prior=dist.LogNormal(math.log(0.37), 0.4),
    pooling=0.3,
    source=(
        "0.34 (Hoffmann 2022), 0.348 (Besiroglu 2024), 0.353 (Muennighoff 2023), "
        "0.24-0.27 (Gadre 2024, 2 eta)"
    ),
)
BETA = Parameter(
    name="beta",
    support="positive",
    prior=dist.LogNormal(math.log(0.37), 0.4),
    pooling=0.3,
    source=(
        "0.28 (Hoffmann 2022), 0.366 (Besiroglu 2024), 0.353 (Muennighoff 2023), "
        "0.24-0.27 (Gadre 2024, 2 eta)"
    ),
)
PHI = Parameter(
    name="phi",
    support="irreducible",
    prior=irreducible_normal(0.72, 0.36),
    pooling=0.25,
    source=(
        "about a half: E/L is 0.53 at 0.1B, 0.72 at 1B, 0.92 at 70B parameters, 20 tokens per "
        "parameter, by Besiroglu 2024, so for a large ladder raise it"
    ),
)
PSI = Parameter(
    name="psi",
    support="unit",
    prior=logit_normal(0.0, 0.7),
    pooling=0.5,
    source=(
        "near the compute-optimal frontier, size and tokens explain similar shares "
        "(Besiroglu 2024: beta/(alpha+beta) = 0.51)"
    ),
)
ETA = Parameter(
    name="eta",
    support="positive",
    prior=dist.LogNormal(math.log(0.175), 0.4),
    pooling=0.3,
    source="half of alpha and beta above",
)
GAMMA = Parameter(
    name="gamma",
    support="positive",
    prior=dist.LogNormal(math.log(0.17), 0.4),
    pooling=0.3,
    source="alpha beta / (alpha + beta) = 0.178 with the exponents of Besiroglu 2024",
)
K = Parameter(
    name="k",
    support="positive",
    prior=dist.LogNormal(math.log(0.6), 0.4),
    pooling=0.3,
    source="own fits of public sweeps scatter around 0.6 (1 is chinchilla); ladder2024 is at 0.36",
)
R_STAR_D = Parameter(
    name="r_star_d",
    support="positive",
    prior=dist.LogNormal(math.log(15.4), 0.5),
    pooling=0.3,
    source="15.39 (Muennighoff 2023): repetitions after which a token has lost 63 % of its worth",
)
R_STAR_N = Parameter(
    name="r_star_n",
    support="positive",
    prior=dist.LogNormal(math.log(5.3), 0.5),
    pooling=0.3,
    source="5.31 (Muennighoff 2023): the same for parameters in excess",
)


def _chinchilla(v: Values, x: Point) -> jax.Array:
    """ln(phi + (1 - phi) (psi e^(-alpha n) + (1 - psi) e^(-beta d)))."""
    return jnp.log(
        v["phi"]
        + (1 - v["phi"])
        * (v["psi"] * jnp.exp(-v["alpha"] * x.n) + (1 - v["psi"]) * jnp.exp(-v["beta"] * x.d))
    )


def _chinchilla_constants(v: Values, at: Reference) -> dict[str, jax.Array]:
    """E = L0 phi, A = L0 (1 - phi) psi N0^alpha, B = L0 (1 - phi) (1 - psi) D0^beta."""
    reducible = v["L0"] * (1 - v["phi"])
    return {
        "E": v["L0"] * v["phi"],
        "A": reducible * v["psi"] * at.params ** v["alpha"],
        "B": reducible * (1 - v["psi"]) * at.tokens ** v["beta"],
    }


def _chinchilla_ridge(v: Values, at: Values, x: Point) -> dict[str, jax.Array]:
    """The alpha and the beta with which both slopes are the same as at the mode."""
    scale = (1 - v["phi"]) / (1 - at["phi"])
    return {
        "alpha": same_slope(at["alpha"], scale * v["psi"] / at["psi"], x.n),
        "beta": same_slope(at["beta"], scale * (1 - v["psi"]) / (1 - at["psi"]), x.d),
    }


def _gadre(v: Values, x: Point) -> jax.Array:
    """Chinchilla with alpha = beta = 2 eta."""
    return _chinchilla({**v, "alpha": 2 * v["eta"], "beta": 2 * v["eta"]}, x)


def _gadre_constants(v: Values, at: Reference) -> dict[str, jax.Array]:
    """E = L0 phi, a = L0 (1 - phi) psi N0^(2 eta) 6^eta, b the same with 1 - psi and D0."""
    reducible = v["L0"] * (1 - v["phi"]) * 6.0 ** v["eta"]
    return {
        "E": v["L0"] * v["phi"],
        "a": reducible * v["psi"] * at.params ** (2 * v["eta"]),
        "b": reducible * (1 - v["psi"]) * at.tokens ** (2 * v["eta"]),
    }


def _gadre_ridge(v: Values, at: Values, x: Point) -> dict[str, jax.Array]:
    """The eta with which the slope along the compute is the same as at the mode."""
    return {"eta": same_slope(at["eta"], (1 - v["phi"]) / (1 - at["phi"]), x.n + x.d)}


def _compute(v: Values, x: Point) -> jax.Array:
    """ln(phi + (1 - phi) e^(-gamma c))."""
    return jnp.log(v["phi"] + (1 - v["phi"]) * jnp.exp(-v["gamma"] * x.c))


def _compute_constants(v: Values, at: Reference) -> dict[str, jax.Array]:
    """E = L0 phi, A = L0 (1 - phi) C0^gamma."""
    return {"E": v["L0"] * v["phi"], "A": v["L0"] * (1 - v["phi"]) * at.flops ** v["gamma"]}


def _compute_ridge(v: Values, at: Values, x: Point) -> dict[str, jax.Array]:
    """The gamma with which the slope is the same as at the mode."""
    return {"gamma": same_slope(at["gamma"], (1 - v["phi"]) / (1 - at["phi"]), x.c)}


def _skaling(v: Values, x: Point) -> jax.Array:
    """ln(phi + (1 - phi) (psi e^(-alpha n / k) + (1 - psi) e^(-beta d / k))^k)."""
    return jnp.log(v["phi"] + (1 - v["phi"]) * jnp.exp(v["k"] * jnp.logaddexp(*_addends(v, x))))


def _addends(v: Values, x: Point) -> tuple[jax.Array, jax.Array]:
    """ln of the two terms under the power k: psi e^(-alpha n / k), (1 - psi) e^(-beta d / k)."""
    by_size = jnp.log(v["psi"]) - v["alpha"] * x.n / v["k"]
    by_tokens = jnp.log1p(-v["psi"]) - v["beta"] * x.d / v["k"]
    return by_size, by_tokens


def _skaling_constants(v: Values, at: Reference) -> dict[str, jax.Array]:
    """E = L0 phi, A = L0 (1 - phi) psi^k N0^alpha, B = L0 (1 - phi) (1 - psi)^k D0^beta."""
    reducible = v["L0"] * (1 - v["phi"])
    return {
        "E": v["L0"] * v["phi"],
        "A": reducible * v["psi"] ** v["k"] * at.params ** v["alpha"],
        "B": reducible * (1 - v["psi"]) ** v["k"] * at.tokens ** v["beta"],
    }


def _skaling_ridge(v: Values, at: Values, x: Point) -> dict[str, jax.Array]:
    """The alpha and the beta with which both slopes are the same as at the mode.

    Two steps of Newton's method on ln alpha and ln beta.
    """
    # Only places below the reference, as in `same_slope`.
    x = x._replace(n=jnp.minimum(x.n, 0.0), d=jnp.minimum(x.d, 0.0))

    def log_slopes(w: Values) -> tuple[jax.Array, jax.Array, jax.Array]:
        """ln of both slopes of L, and the share of size in the sum."""
        by_size, by_tokens = _addends(w, x)
        rest = jnp.log1p(-w["phi"]) + (w["k"] - 1) * jnp.logaddexp(by_size, by_tokens)
        return (
            jnp.log(w["alpha"]) + by_size + rest,
            jnp.log(w["beta"]) + by_tokens + rest,
            jax.nn.sigmoid(by_size - by_tokens),
        )

    wanted_size, wanted_tokens, _ = log_slopes(at)
    now = {**v, "alpha": at["alpha"], "beta": at["beta"]}
    for _ in range(2):
        slope_size, slope_tokens, share = log_slopes(now)
        # alpha and beta change both slopes alike through the sum. So the Jacobian in ln alpha and
        # ln beta is a diagonal plus a matrix of two equal rows, here divided by that diagonal.
        diagonal_size = 1 - now["alpha"] * x.n / v["k"]
        diagonal_tokens = 1 - now["beta"] * x.d / v["k"]
        off_size = slope_size - wanted_size
        off_tokens = slope_tokens - wanted_tokens
        row_size = (v["k"] - 1) * share * (1 - 1 / diagonal_size)
        row_tokens = (v["k"] - 1) * (1 - share) * (1 - 1 / diagonal_tokens)
        common = (row_size * off_size + row_tokens * off_tokens) / (1 + row_size + row_tokens)
        now |= {
            "alpha": now["alpha"] * jnp.exp((common - off_size) / diagonal_size),
            "beta": now["beta"] * jnp.exp((common - off_tokens) / diagonal_tokens),
        }
    return {"alpha": now["alpha"], "beta": now["beta"]}


def _repeated(v: Values, x: Point) -> jax.Array:
    """Chinchilla at the effective N' and D'."""
    return _chinchilla(v, _worth(v, x))


def _repeated_ridge(v: Values, at: Values, x: Point) -> dict[str, jax.Array]:
    """The ridge of chinchilla at the N' and D' of the mode."""
    return _chinchilla_ridge(v, at, _worth(at, x))


def _worth(v: Values, x: Point) -> Point:
    """The point at ln(N'/N0) and ln(D'/D0), N' and D' what N and D are worth.

    U_N, the size that is compute-optimal for U tokens, at most N, has
    ln(U_N/N0) = min(n, (ln(alpha psi / (beta (1 - psi))) + beta u) / alpha).
    """
    optimal = (
        jnp.log(v["alpha"] * v["psi"]) - jnp.log(v["beta"] * (1 - v["psi"])) + v["beta"] * x.u
    ) / v["alpha"]
    return x._replace(
        n=_diminished(x.n, jnp.minimum(x.n, optimal), v["r_star_n"]),
        d=_diminished(x.d, x.u, v["r_star_d"]),
    )


def _diminished(place: jax.Array, first: jax.Array, r_star: jax.Array) -> jax.Array:
    """ln(U + U R* (1 - e^(-R/R*))), R = X/U - 1, from ln X (`place`) and ln U (`first`)."""
    repeats = jnp.expm1(jnp.minimum(place - first, FAR))
    return first + jnp.log1p(-r_star * jnp.expm1(-repeats / r_star))


LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law(
            name="chinchilla",
            formula="L = E + A N^-alpha + B D^-beta",
            parameters=(PHI, PSI, ALPHA, BETA),
            log_ratio=_chinchilla,
            constants=_chinchilla_constants,
            ridge=_chinchilla_ridge,
        ),
        Law(
            name="gadre",
            formula="L = E + (a M^eta + b M^-eta) C^-eta, M = D/N, C = 6ND",
            parameters=(PHI, PSI, ETA),
            log_ratio=_gadre,
            constants=_gadre_constants,
            ridge=_gadre_ridge,
        ),
        Law(
            name="compute",
            formula="L = E + A C^-gamma",
            parameters=(PHI, GAMMA),
            log_ratio=_compute,
            constants=_compute_constants,
            ridge=_compute_ridge,
        ),
        Law(
            name="skaling",
            formula="L = E + (A^(1/k) N^(-alpha/k) + B^(1/k) D^(-beta/k))^k",
            parameters=(PHI, PSI, ALPHA, BETA, K),
            log_ratio=_skaling,
            constants=_skaling_constants,
            ridge=_skaling_ridge,
        ),
        Law(
            name="repeated",
            formula=(
                "L = E + A N'^-alpha + B D'^-beta, "
                "X' = U_X + U_X R*_X (1 - e^(-R_X/R*_X)), R_X = X/U_X - 1"
            ),
            parameters=(PHI, PSI, ALPHA, BETA, R_STAR_D, R_STAR_N),
            log_ratio=_repeated,
            constants=_chinchilla_constants,
            ridge=_repeated_ridge,
        ),
    )
}


def get_law(law: str | Law) -> Law:
    """The law of that name, or the law itself where the user brings one.

    Parameters
    ----------
    law
        A name in `LAWS`, or a `Law`.

    Raises
    ------
    SettingError
        For an unknown name.
    """
    if isinstance(law, Law):
        return law
    if not isinstance(law, str) or law not in LAWS:
        raise SettingError(
            "law",
            rule=f"must be a Law or one of {', '.join(LAWS)}",
            got=shown(law),
            way_out="fix the name, or pass a Law of your own",
        )
    return LAWS[law]
