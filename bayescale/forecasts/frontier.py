"""frontier(fit, budgets): for a budget C, the posterior of the compute-optimal N* and D*, and of
the loss given up by training a smaller model for longer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescale.data.target import six_nd
from bayescale.errors import DataError, SettingError
from bayescale.fits.record import Fit
from bayescale.inference.posterior import real_draws
from bayescale.models.inputs import point
from bayescale.models.prediction import expected
from bayescale.models.series import loss_model
from bayescale.validation import check_prob

MULTIPLIERS = (20.0, 100.0, 640.0)
GRID = np.linspace(np.log(1e-2), np.log(1e6), 400)  # ln(D / N), where the optimum is looked for


def frontier(
    fit: Fit,
    budgets: Sequence[float] | float,
    *,
    multipliers: Sequence[float] = MULTIPLIERS,
    loss_name: str | None = None,
    corpus: str | None = None,
    prob: float = 0.9,
) -> pd.DataFrame:
    """(N*, D*) = argmin of f(N, D) over 6ND = C, and f at D / N = M relative to f(N*, D*), for
    every draw of the law.

    What the law does not know plays no part: its error beyond the ladder grows with compute, and is
    taken to be the same for all configurations of one budget.

    Parameters
    ----------
    fit
        Of one law that depends on how compute is spent; of a mixture, the heaviest member speaks.
    budgets
        C in FLOPs, 6ND.
    multipliers
        M, tokens a parameter.
    loss_name, corpus
        Of the series whose law is asked; None where there is a single one, or for a validation loss
        that the ladder has.
    prob
        Of the bands.

    Returns
    -------
    pandas.DataFrame
        One row a (budget, quantity): flops, extrapolation_factor (times the largest 6ND fitted on
        the corpus), quantity (``params``, ``tokens``, ``multiplier``: at the optimum; ``loss given
        up``: a share of the loss, at `multiplier`), multiplier (nan at the optimum), median, lower,
        upper, edge (share of draws whose optimum is none: it lies outside D / N = 0.01 to 1e6).
        ``frame.attrs`` holds the status of the fit.

    Raises
    ------
    SettingError
        For law ``compute``, which knows no optimum, and budgets or multipliers that are not
        positive.
    DataError
        For a series that the fit lacks.
    """
    each = np.atleast_1d(np.asarray(budgets, float))
    for what, numbers in (("budgets", each), ("multipliers", np.asarray(multipliers, float))):
        if not (np.isfinite(numbers) & (numbers > 0)).all() or not numbers.size:
            raise SettingError(
                what,
                rule="must be positive numbers",
                got=repr(numbers.tolist()),
                way_out="such as budgets=[1e22], multipliers=[20, 100]",
            )
    if fit.law.name == "compute":
        raise SettingError(
            "law 'compute'",
            rule="knows only compute, not how it is spent",
            got="a question about N and D",
            way_out="fit law skaling",
        )
    tails, s = check_prob(prob), _series(fit, loss_name, corpus)
    runs = fit.ladder.with_role("fit").where(corpus=fit.loss_data.groups.pairs[s][0]).runs
    largest = float(six_nd(runs["params"], runs["tokens"]).max())
    rows = []
    for budget in each:
        log_loss = _log_loss(fit, s, budget, GRID)
        best = log_loss.argmin(1)
        at = _vertex(log_loss, best)
        lost = (
            np.exp(
                _log_loss(fit, s, budget, np.log(np.asarray(multipliers, float)))
                - log_loss.min(1, keepdims=True)
            )
            - 1
        )
        edge = float(np.isin(best, (0, len(GRID) - 1)).mean())
        found = {
            ("params", np.nan): np.sqrt(budget / 6 / np.exp(at)),
            ("tokens", np.nan): np.sqrt(budget / 6 * np.exp(at)),
            ("multiplier", np.nan): np.exp(at),
        }
        found |= {
            ("loss given up", float(m)): np.maximum(lost[:, i], 0.0)
            for i, m in enumerate(multipliers)
        }
        for (quantity, m), draws in found.items():
            lower, median, upper = np.quantile(draws, [tails[0], 0.5, tails[1]])
            about = {
                "flops": budget,
                "extrapolation_factor": budget / largest,
                "quantity": quantity,
            }
            rows.append(
                about
                | {"multiplier": m, "median": median, "lower": lower, "upper": upper, "edge": edge}
            )
    frame = pd.DataFrame(rows)
    frame.attrs = {"status": fit.status, "prob": prob, "series": fit.loss_data.groups.pairs[s]}
    return frame


def _series(fit: Fit, loss_name: str | None, corpus: str | None) -> int:
    """Index of the series asked for, of the only one, or of the only validation loss."""
    f = fit.loss_data.groups
    found = [
        s
        for s, (c, name) in enumerate(f.pairs)
        if corpus in (None, c) and loss_name in (None, name)
    ]
    if loss_name is None and len(found) > 1:
        found = [s for s in found if f.pairs[s][1] not in fit.ladder.tasks]
    if len(found) != 1:
        known = ", ".join(f"{name} on {c}" for c, name in f.pairs)
        raise DataError(
            "the series",
            rule="must be one that was fitted",
            got=f"{loss_name} on {corpus}",
            way_out=f"give loss_name= and corpus=: {known}",
        )
    return found[0]


def _log_loss(fit: Fit, s: int, budget: float, log_multiplier: np.ndarray) -> np.ndarray:
    """Ln f at each D / N of the budget, shape (draws, multipliers)."""
    losses = fit.loss_data
    model = loss_model(
        fit.law,
        losses.groups,
        pooling=fit.pooling,
        noise=fit.noise,
        widening=losses.layout.lag is not None,
    )
    real, _ = real_draws(fit.losses, model, losses.groups.names, "loss_name")
    params, tokens = (np.sqrt(budget / 6 * np.exp(sign * log_multiplier)) for sign in (-1, 1))
    x = point(params, tokens, np.full(len(params), budget), losses.reference)
    one = {name: v[:, [s]] if v.ndim > 1 else v for name, v in real.items()}
    return expected(model, one, type(x)(*(v[None] for v in x)), np.ones((1, len(params))))[0][:, 0]


def _vertex(log_loss: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Ln(D / N) at the minimum of the parabola through the lowest point of the grid and its
    neighbours.
    """
    inner = np.clip(best, 1, len(GRID) - 2)
    left, middle, right = (
        np.take_along_axis(log_loss, (inner + k)[:, None], 1)[:, 0] for k in (-1, 0, 1)
    )
    bend = left - 2 * middle + right
    step = np.where(bend > 0, 0.5 * (left - right) / np.where(bend > 0, bend, 1.0), 0.0)
    return GRID[best] + np.where(best == inner, np.clip(step, -0.5, 0.5), 0.0) * (GRID[1] - GRID[0])
