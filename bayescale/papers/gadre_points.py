"""Gadre et al. 2024 as released: loss law and error law of three corpora, and their errors."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bayescale.data.datasets import load_dataset
from bayescale.data.datasets.released import load_released
from bayescale.data.readers.gadre2024 import AVERAGES, LOSSES
from bayescale.data.readers.wide import ACCURACY, LOSS, widen
from bayescale.data.target import six_nd
from bayescale.errors import FitError
from bayescale.papers.analysis import Analysis, digits, row, spread_of_optima, table
from bayescale.point_fits.gadre2024 import gadre_constants, gadre_error, gadre_loss
from bayescale.point_fits.solver import Problem, solve

type Rows = list[dict[str, Any]]

# the two targets of the paper's abstract
HEADLINE = ("redpajama-1.4B-M640", "redpajama-6.9B-M20")

# bound on the relative error of a predicted loss or error
PREDICTED = 1e-4

# "300x less compute" and "20x less compute" in the paper's abstract, about both targets together
PAPER_TIMES = {"loss": 300.0, "error": 20.0}

# roles of the runs that each law is fitted on
FITTED_ROLES = {"loss": ["fit"], "error": ["fit", "link"]}


def coefficients() -> Analysis:
    """Every coefficient of the 3 loss fits and the 6 error fits.

    Returns
    -------
    Analysis
        One row per coefficient, in the form of the released code and of the paper.
    """
    released = load_released("gadre2024")
    rows: Rows = []
    for corpus, wide in _by_corpus():
        law = solve(_loss_problem(wide, "c4"))
        rows += _coefficient_rows(released, corpus, "c4", "loss", law.values)
        rows += [
            row(
                {"corpus": corpus, "fit": "loss", "coefficient": f"{name} (paper's form)"},
                released=None,
                here=value,
            )
            for name, value in gadre_constants(law.values).items()
        ]
        for average in AVERAGES:
            link = solve(_error_problem(wide, "c4", average))
            rows += _coefficient_rows(released, corpus, average, f"error, {average}", link.values)
    about = (
        "The released code fits L = alpha N^p + beta 6^(p/2) (MN)^p + E; the paper writes it as "
        "E + (a M^eta + b M^-eta) C^-eta. The error law is error = eps - k e^(-gamma L). "
        "Bound: 4 significant digits."
    )
    return Analysis("coefficients", about, table(rows))


def predictions() -> Analysis:
    """Relative errors (%) of every run outside the fit: the loss, and the error on both averages.

    Returns
    -------
    Analysis
        One row for each (run, predicted figure), the two headline targets first.
    """
    rows: Rows = []
    for corpus, wide in _by_corpus():
        rows += _prediction_rows(corpus, wide)
    rows.sort(key=lambda one: one["run"] not in HEADLINE)
    about = (
        "Error of prediction in % of the actual value, for every run that the fit did not use; the "
        "columns released and here hold this error. Bound: 0.01 points; 4 significant digits for "
        "the two headline targets."
    )
    return Analysis("predictions", about, table(rows))


def losses() -> Analysis:
    """The other seven validation losses in place of C4: coefficients, and errors at the targets.

    Returns
    -------
    Analysis
        One row for each (corpus, loss, target), or one row with the reason where a fit did not
        converge.
    """
    rows: Rows = []
    for corpus, wide in _by_corpus():
        for loss in LOSSES.values():
            rows += _rows_through(wide, loss, "average17", {"corpus": corpus, "loss": loss})
    about = (
        "Each validation loss in place of C4, in the loss law and in the error law: errors of "
        "prediction (%) of the large runs."
    )
    return Analysis("losses", about, table(rows))


def tasks() -> Analysis:
    """Each of the 46 tasks in place of the average: errors at the targets, or why there is no fit.

    Returns
    -------
    Analysis
        One row for each (corpus, task, target), or one row with the reason where the fit did not
        converge.
    """
    rows: Rows = []
    for corpus, wide in _by_corpus():
        law = solve(_loss_problem(wide, "c4"))
        for task in [name for name in _tasks(wide) if name not in AVERAGES]:
            keys = {"corpus": corpus, "task": task}
            try:
                link = solve(_error_problem(wide, "c4", task))
            except FitError as failure:
                rows.append({**keys, "note": f"no fit: {failure.got}"})
                continue
            for run, outcome in _large(wide).iterrows():
                predicted = float(link(law(_size(outcome))))
                accuracy = outcome[ACCURACY + task]
                rows.append(
                    {
                        **keys,
                        "run": run,
                        "actual": 1 - accuracy,
                        "predicted": predicted,
                        "points": 100 * (predicted - 1 + accuracy),
                    }
                )
    about = (
        "The error law of each of the 46 tasks, chained to the law of C4 loss: the actual and the "
        "predicted error of the large runs, and the difference in points."
    )
    return Analysis("tasks", about, table(rows))


def compute() -> Analysis:
    """Compute of each target over the compute of all fitted runs together.

    Returns
    -------
    Analysis
        One row for each (target, law).
    """
    rows = []
    for _, wide in _by_corpus():
        flops = six_nd(wide["params"], wide["tokens"])
        for run in _large(wide).index:
            for quantity, roles in FITTED_ROLES.items():
                spent = flops[wide["role"].isin(roles)].sum()
                rows.append(
                    {
                        "run": run,
                        "of": quantity,
                        "paper says about": PAPER_TIMES[quantity],
                        "times": flops[run] / spent,
                        "spent (FLOPs)": spent,
                        "target (FLOPs)": flops[run],
                    }
                )
    about = (
        "Compute (6ND) of the target over the compute of all fitted runs together. The paper "
        "rounds the ratio."
    )
    return Analysis("compute", about, pd.DataFrame(rows))


def starts(count: int, seed: int) -> Analysis:
    """The spread of the optima over several starts.

    Parameters
    ----------
    count
        Number of starts of each fit.
    seed
        Seed of the random starts.

    Returns
    -------
    Analysis
        One row for each (corpus, fit).
    """
    rows = []
    for corpus, wide in _by_corpus():
        problems = {"loss": _loss_problem(wide, "c4")}
        for average in AVERAGES:
            problems[f"error, {average}"] = _error_problem(wide, "c4", average)
        rows += [
            {"corpus": corpus, "fit": fit, **spread_of_optima(problem, count, seed)}
            for fit, problem in problems.items()
        ]
    about = f"Optima from {count} starts: the released start and random ones around it."
    return Analysis("starts", about, table(rows))


def _coefficient_rows(
    released: pd.Series, corpus: str, series: str, fit: str, values: dict[str, float]
) -> Rows:
    """One row per coefficient of one fit, beside the released one."""
    rows = []
    for name, value in values.items():
        figure = released[corpus, series, "", name]
        rows.append(
            row(
                {"corpus": corpus, "fit": fit, "coefficient": name},
                released=figure,
                here=value,
                bound=digits(figure),
            )
        )
    return rows


def _prediction_rows(corpus: str, wide: pd.DataFrame) -> Rows:
    """The relative errors of one corpus, beside those of the released predictions."""
    released = load_released("gadre2024")
    law = solve(_loss_problem(wide, "c4"))
    links = {average: solve(_error_problem(wide, "c4", average)) for average in AVERAGES}
    rows = []
    for run, outcome in wide.iterrows():
        loss = float(law(_size(outcome)))
        figures = []
        if outcome["role"] not in FITTED_ROLES["loss"]:
            figures.append(("loss", "c4", outcome[LOSS + "c4"], loss))
        if outcome["role"] not in FITTED_ROLES["error"]:
            figures += [
                ("error", average, 1 - outcome[ACCURACY + average], float(link(loss)))
                for average, link in links.items()
            ]
        for quantity, series, actual, predicted in figures:
            error_released = 100 * (released[corpus, series, run, quantity] / actual - 1)
            rows.append(
                row(
                    {
                        "run": run,
                        "of": f"{quantity}, {series}",
                        "actual": actual,
                        "predicted": predicted,
                    },
                    released=error_released,
                    here=100 * (predicted / actual - 1),
                    bound=digits(error_released) if run in HEADLINE else 100 * PREDICTED,
                )
            )
    return rows


def _rows_through(wide: pd.DataFrame, loss: str, average: str, keys: dict[str, Any]) -> Rows:
    """The errors at the targets of one corpus with one loss in both laws, or why there is no fit.

    The columns end with the coefficients of the loss law.
    """
    try:
        law = solve(_loss_problem(wide, loss))
        link = solve(_error_problem(wide, loss, average))
    except FitError as failure:
        return [{**keys, "note": f"no fit: {failure.what}: {failure.got}"}]
    rows = []
    for run, outcome in _large(wide).iterrows():
        predicted = float(law(_size(outcome)))
        error = float(link(predicted))
        actual_error = 1 - outcome[ACCURACY + average]
        rows.append(
            {
                **keys,
                "run": run,
                "loss, error (%)": 100 * (predicted / outcome[LOSS + loss] - 1),
                f"{average} error, error (%)": 100 * (error / actual_error - 1),
                **law.values,
            }
        )
    return rows


def _by_corpus() -> list[tuple[str, pd.DataFrame]]:
    """The wide table of each corpus, by run, with the column multiplier (M = D/N)."""
    ladder = load_dataset("gadre2024", tasks="all")
    wide = widen(ladder)[0].set_index("run")
    wide = wide.assign(multiplier=(wide["tokens"] / wide["params"]).round())
    return [(corpus, wide[wide["corpus"] == corpus]) for corpus in ladder.corpora]


def _loss_problem(wide: pd.DataFrame, loss: str) -> Problem:
    """The fit of the loss law to the fitted runs of one corpus."""
    runs = wide[wide["role"].isin(FITTED_ROLES["loss"])]
    return gadre_loss(
        runs["params"].to_numpy(float),
        runs["multiplier"].to_numpy(float),
        runs[LOSS + loss].to_numpy(float),
    )


def _error_problem(wide: pd.DataFrame, loss: str, task: str) -> Problem:
    """The fit of the error law to the runs of one corpus that the link sees."""
    runs = wide[wide["role"].isin(FITTED_ROLES["error"])]
    return gadre_error(runs[LOSS + loss].to_numpy(float), 1 - runs[ACCURACY + task].to_numpy(float))


def _size(run: pd.Series) -> tuple[float, float]:
    """N and M of one run."""
    return run["params"], run["multiplier"]


def _tasks(wide: pd.DataFrame) -> list[str]:
    """The tasks and averages that have accuracies."""
    return [name.removeprefix(ACCURACY) for name in wide.columns if name.startswith(ACCURACY)]


def _large(wide: pd.DataFrame) -> pd.DataFrame:
    """The targets, which are the large runs."""
    return wide[wide["role"] == "target"]
