"""frontier(fit, budgets): the compute-optimal N* and D* of a budget, with their posterior.

Also the loss given up by training a smaller model for longer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescale.checks import Status
from bayescale.data.target import six_nd
from bayescale.errors import DataError, SettingError
from bayescale.extrapolation.discrepancy import Points, law_error
from bayescale.fits.record import Fit, require_fit
from bayescale.inference.posterior import real_draws
from bayescale.inference.summary import interval
from bayescale.models.inputs import point
from bayescale.models.kernel import locations
from bayescale.models.prediction import expected
from bayescale.runtime import random_generator
from bayescale.validation import check_prob, require_positives

MULTIPLIERS = (20.0, 100.0, 640.0)
# ln(D / N) among which the optimum is looked for.
LOG_MULTIPLIERS = np.linspace(np.log(1e-2), np.log(1e6), 400)


def frontier(
    fit: Fit,
    budgets: Sequence[float] | float,
    *,
    multipliers: Sequence[float] = MULTIPLIERS,
    loss_name: str | None = None,
    corpus: str | None = None,
    prob: float = 0.9,
) -> pd.DataFrame:
    """(N*, D*) = argmin L(N, D) over 6ND = C, and L at D / N = M relative to L(N*, D*), per draw.

    L is the law with its error, which is not the same for all configurations of one budget, and
    without the noise of a run.

    Parameters
    ----------
    fit
        A fit of a law that depends on how compute is spent; of a mixture, the heaviest member is
        asked.
    budgets
        C in FLOPs, 6ND: one, or several.
    multipliers
        M, tokens per parameter, at which the loss is compared with that of the optimum.
    loss_name, corpus
        Series whose law is asked. None where the ladder has a single one, or a single validation
        loss.
    prob
        Probability of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row per (budget, quantity): flops, extrapolation_factor (times the largest 6ND that was
        fitted on the corpus), quantity (``params``, ``tokens`` and ``multiplier`` at the optimum;
        ``loss given up``, a share of the loss, at `multiplier`), multiplier (nan at the optimum),
        median, lower, upper, edge (share of draws that have no optimum within D / N = 0.01 to 1e6).
        ``frame.attrs`` holds the status of the fit, or ``fail`` where a draw is not finite, `prob`,
        the series and a note that names such draws.

    Raises
    ------
    SettingError
        For law ``compute``, which has no optimum, budgets or multipliers that are not positive, and
        a probability that does not lie between 0 and 1.
    DataError
        For a series that was not fitted.

    Examples
    --------
    >>> import bayescale as bs
    >>> bs.setup(chains=2)
    >>> ladder = bs.load_dataset("ladder2024", tasks=["c4"])
    >>> fit = bs.fit(ladder, law="chinchilla", discrepancy="none", chains=2, draws=100)
    >>> table = bs.frontier(fit, budgets=[1e22], multipliers=[100])
    >>> table["quantity"].tolist()
    ['params', 'tokens', 'multiplier', 'loss given up']
    """
    require_fit(fit)
    way_out = "such as budgets=[1e22], multipliers=[20, 100]"
    chosen = require_positives("budgets", budgets, way_out=way_out)
    multipliers = require_positives("multipliers", multipliers, way_out=way_out)
    check_law(fit.law.name)
    check_prob(prob)
    s = find_series(fit.loss_data.groups.pairs, fit.ladder.tasks, loss_name, corpus)
    pair = fit.loss_data.groups.pairs[s]
    runs = fit.ladder.with_role("fit").where(corpus=pair[0]).runs
    largest = float(six_nd(runs["params"], runs["tokens"]).max())
    rows = []
    lost = []
    for budget in chosen:
        draws, edge = _draws(fit, s, budget, multipliers)
        for (quantity, multiplier), values in draws.items():
            if not np.isfinite(values).all():
                lost.append(f"{quantity} at {budget:.3g} FLOPs")
            lower, median, upper = interval(values, prob)
            rows.append(
                {
                    "flops": budget,
                    "extrapolation_factor": budget / largest,
                    "quantity": quantity,
                    "multiplier": multiplier,
                    "median": median,
                    "lower": lower,
                    "upper": upper,
                    "edge": edge,
                }
            )
    frame = pd.DataFrame(rows)
    status: Status = "fail" if lost else fit.status
    note = f"Draws that are not finite: {', '.join(lost)}." if lost else ""
    frame.attrs = {"status": status, "prob": prob, "series": pair, "note": note}
    return frame


def _draws(
    fit: Fit, s: int, budget: float, multipliers: Sequence[float]
) -> tuple[dict[tuple[str, float], np.ndarray], float]:
    """Draws of each (quantity, multiplier), and the share of draws without an optimum."""
    asked = np.log(np.asarray(multipliers, float))
    # In one call, because the error of all configurations is joint.
    both = _log_loss(fit, s, budget, np.concatenate([LOG_MULTIPLIERS, asked]))
    log_loss, at_multipliers = np.split(both, [len(LOG_MULTIPLIERS)], 1)
    best = log_loss.argmin(1)
    ratio = np.exp(_vertex(log_loss, best))
    given_up = np.exp(at_multipliers - log_loss.min(1, keepdims=True)) - 1
    draws = {
        ("params", np.nan): np.sqrt(budget / 6 / ratio),
        ("tokens", np.nan): np.sqrt(budget / 6 * ratio),
        ("multiplier", np.nan): ratio,
    }
    for i, multiplier in enumerate(multipliers):
        draws["loss given up", float(multiplier)] = np.maximum(given_up[:, i], 0.0)
    edge = float(np.isin(best, (0, len(LOG_MULTIPLIERS) - 1)).mean())
    return draws, edge


def check_law(name: str) -> None:
    """Raise a SettingError for law ``compute``, which has no optimum."""
    if name == "compute":
        raise SettingError(
            "law 'compute'",
            rule="knows only compute, not how it is spent",
            got="a question about N and D",
            way_out="fit law skaling",
        )


def find_series(
    pairs: Sequence[tuple[str, str]],
    tasks: Sequence[str],
    loss_name: str | None,
    corpus: str | None,
) -> int:
    """Index of the series asked for, of the only one, or of the only validation loss.

    Parameters
    ----------
    pairs
        (corpus, loss) of each fitted series.
    tasks
        Names of the tasks; a loss of another name is a validation loss.
    loss_name, corpus
        As in `frontier`.

    Raises
    ------
    DataError
        Where no series or several are meant.
    """
    chosen = [
        s
        for s, (of_series, name) in enumerate(pairs)
        if corpus in (None, of_series) and loss_name in (None, name)
    ]
    if loss_name is None and len(chosen) > 1:
        chosen = [s for s in chosen if pairs[s][1] not in tasks]
    if len(chosen) != 1:
        known = ", ".join(f"{name} on {of_series}" for of_series, name in pairs)
        raise DataError(
            "the series",
            rule="must be one that was fitted",
            got=f"{loss_name} on {corpus}",
            way_out=f"give loss_name= and corpus=: {known}",
        )
    return chosen[0]


def _log_loss(fit: Fit, s: int, budget: float, log_multiplier: np.ndarray) -> np.ndarray:
    """ln L at each D / N of the budget, shape (draws, multipliers)."""
    data = fit.loss_data
    real, _ = real_draws(fit.posteriors.loss.draws, fit.loss_model, data.groups.names, "loss_name")
    params = np.sqrt(budget / 6 * np.exp(-log_multiplier))
    tokens = np.sqrt(budget / 6 * np.exp(log_multiplier))
    x = point(params, tokens, np.full(len(params), budget), data.reference)
    one = {name: v[:, [s]] if v.ndim > 1 else v for name, v in real.items()}
    with_series = type(x)(*(v[None] for v in x))
    mean, _ = expected(fit.loss_model, one, with_series, np.ones((1, len(params))))
    log_loss = mean[:, 0]
    if fit.loss_error is not None:
        groups = data.groups
        runs = fit.ladder.with_role("fit").where(corpus=groups.pairs[s][0]).runs
        largest = float(six_nd(runs["params"], runs["tokens"]).max())
        far = np.full((1, len(params)), max(0.0, float(np.log(budget / largest))))
        error = law_error(
            fit.loss_error.of(s),
            data.terms,
            Points(locations(params, tokens), far),
            of_task=np.array([groups.kinds[groups.kind[s]] == "task"]),
            # The same numbers for every budget: a frontier is smooth.
            rng=random_generator(fit.sampler.seed, "discrepancy"),
        )
        log_loss = log_loss + error.known[:, 0] + error.random[:, 0]
    return log_loss


def _vertex(log_loss: np.ndarray, best: np.ndarray) -> np.ndarray:
    """ln(D / N) at the minimum of the parabola through the lowest grid point and its neighbours."""
    grid = LOG_MULTIPLIERS
    inner = np.clip(best, 1, len(grid) - 2)
    left, middle, right = (
        np.take_along_axis(log_loss, (inner + k)[:, None], 1)[:, 0] for k in (-1, 0, 1)
    )
    curvature = left - 2 * middle + right
    safe = np.where(curvature > 0, curvature, 1.0)
    step = np.where(curvature > 0, 0.5 * (left - right) / safe, 0.0)
    step = np.where(best == inner, np.clip(step, -0.5, 0.5), 0.0)
    return grid[best] + step * (grid[1] - grid[0])
