"""Bhagia et al. 2024 as released: the losses and accuracies of the targets and held-out runs.

Step 1 forecasts a loss from (N, D) or from compute, step 2 an accuracy from a loss, and both are
chained. Step 2 needs the released checkpoint files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayescale.data.datasets.released import load_released
from bayescale.data.readers.ladder2024 import CROSS_ENTROPY, OWN_TASKS, TARGETS
from bayescale.data.readers.wide import ACCURACY, LOSS
from bayescale.errors import FitError
from bayescale.papers.analysis import Analysis, row, table
from bayescale.papers.bhagia_data import (
    SKIPPED_LOG,
    BhagiaData,
    fitted_link,
    loss_problem,
    single_step_problem,
)
from bayescale.point_fits.bhagia2024 import bhagia_compute, bhagia_log_link, bhagia_loss
from bayescale.point_fits.solver import PointFit, solve

type Rows = list[dict[str, Any]]
type Predict = Callable[[pd.Series], Any]

CORPUS = "olmo-mix"

# bound on a loss or a coefficient, as a share of it
SHARE = 1e-3

# bound on an accuracy, in points
POINTS = 0.05

# bound on an accuracy from compute alone or from a single step, in points
LOOSER = 0.1

# tasks whose released single step had not converged: it drifts along a ridge, and another optimiser
# goes on from where it ended
UNSETTLED = {"openbookqa"}

# mean absolute errors in points through C4 loss: what the released script gives once its start is
# corrected
C4_RELEASED = {
    "7B-4T, all 8": 2.00,
    "13B-5T, all 8": 3.45,
    "first four, 7B-4T": 2.25,
    "first four, 13B-5T": 3.31,
    "all 16": 2.73,
}

# the tasks that the paper calls predictable
FIRST_FOUR = ("mmlu", "hellaswag", "piqa", "socialiqa")


def step1(data: BhagiaData) -> Analysis:
    """L = A N^-alpha + B D^-beta + E: coefficients, and the losses of targets and held-out runs.

    Parameters
    ----------
    data
        The runs.

    Returns
    -------
    Analysis
        One row per coefficient of each task, and one per forecast run.
    """
    released = load_released("ladder2024")
    forecast_runs = pd.concat([data.of_role("target"), data.of_role("held_out")])
    rows = []
    for task in OWN_TASKS:
        law = solve(loss_problem(data, task))
        coefficients = {
            "A": np.exp(law.values["ln A"]),
            "B": np.exp(law.values["ln B"]),
            "alpha": law.values["alpha"],
            "beta": law.values["beta"],
            "E": law.values["E"],
        }
        for name, value in coefficients.items():
            figure = released[CORPUS, task, "", name]
            rows.append(
                row(
                    {"task": task, "run": "", "what": name},
                    released=figure,
                    here=value,
                    bound=max(SHARE * figure, 1e-9),
                )
            )
        for run, outcome in forecast_runs.iterrows():
            figure = released[CORPUS, task, run, "loss"]
            predicted = float(law(_size(outcome)))
            actual = outcome[LOSS + task]
            rows.append(
                row(
                    {"task": task, "run": run, "what": "loss"},
                    released=figure,
                    here=predicted,
                    bound=SHARE * figure,
                    actual=actual,
                    error=100 * (predicted / actual - 1),
                )
            )
    about = (
        "Step 1 fits L = A N^-alpha + B D^-beta + E to each task's loss in bits per byte. "
        "The error is in % of the actual loss. Bound: 0.1 %."
    )
    return Analysis("step1", about, table(rows))


def step2(data: BhagiaData) -> Analysis:
    """acc = a / (1 + e^(-k (L - x0))) + b at the actual loss: coefficients, and both targets.

    Parameters
    ----------
    data
        The runs, with their checkpoints.

    Returns
    -------
    Analysis
        One row per coefficient of each task, one per target, and mean absolute errors.
    """
    released = load_released("ladder2024")
    rows: Rows = []
    for task in OWN_TASKS:
        link = fitted_link(data, task)
        for name, value in link.values.items():
            figure = released[CORPUS, task, "", name]
            rows.append(
                row(
                    {"task": task, "run": "", "what": name},
                    released=figure,
                    here=value,
                    bound=SHARE * abs(figure),
                )
            )
        predict = _at_actual_loss(link, task)
        rows += _accuracy_rows(data, task, predict, quantity="accuracy, step 2", bound=POINTS)
    about = (
        "Step 2 forecasts the accuracy from the actual loss, in points. "
        "Bound: 0.05 points; 0.1 % for coefficients."
    )
    return _with_means("step2", about, rows)


def chained(data: BhagiaData) -> Analysis:
    """Accuracy from (N, D) through each task's own loss: step 1, then step 2.

    Parameters
    ----------
    data
        The runs, with their checkpoints.

    Returns
    -------
    Analysis
        One row for each (task, target or held-out run), and mean absolute errors.
    """
    rows: Rows = []
    for task in OWN_TASKS:
        law = solve(loss_problem(data, task))
        predict = _chain(law, fitted_link(data, task), _size)
        for role in ("target", "held_out"):
            rows += _accuracy_rows(
                data, task, predict, role=role, quantity="accuracy, chained", bound=POINTS
            )
    about = (
        "Step 1 and step 2 are chained: the accuracy is forecast from (N, D), in points. "
        "Bound: 0.05 points."
    )
    return _with_means("chained", about, rows)


def compute_only(data: BhagiaData) -> Analysis:
    """Accuracy from measured compute alone: L = A C^-alpha + E, then step 2.

    Parameters
    ----------
    data
        The runs, with their checkpoints.

    Returns
    -------
    Analysis
        One row for each (task, target), and mean absolute errors.
    """
    runs = data.fitted()
    rows: Rows = []
    for task in OWN_TASKS:
        law = solve(bhagia_compute(runs["flops"].to_numpy(), runs[LOSS + task].to_numpy()))
        predict = _chain(law, fitted_link(data, task), lambda run: run["flops"])
        rows += _accuracy_rows(data, task, predict, quantity="accuracy, compute", bound=LOOSER)
    about = (
        "Step 1 fits L = A C^-alpha + E to measured FLOPs, and step 2 follows. "
        "Accuracies are in points. Bound: 0.1 points."
    )
    return _with_means("compute-only", about, rows)


def single_step(data: BhagiaData) -> Analysis:
    """acc = p / (1 + e^-(A N^-alpha + B D^-beta + E)) + q: accuracy from (N, D) in one step.

    Parameters
    ----------
    data
        The runs.

    Returns
    -------
    Analysis
        One row for each (task, target), and mean absolute errors.
    """
    rows: Rows = []
    quantity = "accuracy, single step"
    for task in OWN_TASKS:
        try:
            fit = solve(single_step_problem(data, task))
        except FitError as failure:
            bound = None if task in UNSETTLED else LOOSER
            rows += _accuracy_rows(data, task, failure, quantity=quantity, bound=bound)
            continue
        rows += _accuracy_rows(data, task, _at_size(fit), quantity=quantity, bound=LOOSER)
    about = (
        "A single step fits acc = p / (1 + e^-(A N^-alpha + B D^-beta + E)) + q. Accuracies are in "
        "points. Bound: 0.1 points. The released fit of openbookqa had not converged: its alpha "
        "and beta go to 0 and its E to minus infinity, so it has no figure here."
    )
    return _with_means("single-step", about, rows)


def through_c4(data: BhagiaData) -> Analysis:
    """Accuracy from (N, D) through C4 loss: step 1, then step 2.

    Parameters
    ----------
    data
        The runs, with their checkpoints.

    Returns
    -------
    Analysis
        One row for each (task, target), and mean absolute errors.
    """
    rows: Rows = []
    law = solve(loss_problem(data, "c4"))
    for task in OWN_TASKS:
        predict = _chain(law, fitted_link(data, task, "c4"), _size)
        rows += _accuracy_rows(data, task, predict)
    about = (
        "Step 1 and step 2 are chained through C4 loss. The start of the released script has a "
        "flag in place of the chance, and fails for arc_easy and piqa; here the start has the "
        "chance. Only mean absolute errors in points are released. Bound: 0.05 points."
    )
    return _with_means("c4", about, rows, C4_RELEASED)


def through_cross_entropy(data: BhagiaData) -> Analysis:
    """Accuracy from (N, D) through the cross-entropy over each task's choices.

    Parameters
    ----------
    data
        The runs, with their checkpoints.

    Returns
    -------
    Analysis
        One row for each (task, target), and mean absolute errors.
    """
    runs = data.fitted().index
    rows: Rows = []
    for task in OWN_TASKS:
        series = task + CROSS_ENTROPY
        checkpoints = data.checkpoints[data.checkpoints["task"] == series]
        final = checkpoints.groupby("run")["loss"].last()[runs].to_numpy()
        law = solve(bhagia_loss(*data.sizes(), final))
        points = data.link_points(task, series, skipped=SKIPPED_LOG, window=1)
        try:
            link = solve(bhagia_log_link(*points))
        except FitError as failure:
            rows += _accuracy_rows(data, task, failure)
            continue
        rows += _accuracy_rows(data, task, _chain(law, link, _size))
    about = (
        "Step 1 and step 2 are chained through the cross-entropy over each task's choices. Step 2 "
        "fits acc = 1 - a ln(1 - sigmoid(k (L - x0))) to the later half of the checkpoints. "
        "Nothing is released."
    )
    return _with_means("cross-entropy", about, rows)


def _size(run: pd.Series) -> tuple[float, float]:
    """N and D of one run."""
    return run["params"], run["tokens"]


def _at_size(fit: PointFit) -> Predict:
    """The prediction of a fit on (N, D) for one run."""
    return lambda run: fit(_size(run))


def _at_actual_loss(link: PointFit, task: str) -> Predict:
    """The prediction of a link at the actual loss of one run."""
    return lambda run: link(run[LOSS + task])


def _chain(law: PointFit, link: PointFit, inputs: Callable[[pd.Series], object]) -> Predict:
    """The prediction of a link at the loss that a law predicts for one run."""
    return lambda run: link(law(inputs(run)))


def _accuracy_rows(
    data: BhagiaData,
    task: str,
    predict: Predict | FitError,
    *,
    role: str = "target",
    quantity: str | None = None,
    bound: float | None = None,
) -> Rows:
    """One row per run of a role, in points: predicted accuracy, or the error of its fit.

    `quantity` names the released figure; without it nothing is released.
    """
    released = load_released("ladder2024")
    rows = []
    for run, outcome in data.of_role(role).iterrows():
        actual = 100 * outcome[ACCURACY + task]
        here: float | str
        if isinstance(predict, FitError):
            here = f"no fit: {predict.got}"
            error = np.nan
        else:
            here = 100 * float(predict(outcome))
            error = here - actual
        rows.append(
            row(
                {"task": task, "run": run, "what": "accuracy"},
                released=None if quantity is None else 100 * released[CORPUS, task, run, quantity],
                here=here,
                bound=bound,
                actual=actual,
                error=error,
            )
        )
    return rows


def _with_means(
    name: str, about: str, rows: Rows, released_means: Mapping[str, float] | None = None
) -> Analysis:
    """The rows and, below them, mean absolute errors over the targets.

    Each stands beside the mean error of the released figures, or beside the released mean error.
    """
    frame = pd.DataFrame(rows)
    targets = frame[frame["run"].isin(TARGETS) & frame["here"].notna()]
    in_first_four = targets["task"].isin(FIRST_FOUR)
    groups = {"all 16": targets}
    for run in TARGETS:
        of_run = targets["run"] == run
        groups[f"first four, {run}"] = targets[in_first_four & of_run]
        groups[f"{run}, all 8"] = targets[of_run]
    means = []
    for group, members in groups.items():
        error_here = (members["here"] - members["actual"]).abs().mean()
        error_released = (members["released"] - members["actual"]).abs().mean()
        figure = None if np.isnan(error_released) else error_released
        means.append(
            row(
                {"task": f"{group} ({len(members)})", "run": "", "what": "mean absolute error"},
                released=released_means[group] if released_means else figure,
                here=error_here,
                bound=POINTS,
            )
        )
    return Analysis(name, about, table([*rows, *means]))
