"""Point fits: `solve` a `Problem` by least squares or Huber's loss; the optimum or a `FitError`,
never a number that the optimiser had not settled on.
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
from bayescale.runtime import require_64bit

type Curve = Callable[[jax.Array, Any], jax.Array]
# residual of ln(loss) beyond which Bhagia et al. (and Hoffmann et al. before them) count it by its
# size and no more by its square
HUBER = 1e-3
# gain that a second optimiser may still find at an optimum: relative, absolute (a residual of 1e-6)
SETTLED, NEGLIGIBLE = 1e-8, 1e-12
MAX_EVALUATIONS = 10_000


@dataclass(frozen=True)
class PointFit:
    """The optimum of a `Problem`: its values by name, the objective there, and the prediction
    ``fit(x)``.
    """

    problem: Problem
    values: dict[str, float]
    objective: float

    def __call__(self, x: object) -> np.ndarray:
        """The curve at x, of the form that the problem's own x has."""
        return np.asarray(
            _compiled(self.problem.curve)(np.array(list(self.values.values())), _as_arrays(x))
        )


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


def bootstrap(fit: PointFit, x: object, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Predictions at x (draws, points), each from a fit of the curve with its residuals drawn anew,
    and one more residual: the residual bootstrap.

    Residuals are of ln y where the objective is Huber's loss; an x of shape (draws, points) goes
    with the draws. Each refit starts at the optimum and is taken where its optimiser ends.

    Raises
    ------
    FitError
        Where a refit leaves what its curve is finite for.
    """
    problem, centre = fit.problem, np.array(list(fit.values.values()))
    in_logs = problem.objective == "huber"
    fitted = fit(problem.x)
    residual = np.log(problem.y / fitted) if in_logs else problem.y - fitted
    inside = np.clip(centre, *(np.array(problem.bounds).T + np.array([[1e-12], [-1e-12]])))
    at, known = _as_arrays(x), _as_arrays(problem.x)
    curve, residuals, jacobian = (
        _compiled(problem.curve),
        *_residual_functions(problem.curve, in_logs),
    )
    rows = []
    for b in range(draws):
        drawn = rng.choice(residual, len(residual))
        y = np.log(fitted) + drawn if in_logs else fitted + drawn
        try:
            end = opt.least_squares(
                lambda p, y=y: np.asarray(residuals(p, known, y)),
                inside,
                jac=lambda p, y=y: np.asarray(jacobian(p, known, y)),
                bounds=np.array(problem.bounds).T,
                loss="huber" if in_logs else "linear",
                f_scale=HUBER if in_logs else 1.0,
                x_scale="jac",
                max_nfev=100,
            )
        except ValueError as failure:  # SciPy's word for a curve that is not finite
            raise _failed(problem, str(failure)) from None
        here = np.asarray(
            curve(end.x, at[b] if isinstance(at, np.ndarray) and at.ndim == 2 else at)
        )
        more = rng.choice(residual, here.shape)
        rows.append(here * np.exp(more) if in_logs else here + more)
    return np.array(rows)


def optima(problem: Problem, starts: int, seed: int = 0) -> pd.DataFrame:
    """One row a start, the released one first: objective, values, message (empty where it is an
    optimum).

    The others are drawn around the released start: each parameter times a log-normal of sd 0.5,
    within the bounds.
    """
    rng = np.random.default_rng(seed)
    lower, upper = np.array(problem.bounds).T
    first = np.array(problem.starts[0])
    drawn = [
        np.clip(first * np.exp(0.5 * rng.standard_normal(len(first))), lower, upper)
        for _ in range(starts - 1)
    ]
    rows = []
    for start in (first, *drawn):
        one = replace(problem, starts=(tuple(start),))
        try:
            fit = solve(one)
            rows.append({"objective": fit.objective, **fit.values, "message": ""})
        except FitError as failure:
            rows.append(
                {
                    "objective": np.nan,
                    **dict.fromkeys(problem.parameters, np.nan),
                    "message": failure.got,
                }
            )
    return pd.DataFrame(rows)


def _least_squares(problem: Problem, start: Sequence[float]) -> PointFit:
    curve, x = _compiled(problem.curve), _as_arrays(problem.x)

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
    return PointFit(
        problem, _named(problem, p), float(np.sum((predicted(None, *p) - problem.y) ** 2))
    )


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
        raise _failed(
            problem, f"{end.message.strip()} the curve fell below 0, which has no logarithm"
        )
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
        raise _failed(
            problem,
            f"{end.message.strip()} after {end.nit} iterations, and a second optimiser still gains {1 - better.cost / end.fun:.1e}",
        )
    return PointFit(problem, _named(problem, end.x), float(end.fun))


def _failed(problem: Problem, message: str) -> FitError:
    return FitError(
        problem.name,
        rule="must converge",
        got=message,
        way_out="give other starts, or drop what this fit was for",
    )


def _named(problem: Problem, p: np.ndarray) -> dict[str, float]:
    return dict(zip(problem.parameters, map(float, p), strict=True))


def _as_arrays(x: object) -> object:
    return tuple(np.asarray(v, float) for v in x) if isinstance(x, tuple) else np.asarray(x, float)


@cache
def _compiled(curve: Curve) -> Callable[..., Any]:
    return jax.jit(curve)


@cache
def _residual_functions(
    curve: Curve, in_logs: bool
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Residuals of y, or of ln y, and their Jacobian: each of (p, x, y)."""

    def residuals(p: jax.Array, x: object, y: jax.Array) -> jax.Array:
        return (jnp.log(curve(p, x)) if in_logs else curve(p, x)) - y

    return jax.jit(residuals), jax.jit(jax.jacfwd(residuals))


@cache
def _huber_functions(curve: Curve) -> tuple[Callable[..., Any], ...]:
    """Objective with its gradient, residuals, their Jacobian: each of (p, x, ln y)."""
    residuals, jacobian = _residual_functions(curve, True)

    def objective(p: jax.Array, x: object, log_y: jax.Array) -> jax.Array:
        r = jnp.abs(residuals(p, x, log_y))
        return jnp.sum(jnp.where(r < HUBER, 0.5 * r**2, HUBER * (r - 0.5 * HUBER)))

    return jax.jit(jax.value_and_grad(objective)), residuals, jacobian


# Gadre et al. 2024 (repository mlfoundations/scaling, scaling/laws.py and shared.py)

FREE = (-np.inf, np.inf)
POSITIVE = (0.0, np.inf)
