"""The two papers' point fits, with the curves, starts, bounds and settings of their released code: what a posterior is compared with.

A `Problem` is one such fit; `solve` gives its optimum or a `FitError`, never a number that the optimiser had not settled on.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import scipy.optimize as opt

from bayescale.errors import FitError
from bayescale.sampling import require_64bit

type Curve = Callable[[jax.Array, Any], jax.Array]
HUBER = 1e-3  # residual of ln(loss) beyond which Bhagia et al. (and Hoffmann et al. before them) count it by its size and no more by its square
SETTLED, NEGLIGIBLE = 1e-8, 1e-12  # gain that a second optimiser may still find at an optimum: relative, absolute (a residual of 1e-6)
MOST_EVALUATIONS = 10_000


@dataclass(frozen=True)
class PointFit:
    """The optimum of a `Problem`: its values by name, the objective there, and the prediction ``fit(x)``."""

    problem: Problem
    values: dict[str, float]
    objective: float

    def __call__(self, x: object) -> np.ndarray:
        """The curve at x, of the form that the problem's own x has."""
        return np.asarray(_compiled(self.problem.curve)(np.array(list(self.values.values())), _as_arrays(x)))


@dataclass(frozen=True, eq=False)
class Problem:
    """min over p of the sum of rho(y - curve(p, x)), from each start, the best kept.

    Parameters
    ----------
    name
        What is fitted, for messages.
    curve
        ``(p, x) -> y``, p an array of parameters, x an array or a tuple of arrays of shape (runs,).
    parameters
        Names of p, in order.
    x, y
        The runs.
    starts
        Points to begin from, those of the released code.
    bounds
        Lower and upper bound of each parameter; none where infinite.
    objective
        ``squares`` of y; or ``huber`` of ln y, quadratic up to `HUBER`.
    """

    name: str
    curve: Curve
    parameters: tuple[str, ...]
    x: object
    y: np.ndarray
    starts: tuple[tuple[float, ...], ...]
    bounds: tuple[tuple[float, float], ...]
    objective: Literal["squares", "huber"]


def solve(problem: Problem) -> PointFit:
    """The best optimum over the problem's starts.

    Raises
    ------
    FitError
        Where none of the starts led to an optimum; with the optimiser's message.
    """
    require_64bit()
    run = _least_squares if problem.objective == "squares" else _huber
    found, failures = [], []
    for start in problem.starts:
        try:
            found.append(run(problem, start))
        except FitError as failure:
            failures.append(failure)
    if not found:
        raise failures[0]
    return min(found, key=lambda fit: fit.objective)


def optima(problem: Problem, starts: int, seed: int = 0) -> pd.DataFrame:
    """One row a start, the released one first: objective, values, message (empty where it is an optimum).

    The others are drawn around the released start: each parameter times a log-normal of sd 0.5, within the bounds.
    """
    rng = np.random.default_rng(seed)
    (lower, upper), first = np.array(problem.bounds).T, np.array(problem.starts[0])
    drawn = [np.clip(first * np.exp(0.5 * rng.standard_normal(len(first))), lower, upper) for _ in range(starts - 1)]
    rows = []
    for start in (first, *drawn):
        one = replace(problem, starts=(tuple(start),))
        try:
            fit = solve(one)
            rows.append({"objective": fit.objective, **fit.values, "message": ""})
        except FitError as failure:
            rows.append({"objective": np.nan, **dict.fromkeys(problem.parameters, np.nan), "message": failure.got})
    return pd.DataFrame(rows)


def _least_squares(problem: Problem, start: Sequence[float]) -> PointFit:
    curve, x = _compiled(problem.curve), _as_arrays(problem.x)
    lower, upper = np.array(problem.bounds).T

    def predicted(_: object, *p: float) -> np.ndarray:
        return np.asarray(curve(np.array(p), x))

    with warnings.catch_warnings():
        warnings.simplefilter("error", opt.OptimizeWarning)
        try:
            p, _ = opt.curve_fit(predicted, np.arange(len(problem.y)), problem.y, p0=start, bounds=(lower, upper), maxfev=MOST_EVALUATIONS)
        except (RuntimeError, ValueError, opt.OptimizeWarning) as failure:
            raise _failed(problem, str(failure)) from None
    return PointFit(problem, _named(problem, p), float(np.sum((predicted(None, *p) - problem.y) ** 2)))


def _huber(problem: Problem, start: Sequence[float]) -> PointFit:
    """L-BFGS-B as released; then one more optimiser from there, which must find nothing better."""
    x, log_y = _as_arrays(problem.x), np.log(problem.y)
    value_and_gradient, residuals, jacobian = _huber_functions(problem.curve)
    end = opt.minimize(
        lambda p: tuple(map(np.asarray, value_and_gradient(p, x, log_y))),
        np.array(start),
        jac=True,
        bounds=problem.bounds,
        method="L-BFGS-B",
        options={"ftol": 0.0, "gtol": 1e-10, "maxiter": 1_000_000},
    )
    if not np.isfinite(end.fun):
        raise _failed(problem, f"{end.message.strip()} the curve fell below 0, which has no logarithm")
    lower, upper = np.array(problem.bounds).T
    inside = np.clip(end.x, lower + 1e-12, upper - 1e-12)
    better = opt.least_squares(
        lambda p: np.asarray(residuals(p, x, log_y)),
        inside,
        jac=lambda p: np.asarray(jacobian(p, x, log_y)),
        bounds=(lower, upper),
        loss="huber",
        f_scale=HUBER,
        x_scale="jac",
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
        max_nfev=1000,
    )
    if better.cost < (1 - SETTLED) * end.fun - NEGLIGIBLE:
        raise _failed(problem, f"{end.message.strip()} after {end.nit} iterations, and a second optimiser still gains {1 - better.cost / end.fun:.1e}")
    return PointFit(problem, _named(problem, end.x), float(end.fun))


def _failed(problem: Problem, message: str) -> FitError:
    return FitError(problem.name, rule="must converge", got=message, way_out="give other starts, or drop what this fit was for")


def _named(problem: Problem, p: np.ndarray) -> dict[str, float]:
    return dict(zip(problem.parameters, map(float, p), strict=True))


def _as_arrays(x: object) -> object:
    return tuple(np.asarray(v, float) for v in x) if isinstance(x, tuple) else np.asarray(x, float)


@cache
def _compiled(curve: Curve) -> Callable[..., Any]:
    return jax.jit(curve)


@cache
def _huber_functions(curve: Curve) -> tuple[Callable[..., Any], ...]:
    """Objective with its gradient, residuals, their Jacobian: each of (p, x, ln y)."""

    def residuals(p: jax.Array, x: object, log_y: jax.Array) -> jax.Array:
        return jnp.log(curve(p, x)) - log_y

    def objective(p: jax.Array, x: object, log_y: jax.Array) -> jax.Array:
        r = jnp.abs(residuals(p, x, log_y))
        return jnp.sum(jnp.where(r < HUBER, 0.5 * r**2, HUBER * (r - 0.5 * HUBER)))

    return jax.jit(jax.value_and_grad(objective)), jax.jit(residuals), jax.jit(jax.jacfwd(residuals))


# Gadre et al. 2024 (repository mlfoundations/scaling, scaling/laws.py and shared.py)

_FREE, _POSITIVE = (-np.inf, np.inf), (0.0, np.inf)


def _gadre_loss(p: jax.Array, x: tuple[jax.Array, jax.Array]) -> jax.Array:
    N, M = x
    return p[0] * N ** p[2] + p[1] * 6 ** (p[2] / 2) * (M * N) ** p[2] + p[3]


def _gadre_error(p: jax.Array, loss: jax.Array) -> jax.Array:
    return p[2] - p[0] * jnp.exp(-p[1] * loss)


def gadre_loss(params: np.ndarray, multiplier: np.ndarray, loss: np.ndarray) -> Problem:
    """L = alpha N^p + beta 6^(p/2) (M N)^p + E by least squares, M = D/N: the released form; `gadre_constants` gives the paper's."""
    starts = itertools.product((1e2, 3e2, 1e3, 3e3), (1e2, 3e2, 1e3, 3e3), (-0.1, -0.3), (0.0, 1.0, 2.0, 10.0))
    return Problem("loss law of Gadre et al.", _gadre_loss, ("alpha", "beta", "p", "E"), (params, multiplier), loss, tuple(starts), (_FREE,) * 4, "squares")


def gadre_constants(released: dict[str, float]) -> dict[str, float]:
    """Eta = -p/2, a = alpha 6^eta, b = beta, in L = E + (a M^eta + b M^-eta) C^-eta."""
    eta = -released["p"] / 2
    return {"a": released["alpha"] * 6**eta, "b": released["beta"], "eta": eta, "E": released["E"]}


def gadre_error(loss: np.ndarray, error: np.ndarray) -> Problem:
    """Error = eps - k e^(-gamma L) by least squares."""
    return Problem("error law of Gadre et al.", _gadre_error, ("k", "gamma", "eps"), loss, error, ((1.0, 1.0, 1.0),), (_FREE,) * 3, "squares")


# Bhagia et al. 2024 (repository allenai/OLMo-ladder, src/scaling/fitting_functions.py and the scripts of each step)


def _chinchilla(p: jax.Array, x: tuple[jax.Array, jax.Array]) -> jax.Array:
    N, D = x
    return jnp.exp(p[0] - p[2] * jnp.log(N)) + jnp.exp(p[1] - p[3] * jnp.log(D)) + p[4]


def _compute(p: jax.Array, C: jax.Array) -> jax.Array:
    return jnp.exp(p[0] - p[1] * jnp.log(C)) + p[2]


def _logistic(p: jax.Array, loss: jax.Array) -> jax.Array:
    return p[0] / (1 + jnp.exp(-p[2] * (loss - p[1]))) + p[3]


def _log_logistic(p: jax.Array, loss: jax.Array) -> jax.Array:
    return 1 - p[0] * jnp.log(1 - 1 / (1 + jnp.exp(-p[2] * (loss - p[1]))))


def _single_step(p: jax.Array, x: tuple[jax.Array, jax.Array]) -> jax.Array:
    return jnp.maximum(1e-6, p[5] / (1 + jnp.exp(-_chinchilla(p, x))) + p[6])


def _accuracy_law(p: jax.Array, x: tuple[jax.Array, jax.Array]) -> jax.Array:
    N, D = x
    return p[4] - jnp.exp(p[0] - p[2] * jnp.log(N)) - jnp.exp(p[1] - p[3] * jnp.log(D))


CHINCHILLA = ("ln A", "ln B", "alpha", "beta", "E")


def ladder_loss(params: np.ndarray, tokens: np.ndarray, loss: np.ndarray) -> Problem:
    """L = A N^-alpha + B D^-beta + E: the first step of Bhagia et al."""
    return Problem("step 1 of Bhagia et al.", _chinchilla, CHINCHILLA, (params, tokens), loss, ((3.0, 6.0, 0.1, 0.2, 1.0),), (_POSITIVE,) * 5, "huber")


def ladder_compute(flops: np.ndarray, loss: np.ndarray) -> Problem:
    """L = A C^-alpha + E: their first step on compute alone."""
    bounds = (_POSITIVE, (0.0, 1.0), _POSITIVE)
    return Problem("step 1 of Bhagia et al. on compute", _compute, ("ln A", "alpha", "E"), flops, loss, ((10.0, 0.4, 0.5),), bounds, "huber")


def ladder_link(loss: np.ndarray, accuracy: np.ndarray, chance: float) -> Problem:
    """Acc = a / (1 + e^(-k (L - x0))) + b, a in [-1, 0], by least squares, one point (loss 0, accuracy 1) added: their second step."""
    y, x, bounds = np.append(accuracy, 1.0), np.append(loss, 0.0), ((-1.0, 0.0), _POSITIVE, _POSITIVE, (0.0, 1.0))
    return Problem("step 2 of Bhagia et al.", _logistic, ("a", "x0", "k", "b"), x, y, ((chance - 1.0, 0.9, 3.0, 1.0),), bounds, "squares")


def ladder_log_link(cross_entropy: np.ndarray, accuracy: np.ndarray) -> Problem:
    """Acc = 1 - a ln(1 - 1 / (1 + e^(-k (L - x0)))), a < 0, by least squares: their second step for a task's cross-entropy over its choices."""
    bounds = ((-np.inf, 0.0), _POSITIVE, _POSITIVE)
    return Problem("step 2 of Bhagia et al., log form", _log_logistic, ("a", "x0", "k"), cross_entropy, accuracy, ((-0.1, 0.9, 3.0),), bounds, "squares")


def ladder_single_step(params: np.ndarray, tokens: np.ndarray, accuracy: np.ndarray, chance: float) -> Problem:
    """Acc = p / (1 + e^-(A N^-alpha + B D^-beta + E)) + q, p in [-1, 0], q in [0, 1]: from (N, D) in one step.

    From the released start, the first, rounding decides in which of two optima CommonsenseQA ends; the others lead to the better one, the released.
    """
    rest, bounds = (0.2, 0.3, 0.0, chance - 1.0, 1.0), ((_POSITIVE,) * 4 + (_FREE, (-1.0, 0.0), (0.0, 1.0)))
    starts = tuple((ln_A, ln_B, *rest) for ln_B in (5.0, 6.0) for ln_A in (3.0, 4.0))
    return Problem("single step of Bhagia et al.", _single_step, (*CHINCHILLA, "p", "q"), (params, tokens), accuracy, starts, bounds, "huber")


def ladder_accuracy(params: np.ndarray, tokens: np.ndarray, accuracy: np.ndarray) -> Problem:
    """Accuracy = E - A N^-alpha - B D^-beta, as a power law.

    The released start gives a negative accuracy; here both terms start at 0.2 at the median run, and E makes up for them.
    """
    exponent, term = 0.2, 0.2
    ln_A, ln_B = (float(np.log(term) + exponent * np.log(np.median(v))) for v in (params, tokens))
    start, bounds = (ln_A, ln_B, exponent, exponent, float(np.median(accuracy)) + 2 * term), (_POSITIVE,) * 3 + (_FREE, _FREE)
    return Problem("accuracy law of Bhagia et al.", _accuracy_law, CHINCHILLA, (params, tokens), accuracy, (start,), bounds, "huber")
