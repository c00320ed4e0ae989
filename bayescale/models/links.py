"""Links: loss -> accuracy, written on the standardised loss, and back to the papers' constants.

To add a link: write its `accuracy` and its `constants`, add one line to `LINKS`, one row to the
table in tests/test_links.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from bayescale.errors import SettingError
from bayescale.models.laws import Ridge, Values
from bayescale.models.parameters import NORMAL_95, Parameter, logit_normal


@dataclass(frozen=True)
class Link:
    """accuracy = f(values, z), z = (L - centre) / scale: the loss, standardised by the runs that
    the link is fitted on.

    Parameters
    ----------
    name
        How it is asked for.
    formula
        As it stands in the docs.
    parameters
        All of them, with their priors. A parameter named ``lo`` has its prior set at each task's
        chance.
    accuracy
        ``(values, z) -> accuracy`` for one point; decreasing in z.
    constants
        ``(values, centre, scale) -> {name: value}``: the constants under the paper's own names, in
        units of the loss.
    ridge
        As a law's (`bayescale.models.laws.Law`): the values at which the accuracies one sd of loss
        to either side of the mean are what they are at a mode.
    """

    name: str
    formula: str
    parameters: tuple[Parameter, ...]
    accuracy: Callable[[Values, jax.Array], jax.Array]
    constants: Callable[[Values, jax.Array, jax.Array], dict[str, jax.Array]]
    ridge: Ridge = lambda v, at, x: {}


# sd of lo around chance: the weakest public models scatter that far around it (answer bias)
CHANCE_SD = 0.02
# standardised losses of a weak and a strong run: the accuracies there are what the runs of a ladder
# determine
ENDS = (1.0, -1.0)
UNSEEN = 1e-3  # of accuracy: a thousand questions do not tell less
CHANCE_FLOOR = 0.002  # a task that cannot be guessed still has a little to get right by luck
LO = Parameter(
    "lo",
    "unit",
    logit_normal(-1.1, 0.1),
    None,
    "chance, sd 0.02: where public models of 10M parameters sit",
)
HI = Parameter(
    "hi",
    "unit",
    logit_normal(3.5, 0.5),
    None,
    "near 1, because the questions can be answered; label noise keeps it a little below (0.97, 90 %: 0.94-0.99)",
)
SLOPE = Parameter(
    "slope",
    "positive",
    dist.LogNormal(0.0, 0.7),
    0.5,
    "logits per sd of loss: a ladder spans 3 to 4 sd, a task gains 0.25 to 4 logits a sd",
)
MIDDLE = Parameter(
    "middle",
    "unit",
    logit_normal(-0.5, 1.0),
    None,
    "accuracy gained at the mean loss, as a share of what lies above lo: wide, covers 10 % to 76 %",
)
NU = Parameter(
    "nu",
    "positive",
    dist.LogNormal(0.0, 0.5),
    0.3,
    "1 is the logistic; 0.44 to 2.3 (90 %) lets either end of the curve be the longer one",
)
RATE = Parameter(
    "rate",
    "positive",
    dist.LogNormal(math.log(0.6), 0.5),
    0.5,
    "e-folds per sd of loss: gamma 0.7-1.0 (Gadre 2024) times a loss sd of 0.5 to 1",
)


def lo_prior(chance: np.ndarray) -> dist.Distribution:
    """Logit(lo) ~ Normal(logit(chance), sd) for each series, its 95 % quantile where that of
    Normal(chance, 0.02) is; chance at least 0.002.
    """
    p = np.maximum(chance, CHANCE_FLOOR)
    middle, upper = (
        np.log(q / (1 - q)) for q in (p, np.minimum(p + NORMAL_95 * CHANCE_SD, (1 + p) / 2))
    )
    return logit_normal(middle, (upper - middle) / NORMAL_95)


def _logistic(v: Values, z: jax.Array) -> jax.Array:
    return v["lo"] + (v["hi"] - v["lo"]) * jax.nn.sigmoid(_logit_at_mean(v) - v["slope"] * z)


def _logit_at_mean(v: Values) -> jax.Array:
    """logit(q), q = (gain at the mean loss) / (hi - lo) = middle / share, kept below 1 by (1 +
    (middle/share)^8)^(1/8).

    The gain and not q is the parameter because the runs determine the gain, whatever hi may be.
    """
    ratio = v["middle"] * (1 - v["lo"]) / (v["hi"] - v["lo"])
    q = ratio / (1 + ratio**8) ** 0.125
    return jnp.log(q) - jnp.log1p(-q)


def _logistic_constants(v: Values, centre: jax.Array, scale: jax.Array) -> dict[str, jax.Array]:
    return {"kappa": v["slope"] / scale, "m": centre + scale * _logit_at_mean(v) / v["slope"]}


def _logistic_ridge(v: Values, at: Values, _: jax.Array) -> dict[str, jax.Array]:
    logit = []
    for z in ENDS:
        accuracy = _logistic(at, z)
        above, below = (
            _moved(accuracy - at["lo"], at["lo"] - v["lo"]),
            _moved(at["hi"] - accuracy, v["hi"] - at["hi"]),
        )
        logit.append(jnp.log(above / below))
    q = jax.nn.sigmoid((logit[0] + logit[1]) / 2)
    ratio = q / (1 - q**8) ** 0.125
    return {
        "middle": jnp.minimum(ratio * (v["hi"] - v["lo"]) / (1 - v["lo"]), 0.999),
        "slope": (logit[1] - logit[0]) / 2,
    }


def _asymmetric(v: Values, z: jax.Array) -> jax.Array:
    logit, steepness = _richards(v)
    return v["lo"] + (v["hi"] - v["lo"]) * jnp.exp(
        v["nu"] * jax.nn.log_sigmoid(logit - steepness * z)
    )


def _richards(v: Values) -> tuple[jax.Array, jax.Array]:
    """Logit(q^(1/nu)) and slope (1 - q) / (nu (1 - q^(1/nu))): the share gained at the mean loss is
    q and falls by slope logits a sd there, whatever nu is.
    """
    logit_q = _logit_at_mean(v)
    log_p = jax.nn.log_sigmoid(logit_q) / v["nu"]
    rest = -jnp.expm1(log_p)
    return log_p - jnp.log(rest), v["slope"] * jax.nn.sigmoid(-logit_q) / (v["nu"] * rest)


def _asymmetric_constants(v: Values, centre: jax.Array, scale: jax.Array) -> dict[str, jax.Array]:
    logit, steepness = _richards(v)
    return {"kappa": steepness / scale, "m": centre + scale * logit / steepness}


def _asymmetric_ridge(v: Values, at: Values, _: jax.Array) -> dict[str, jax.Array]:
    """That of the logistic, under the mode's nu: following nu as well sampled a little faster, but
    diverged where nu comes near 0.
    """
    nu, logit = at["nu"], []
    for z in ENDS:
        accuracy = _asymmetric(at, z)
        above, below = (
            _moved(accuracy - at["lo"], at["lo"] - v["lo"]),
            _moved(at["hi"] - accuracy, v["hi"] - at["hi"]),
        )
        log_p = -jnp.log1p(below / above) / nu
        logit.append(log_p - jnp.log(-jnp.expm1(log_p)))
    middle, steepness = (logit[0] + logit[1]) / 2, (logit[1] - logit[0]) / 2
    q = jnp.exp(nu * jax.nn.log_sigmoid(middle))
    ratio = q / (1 - q**8) ** 0.125
    slope = steepness * nu * jax.nn.sigmoid(-middle) / (1 - q)
    return {
        "middle": jnp.minimum(ratio * (v["hi"] - v["lo"]) / (1 - v["lo"]), 0.999),
        "slope": slope,
    }


def _exponential_ridge(v: Values, at: Values, _: jax.Array) -> dict[str, jax.Array]:
    weak, strong = (_moved(_exponential(at, z) - at["lo"], at["lo"] - v["lo"]) for z in ENDS)
    return {
        "middle": jnp.minimum(jnp.sqrt(weak * strong) / (1 - v["lo"]), 0.999),
        "rate": jnp.log(strong / weak) / 2,
    }


def _moved(gap: jax.Array, change: jax.Array) -> jax.Array:
    """The gap and its change, as far as runs can tell: not less than a quarter of the gap, nor more
    than four times; and no change of a nil gap.

    Beyond that the runs forbid what a straight ridge would follow to infinity: a task that no weak
    run solves has a gap of 1e-8 there, which is 1e-4 as far as its questions can tell.
    """
    left = jax.nn.softplus(4 * (1 + change / (0.75 * (gap + UNSEEN)))) / jax.nn.softplus(4.0)
    factor = 0.25 + 0.75 * left
    return gap * jnp.where(factor < 1, factor, 4 - 3 * jnp.exp((1 - factor) / 3))


def _exponential(v: Values, z: jax.Array) -> jax.Array:
    return v["lo"] + (1 - v["lo"]) * v["middle"] * jnp.exp(-v["rate"] * z)


def _exponential_constants(v: Values, centre: jax.Array, scale: jax.Array) -> dict[str, jax.Array]:
    gamma = v["rate"] / scale
    return {
        "eps": 1 - v["lo"],
        "k": (1 - v["lo"]) * v["middle"] * jnp.exp(gamma * centre),
        "gamma": gamma,
    }


LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link(
            "logistic",
            "acc = lo + (hi - lo) sigmoid(kappa (m - L))",
            (LO, HI, MIDDLE, SLOPE),
            _logistic,
            _logistic_constants,
            _logistic_ridge,
        ),
        Link(
            "exponential",
            "acc = 1 - (eps - k e^(-gamma L))",
            (LO, MIDDLE, RATE),
            _exponential,
            _exponential_constants,
            _exponential_ridge,
        ),
        Link(
            "asymmetric",
            "acc = lo + (hi - lo) sigmoid(kappa (m - L))^nu",
            (LO, HI, MIDDLE, SLOPE, NU),
            _asymmetric,
            _asymmetric_constants,
            _asymmetric_ridge,
        ),
    )
}


def get_link(link: str | Link) -> Link:
    """The link of that name, or the link itself where the user brings one."""
    if isinstance(link, Link):
        return link
    if link not in LINKS:
        raise SettingError(
            "link",
            rule=f"must be a Link or one of {', '.join(LINKS)}",
            got=repr(link),
            way_out="mend the name, or pass a Link of your own",
        )
    return LINKS[link]
