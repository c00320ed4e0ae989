"""Links, loss -> accuracy, written on the standardised loss, and back to the papers' constants.

To add a link: write its `accuracy` and its `constants`, add one entry to `LINKS` and one row to the
table in tests/models/test_links.py.
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
from bayescale.models.curve import Ridge, Values
from bayescale.models.parameters import NORMAL_95, Parameter, check_parts, logit_normal
from bayescale.validation import shown


@dataclass(frozen=True)
class Link:
    """accuracy = f(values, z), z = (L - centre) / scale.

    z is the standardised loss: centre and scale are the mean and the standard deviation of the loss
    over the runs that the link is fitted on.

    Parameters
    ----------
    name
        The name by which a user asks for the link.
    formula
        The link in the paper's constants, for reports and docs.
    parameters
        All parameters of the link, with their priors. The prior of a parameter named ``lo`` is
        replaced: it lies at each task's chance.
    accuracy
        ``(values, z) -> accuracy`` for one point; decreasing in z.
    constants
        ``(values, centre, scale) -> {name: value}``: the constants under the paper's own names, in
        units of the loss.
    ridge
        ``(values, values at a mode, point) -> {parameter: value}``: the values with which the
        accuracies one standard deviation of loss below and above the mean are the same as at the
        mode. It changes no result; a link without one is sampled more slowly.
    """

    name: str
    formula: str
    parameters: tuple[Parameter, ...]
    accuracy: Callable[[Values, jax.Array], jax.Array]
    constants: Callable[[Values, jax.Array, jax.Array], dict[str, jax.Array]]
    ridge: Ridge = lambda v, at, x: {}

    def __post_init__(self) -> None:
        check_parts("link", self, (self.accuracy, self.constants, self.ridge))


# Standard deviation of lo around chance: the accuracies of the weakest public models scatter that
# far around it, because they prefer some answers.
CHANCE_SD = 0.02
# Standardised losses of a weak and of a strong run: the runs of a ladder determine the accuracies
# at these losses.
ENDS = (1.0, -1.0)
# Differences of accuracy below this one are not seen: a thousand questions cannot tell them.
UNSEEN = 1e-3
# Least chance of a task: even where an answer cannot be guessed, some are right by luck.
CHANCE_FLOOR = 0.002
# Largest `middle` of a ridge; it must stay below 1.
MAX_MIDDLE = 0.999
LO = Parameter(
    name="lo",
    support="unit",
    prior=logit_normal(-1.1, 0.1),
    pooling=None,
    source="chance, sd 0.02: the accuracy of public models of 10M parameters",
)
HI = Parameter(
    name="hi",
    support="unit",
    prior=logit_normal(3.5, 0.5),
    pooling=None,
    source=(
        "near 1, because the questions can be answered; label noise keeps it a little below "
        "(0.97, 90 %: 0.94-0.99)"
    ),
)
SLOPE = Parameter(
    name="slope",
    support="positive",
    prior=dist.LogNormal(0.0, 0.7),
    pooling=0.5,
    source=(
        "logits per sd of loss: a ladder spans 3 to 4 sd, a task gains 0.25 to 4 logits per sd"
    ),
)
MIDDLE = Parameter(
    name="middle",
    support="unit",
    prior=logit_normal(-0.5, 1.0),
    pooling=None,
    source=(
        "accuracy gained at the mean loss, as a share of what lies above lo: "
        "wide, covers 10 % to 76 %"
    ),
)
NU = Parameter(
    name="nu",
    support="positive",
    prior=dist.LogNormal(0.0, 0.5),
    pooling=0.3,
    source="1 is the logistic; 0.44 to 2.3 (90 %) lets either end of the curve be the longer one",
)
RATE = Parameter(
    name="rate",
    support="positive",
    prior=dist.LogNormal(math.log(0.6), 0.5),
    pooling=0.5,
    source="e-folds per sd of loss: gamma 0.7-1.0 (Gadre 2024) times a loss sd of 0.5 to 1",
)


def floor(chance: np.ndarray, accuracy: np.ndarray, weak: np.ndarray) -> np.ndarray:
    """The accuracy that a link starts from: chance, or that of weak runs well below it.

    A task whose stated chance is not that of its metric (a normalised score beside a plain one)
    has a floor of its own, and does not bend the links that it is pooled with.

    Parameters
    ----------
    chance
        Score of guessing of each series, shape (series,).
    accuracy
        Accuracies, shape (series, runs).
    weak
        Whether each is one of a weak run, shape (series, runs).
    """
    mean = np.where(weak, accuracy, 0.0).sum(1) / np.maximum(weak.sum(1), 1)
    return np.where(weak.any(1) & (mean < chance - CHANCE_SD), mean, chance)


def lo_prior(chance: np.ndarray) -> dist.Distribution:
    """logit(lo) ~ Normal(logit(chance), sd) for each series.

    The sd is such that the 95 % quantile of lo is that of Normal(chance, 0.02).

    Parameters
    ----------
    chance
        Chance of the task of each series, shape (series,); at least 0.002 is taken.

    Returns
    -------
    Distribution
        The prior of lo on its natural scale, batch shape (series,).
    """
    p = np.maximum(chance, CHANCE_FLOOR)
    # Half of what lies above chance is the limit, where chance is near 1.
    quantile = np.minimum(p + NORMAL_95 * CHANCE_SD, (1 + p) / 2)
    middle, upper = (np.log(q / (1 - q)) for q in (p, quantile))
    return logit_normal(middle, (upper - middle) / NORMAL_95)


def _logistic(v: Values, z: jax.Array) -> jax.Array:
    """lo + (hi - lo) sigmoid(logit(q) - slope z), q the share gained at the mean loss."""
    return v["lo"] + (v["hi"] - v["lo"]) * jax.nn.sigmoid(_logit_at_mean(v) - v["slope"] * z)


def _logit_at_mean(v: Values) -> jax.Array:
    """logit(q), q the share of hi - lo that is gained at the mean loss.

    q is r / (1 + r^8)^(1/8), r = middle (1 - lo) / (hi - lo): nearly r, but always below 1. The
    parameter is the gain `middle` and not q, because the runs determine the gain whatever hi is.
    """
    ratio = v["middle"] * (1 - v["lo"]) / (v["hi"] - v["lo"])
    q = ratio / (1 + ratio**8) ** 0.125
    return jnp.log(q) - jnp.log1p(-q)


def _logistic_constants(v: Values, centre: jax.Array, scale: jax.Array) -> dict[str, jax.Array]:
    """kappa = slope / scale, m = centre + scale logit(q) / slope."""
    return {"kappa": v["slope"] / scale, "m": centre + scale * _logit_at_mean(v) / v["slope"]}


def _logistic_ridge(v: Values, at: Values, _: jax.Array) -> dict[str, jax.Array]:
    """The middle and the slope with which both accuracies at `ENDS` are the same as at the mode."""
    logit = []
    for z in ENDS:
        accuracy = _logistic(at, z)
        above_lo = _moved(accuracy - at["lo"], at["lo"] - v["lo"])
        below_hi = _moved(at["hi"] - accuracy, v["hi"] - at["hi"])
        logit.append(jnp.log(above_lo / below_hi))
    # The mean loss lies half way between the two ends.
    q = jax.nn.sigmoid((logit[0] + logit[1]) / 2)
    ratio = q / (1 - q**8) ** 0.125
    return {
        "middle": jnp.minimum(ratio * (v["hi"] - v["lo"]) / (1 - v["lo"]), MAX_MIDDLE),
        "slope": (logit[1] - logit[0]) / 2,
    }


def _asymmetric(v: Values, z: jax.Array) -> jax.Array:
    """lo + (hi - lo) sigmoid(logit - steepness z)^nu."""
    logit, steepness = _richards(v)
    return v["lo"] + (v["hi"] - v["lo"]) * jnp.exp(
        v["nu"] * jax.nn.log_sigmoid(logit - steepness * z)
    )


def _richards(v: Values) -> tuple[jax.Array, jax.Array]:
    """logit(q^(1/nu)) and the steepness, slope (1 - q) / (nu (1 - q^(1/nu))).

    With these the share gained at the mean loss is q, and falls there by `slope` logits per
    standard deviation of loss, whatever nu is.
    """
    logit_q = _logit_at_mean(v)
    log_p = jax.nn.log_sigmoid(logit_q) / v["nu"]
    rest = -jnp.expm1(log_p)
    return log_p - jnp.log(rest), v["slope"] * jax.nn.sigmoid(-logit_q) / (v["nu"] * rest)


def _asymmetric_constants(v: Values, centre: jax.Array, scale: jax.Array) -> dict[str, jax.Array]:
    """kappa = steepness / scale, m = centre + scale logit / steepness."""
    logit, steepness = _richards(v)
    return {"kappa": steepness / scale, "m": centre + scale * logit / steepness}


def _asymmetric_ridge(v: Values, at: Values, _: jax.Array) -> dict[str, jax.Array]:
    """The ridge of the logistic, under the mode's nu.

    A ridge that follows nu as well sampled a little faster, but diverged where nu comes near 0.
    """
    nu = at["nu"]
    logit = []
    for z in ENDS:
        accuracy = _asymmetric(at, z)
        above_lo = _moved(accuracy - at["lo"], at["lo"] - v["lo"])
        below_hi = _moved(at["hi"] - accuracy, v["hi"] - at["hi"])
        log_p = -jnp.log1p(below_hi / above_lo) / nu
        logit.append(log_p - jnp.log(-jnp.expm1(log_p)))
    middle = (logit[0] + logit[1]) / 2
    steepness = (logit[1] - logit[0]) / 2
    q = jnp.exp(nu * jax.nn.log_sigmoid(middle))
    ratio = q / (1 - q**8) ** 0.125
    slope = steepness * nu * jax.nn.sigmoid(-middle) / (1 - q)
    return {
        "middle": jnp.minimum(ratio * (v["hi"] - v["lo"]) / (1 - v["lo"]), MAX_MIDDLE),
        "slope": slope,
    }


def _exponential(v: Values, z: jax.Array) -> jax.Array:
    """lo + (1 - lo) middle e^(-rate z)."""
    return v["lo"] + (1 - v["lo"]) * v["middle"] * jnp.exp(-v["rate"] * z)


def _exponential_constants(v: Values, centre: jax.Array, scale: jax.Array) -> dict[str, jax.Array]:
    """eps = 1 - lo, gamma = rate / scale, k = (1 - lo) middle e^(gamma centre)."""
    gamma = v["rate"] / scale
    return {
        "eps": 1 - v["lo"],
        "k": (1 - v["lo"]) * v["middle"] * jnp.exp(gamma * centre),
        "gamma": gamma,
    }


def _exponential_ridge(v: Values, at: Values, _: jax.Array) -> dict[str, jax.Array]:
    """The middle and the rate with which both accuracies at `ENDS` are the same as at the mode."""
    weak, strong = (_moved(_exponential(at, z) - at["lo"], at["lo"] - v["lo"]) for z in ENDS)
    return {
        "middle": jnp.minimum(jnp.sqrt(weak * strong) / (1 - v["lo"]), MAX_MIDDLE),
        "rate": jnp.log(strong / weak) / 2,
    }


def _moved(gap: jax.Array, change: jax.Array) -> jax.Array:
    """About gap + change, but within a quarter of the gap and four times the gap.

    A straight ridge would follow a large change to infinity, which the runs forbid. A gap near 0
    does not change at all: a task that no weak run solves may have a gap of 1e-8, which its
    questions cannot tell from 1e-4.
    """
    left = jax.nn.softplus(4 * (1 + change / (0.75 * (gap + UNSEEN)))) / jax.nn.softplus(4.0)
    scale = 0.25 + 0.75 * left
    return gap * jnp.where(scale < 1, scale, 4 - 3 * jnp.exp((1 - scale) / 3))


LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link(
            name="logistic",
            formula="acc = lo + (hi - lo) sigmoid(kappa (m - L))",
            parameters=(LO, HI, MIDDLE, SLOPE),
            accuracy=_logistic,
            constants=_logistic_constants,
            ridge=_logistic_ridge,
        ),
        Link(
            name="exponential",
            formula="acc = 1 - (eps - k e^(-gamma L))",
            parameters=(LO, MIDDLE, RATE),
            accuracy=_exponential,
            constants=_exponential_constants,
            ridge=_exponential_ridge,
        ),
        Link(
            name="asymmetric",
            formula="acc = lo + (hi - lo) sigmoid(kappa (m - L))^nu",
            parameters=(LO, HI, MIDDLE, SLOPE, NU),
            accuracy=_asymmetric,
            constants=_asymmetric_constants,
            ridge=_asymmetric_ridge,
        ),
    )
}


def get_link(link: str | Link) -> Link:
    """The link of that name, or the link itself where the user brings one.

    Parameters
    ----------
    link
        A name in `LINKS`, or a `Link`.

    Raises
    ------
    SettingError
        For an unknown name.
    """
    if isinstance(link, Link):
        return link
    if not isinstance(link, str) or link not in LINKS:
        raise SettingError(
            "link",
            rule=f"must be a Link or one of {', '.join(LINKS)}",
            got=shown(link),
            way_out="fix the name, or pass a Link of your own",
        )
    return LINKS[link]
