"""Point fits: `solve` a `Problem` by least squares or by Huber's loss.

The answer is an optimum or a `FitError`, never a number that the optimiser had not settled on.
"""

from __future__ import annotations

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
from bayescale.runtime import random_generator, require_64bit

type Curve = Callable[[jax.Array, Any], jax.Array]

# lower and upper bound of a parameter that may take any value, or any positive value
FREE = (-np.inf, np.inf)
POSITIVE = (0.0, np.inf)

# Bhagia et al. (and Hoffmann et al. before them) count the square of a residual of ln(loss) up to
# this size, and beyond it the size itself
HUBER = 1e-3

# An optimum counts as settled if a second optimiser gains no more than a share of the objective
# plus an absolute amount, about the objective of one residual of 1e-6.
SETTLED = 1e-8
NEGLIGIBLE = 1e-12

MAX_EVALUATIONS = 10_000

# distance from the bounds at which SciPy's bounded least squares may start
INSIDE = 1e-12


@dataclass(frozen=True)
class PointFit:
    """The optimum of a `Problem`; ``fit(x)`` is the fitted curve at x.

    Parameters
    ----------
    problem
        What was fitted.
    values
        The optimal value of each parameter, by name.
    objective
        The objective at the optimum.
    """

    problem: Problem
    values: dict[str, float]
    objective: float

    def __call__(self, x: object) -> np.ndarray:
        """curve(p, x) at the optimal p, for x in the same form as the x of the problem."""
        values = np.array(list(self.values.values()))
        return np.asarray(_compiled(self.problem.curve)(values, _as_arrays(x)))


@dataclass(frozen=True, eq=False)
class Problem:
    """min over p of the sum of rho(y - curve(p, x)); of the optima of all starts, the best.

    Parameters
    ----------
    name
        What is fitted, as error messages name it.
    curve
        The function ``(p, x) -> y``: p an array of parameters, x an array or a tuple of arrays,
        each of shape (runs,).
    parameters
        The names of the parameters, in the order of p.
    x
        What the curve takes for each run: an array or a tuple of arrays, each of shape (runs,).
    y
        The observed value of each run, shape (runs,).
    starts
        The values of p that the optimiser starts from, as in the released code.
    bounds
        Lower and upper bound of each parameter; an infinite bound is no bound.
    objective
        ``squares``: squared residuals of y. ``huber``: Huber's loss of the residuals of ln y,
        quadratic up to 0.001.
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
    """The best of the optima that the problem's starts lead to.

    Parameters
    ----------
    problem
        The curve, the runs, the starts, the bounds and the objective.

    Returns
    -------
    PointFit
        The optimum with the lowest objective.

    Raises
    ------
    FitError
        Where no start leads to an optimum; `got` is the optimiser's message for the first start.
    """
    require_64bit()
    run = _least_squares if problem.objective == "squares" else _huber
    fits: list[PointFit] = []
    failures: list[FitError] = []
    for start in problem.starts:
        try:
            fits.append(run(problem, start))
        except FitError as failure:
            failures.append(failure)
    if not fits:
        raise failures[0]
    return min(fits, key=lambda fit: fit.objective)


def bootstrap(fit: PointFit, x: object, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Predictions y* = curve(p*, x) + e* by the residual bootstrap: p* refitted, e* resampled.

    Each draw resamples the residuals of the fit, adds them to the fitted values, refits the curve
    to the sum, and adds one more resampled residual to the refitted curve at x. Residuals are
    taken of ln y if the objective is Huber's loss. Each refit starts at the optimum and ends where
    its optimiser ends, settled or not.

    Parameters
    ----------
    fit
        The optimum whose residuals are resampled.
    x
        Where to predict, in the same form as the x of the problem. An array of shape
        (draws, points) gives each draw its own x.
    draws
        Number of refits.
    rng
        The source of the random numbers.

    Returns
    -------
    numpy.ndarray
        Predictions, shape (draws, points).

    Raises
    ------
    FitError
        Where a refit reaches parameters at which the curve is not finite.
    """
    problem = fit.problem
    in_logs = problem.objective == "huber"
    fitted = fit(problem.x)
    residual = np.log(problem.y / fitted) if in_logs else problem.y - fitted
    lower, upper = np.array(problem.bounds).T
    optimum = np.array(list(fit.values.values()))
    start = np.clip(optimum, lower + INSIDE, upper - INSIDE)
    curve = _compiled(problem.curve)
    x_new = _as_arrays(x)
    x_per_draw = isinstance(x_new, np.ndarray) and x_new.ndim == 2
    predictions = []
    for draw in range(draws):
        resampled = rng.choice(residual, len(residual))
        y = np.log(fitted) + resampled if in_logs else fitted + resampled
        values = _refit(problem, y, start, in_logs)
        predicted = np.asarray(curve(values, x_new[draw] if x_per_draw else x_new))
        noise = rng.choice(residual, predicted.shape)
        predictions.append(predicted * np.exp(noise) if in_logs else predicted + noise)
    return np.array(predictions)


def optima(problem: Problem, starts: int, seed: int = 0) -> pd.DataFrame:
    """Where each of several starts leads: the released start first, then random ones around it.

    A random start is the released one with each parameter times a log-normal factor of sd 0.5 (in
    logs), clipped to the bounds.

    Parameters
    ----------
    problem
        The fit to repeat; only the first of its starts is used.
    starts
        Number of starts, the released one included.
    seed
        Seed of the random starts.

    Returns
    -------
    pandas.DataFrame
        One row per start: objective, the value of each parameter, and message (empty where the
        start led to an optimum; the figures are nan where it did not).
    """
    rng = random_generator(seed, "starts")
    lower, upper = np.array(problem.bounds).T
    released = np.array(problem.starts[0])
    random_starts = [
        np.clip(released * np.exp(0.5 * rng.standard_normal(len(released))), lower, upper)
        for _ in range(starts - 1)
    ]
    return pd.DataFrame([_optimum_row(problem, start) for start in (released, *random_starts)])


def _optimum_row(problem: Problem, start: np.ndarray) -> dict[str, float | str]:
    """Objective, values and message of the fit from one start."""
    try:
        fit = solve(replace(problem, starts=(tuple(start),)))
    except FitError as failure:
        missing = dict.fromkeys(problem.parameters, np.nan)
        return {"objective": np.nan, **missing, "message": failure.got}
    return {"objective": fit.objective, **fit.values, "message": ""}


def _refit(problem: Problem, y: np.ndarray, start: np.ndarray, in_logs: bool) -> np.ndarray:
    """The parameters at which one bounded least-squares fit to y (or to ln y) ends."""
    residuals, jacobian = _residual_functions(problem.curve, in_logs)
    x = _as_arrays(problem.x)
    try:
        end = opt.least_squares(
            lambda p: np.asarray(residuals(p, x, y)),
            start,
            jac=lambda p: np.asarray(jacobian(p, x, y)),
            bounds=np.array(problem.bounds).T,
            loss="huber" if in_logs else "linear",
            f_scale=HUBER if in_logs else 1.0,
            x_scale="jac",
            max_nfev=100,
        )
    # SciPy raises this error where the curve is not finite
    except ValueError as failure:
        raise _failed(problem, str(failure)) from None
    return end.x


def _least_squares(problem: Problem, start: Sequence[float]) -> PointFit:
    """Least squares of y by SciPy's `curve_fit`, as released."""
    curve = _compiled(problem.curve)
    x = _as_arrays(problem.x)

    def predicted(_: object, *p: float) -> np.ndarray:
        return np.asarray(curve(np.array(p), x))

    lower, upper = np.array(problem.bounds).T
    with warnings.catch_warnings():
        warnings.simplefilter("error", opt.OptimizeWarning)
        try:
            p, _ = opt.curve_fit(
                predicted,
                np.arange(len(problem.y)),
                problem.y,
                p0=start,
                bounds=(lower, upper),
                maxfev=MAX_EVALUATIONS,
            )
        except (RuntimeError, ValueError, opt.OptimizeWarning) as failure:
            raise _failed(problem, str(failure)) from None
    objective = float(np.sum((predicted(None, *p) - problem.y) ** 2))
    return PointFit(problem, _named(problem, p), objective)


def _huber(problem: Problem, start: Sequence[float]) -> PointFit:
    """Huber's loss of ln y by L-BFGS-B, as released; a second optimiser must not improve on it."""
    x = _as_arrays(problem.x)
    log_y = np.log(problem.y)
    value_and_gradient, residuals, jacobian = _huber_functions(problem.curve)
    end = opt.minimize(
        lambda p: tuple(map(np.asarray, value_and_gradient(p, x, log_y))),
        np.array(start),
        jac=True,
        bounds=problem.bounds,
        method="L-BFGS-B",
        options={"ftol": 0.0, "gtol": 1e-10, "maxiter": 1_000_000},
    )
    status = end.message.strip()
    if not np.isfinite(end.fun):
        raise _failed(problem, f"{status} the curve fell below 0, which has no logarithm")
    lower, upper = np.array(problem.bounds).T
    better = opt.least_squares(
        lambda p: np.asarray(residuals(p, x, log_y)),
        np.clip(end.x, lower + INSIDE, upper - INSIDE),
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
        gain = 1 - better.cost / end.fun
        raise _failed(
            problem,
            f"{status} after {end.nit} iterations, and a second optimiser still gains {gain:.1e}",
        )
    return PointFit(problem, _named(problem, end.x), float(end.fun))


def _failed(problem: Problem, message: str) -> FitError:
    """The error of a fit that did not converge, with the optimiser's message."""
    return FitError(
        problem.name,
        rule="must converge",
        got=message,
        way_out="give other starts, or leave out the results that need this fit",
    )


def _named(problem: Problem, p: np.ndarray) -> dict[str, float]:
    """The values by name of the parameter."""
    return dict(zip(problem.parameters, map(float, p), strict=True))


def _as_arrays(x: object) -> Any:
    """x as one array of floats, or as a tuple of them."""
    if isinstance(x, tuple):
        return tuple(np.asarray(values, float) for values in x)
    return np.asarray(x, float)


@cache
def _compiled(curve: Curve) -> Callable[..., Any]:
    """The curve, compiled once per process."""
    return jax.jit(curve)


@cache
def _residual_functions(
    curve: Curve, in_logs: bool
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Residuals of y, or of ln y, and their Jacobian: each a function of (p, x, y or ln y)."""

    def residuals(p: jax.Array, x: object, y: jax.Array) -> jax.Array:
        predicted = curve(p, x)
        return (jnp.log(predicted) if in_logs else predicted) - y

    return jax.jit(residuals), jax.jit(jax.jacfwd(residuals))


@cache
def _huber_functions(curve: Curve) -> tuple[Callable[..., Any], ...]:
    """Objective with its gradient, residuals, their Jacobian: each a function of (p, x, ln y)."""
    residuals, jacobian = _residual_functions(curve, True)

    def objective(p: jax.Array, x: object, log_y: jax.Array) -> jax.Array:
        r = jnp.abs(residuals(p, x, log_y))
        return jnp.sum(jnp.where(r < HUBER, 0.5 * r**2, HUBER * (r - 0.5 * HUBER)))

    return jax.jit(jax.value_and_grad(objective)), residuals, jacobian
