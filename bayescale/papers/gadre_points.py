"""Gadre et al. 2024 as released: loss law and error law of three corpora, and every error of
prediction.
"""

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

# the two targets that the paper's abstract speaks of
HEADLINE = ("redpajama-1.4B-M640", "redpajama-6.9B-M20")
PREDICTED = 1e-4  # relative bound of a predicted loss or error
# "300x less compute", "20x less compute" in the paper's abstract, about both targets together
PAPER_TIMES = {"loss": 300.0, "error": 20.0}


def coefficients() -> Analysis:
    """Every coefficient of the 3 loss fits and the 6 error fits."""
    released = load_released("gadre2024")
    rows: list[dict[str, Any]] = []
    for corpus, wide in _by_corpus():
        law = solve(_loss_problem(wide, "c4"))
        for name, value in law.values.items():
            figure = released[corpus, "c4", "", name]
            rows.append(
                row(
                    {"corpus": corpus, "fit": "loss", "coefficient": name},
                    figure,
                    value,
                    digits(figure),
                )
            )
        rows += [
            row({"corpus": corpus, "fit": "loss", "coefficient": f"{k} (paper's form)"}, None, v)
            for k, v in gadre_constants(law.values).items()
        ]
        for average in AVERAGES:
            for name, value in solve(_error_problem(wide, "c4", average)).values.items():
                figure = released[corpus, average, "", name]
                rows.append(
                    row(
                        {"corpus": corpus, "fit": f"error, {average}", "coefficient": name},
                        figure,
                        value,
                        digits(figure),
                    )
                )
    about = "L = alpha N^p + beta 6^(p/2) (MN)^p + E, in the paper E + (a M^eta + b M^-eta) C^-eta; error = eps - k e^(-gamma L). Bound: 4 significant digits."
    return Analysis("coefficients", about, table(rows))


def predictions() -> Analysis:
    """Relative errors (%) of every run that the fit did not use, for the loss and both averages of
    the error.
    """
    released = load_released("gadre2024")
    rows = []
    for corpus, wide in _by_corpus():
        law = solve(_loss_problem(wide, "c4"))
        links = {average: solve(_error_problem(wide, "c4", average)) for average in AVERAGES}
        for run, r in wide.iterrows():
            loss = float(law((r["params"], r["multiplier"])))
            cells = [] if r["role"] == "fit" else [("c4", "loss", r[LOSS + "c4"], loss)]
            cells += [
                (a, "error", 1 - r[ACCURACY + a], float(link(loss)))
                for a, link in links.items()
                if r["role"] not in ("fit", "link")
            ]
            for series, quantity, actual, predicted in cells:
                figure = released[corpus, series, run, quantity]
                relative = [100 * (value / actual - 1) for value in (figure, predicted)]
                bound = digits(relative[0]) if run in HEADLINE else 100 * PREDICTED
                rows.append(
                    row(
                        {
                            "run": run,
                            "of": f"{quantity}, {series}",
                            "actual": actual,
                            "predicted": predicted,
                        },
                        relative[0],
                        relative[1],
                        bound,
                    )
                )
    rows.sort(key=lambda r: r["run"] not in HEADLINE)
    about = (
        "Error of prediction, % of the actual value, of all runs that the fit did not use; released and here are that error. "
        "Bound: 0.01 points; 4 significant digits for the two headline targets."
    )
    return Analysis("predictions", about, table(rows))


def losses() -> Analysis:
    """The other seven validation losses in place of C4: coefficients, and the targets' errors."""
    rows = []
    for corpus, wide in _by_corpus():
        for loss in LOSSES.values():
            rows += _through(wide, loss, "average17", {"corpus": corpus, "loss": loss})
    return Analysis(
        "losses",
        "Each validation loss in place of C4, for the law and for the error law: errors of prediction (%) of the large runs.",
        table(rows),
    )


def tasks() -> Analysis:
    """Each of the 46 tasks in place of the average: the targets' errors, or why there is no fit."""
    rows: list[dict[str, Any]] = []
    for corpus, wide in _by_corpus():
        law = solve(_loss_problem(wide, "c4"))
        for task in [t for t in _tasks(wide) if t not in AVERAGES]:
            keys = {"corpus": corpus, "task": task}
            try:
                link = solve(_error_problem(wide, "c4", task))
            except FitError as failure:
                rows.append({**keys, "note": f"no fit: {failure.got}"})
                continue
            for run, r in _large(wide).iterrows():
                predicted = float(link(law((r["params"], r["multiplier"]))))
                rows.append(
                    {
                        **keys,
                        "run": run,
                        "actual": 1 - r[ACCURACY + task],
                        "predicted": predicted,
                        "points": 100 * (predicted - 1 + r[ACCURACY + task]),
                    }
                )
    about = "The error law of each of the 46 tasks, chained from C4 loss: the error of the large runs, and by how many points it is off."
    return Analysis("tasks", about, table(rows))


def compute() -> Analysis:
    """The compute spent on the fit against the targets'."""
    rows = []
    for _, wide in _by_corpus():
        flops = six_nd(wide["params"], wide["tokens"])
        for run in _large(wide).index:
            for of, roles in (("loss", ["fit"]), ("error", ["fit", "link"])):
                spent = flops[wide["role"].isin(roles)].sum()
                rows.append(
                    {
                        "run": run,
                        "of": of,
                        "paper says about": PAPER_TIMES[of],
                        "times": flops[run] / spent,
                        "spent (FLOPs)": spent,
                        "target (FLOPs)": flops[run],
                    }
                )
    return Analysis(
        "compute",
        "6ND of the target over that of all runs of the fit together. The paper rounds.",
        pd.DataFrame(rows),
    )


def starts(count: int, seed: int) -> Analysis:
    """The spread of the optima over `count` starts."""
    rows = []
    for corpus, wide in _by_corpus():
        problems = {"loss": _loss_problem(wide, "c4")} | {
            f"error, {a}": _error_problem(wide, "c4", a) for a in AVERAGES
        }
        rows += [
            {"corpus": corpus, "fit": fit, **spread_of_optima(problem, count, seed)}
            for fit, problem in problems.items()
        ]
    return Analysis(
        "starts",
        f"Optima from {count} starts: the released one and random ones around it.",
        table(rows),
    )


def _by_corpus() -> list[tuple[str, pd.DataFrame]]:
    """One wide table a corpus (see `bayescale.data.readers.wide`), indexed by run, with the token
    multiplier.
    """
    ladder = load_dataset("gadre2024", tasks="all")
    wide = (
        widen(ladder)[0]
        .set_index("run")
        .assign(multiplier=lambda r: (r["tokens"] / r["params"]).round())
    )
    return [(corpus, wide[wide["corpus"] == corpus]) for corpus in ladder.corpora]


def _loss_problem(wide: pd.DataFrame, loss: str) -> Problem:
    runs = wide[wide["role"] == "fit"]
    return gadre_loss(
        runs["params"].to_numpy(float),
        runs["multiplier"].to_numpy(float),
        runs[LOSS + loss].to_numpy(float),
    )


def _error_problem(wide: pd.DataFrame, loss: str, task: str) -> Problem:
    runs = wide[wide["role"].isin(["fit", "link"])]
    return gadre_error(runs[LOSS + loss].to_numpy(float), 1 - runs[ACCURACY + task].to_numpy(float))


def _tasks(wide: pd.DataFrame) -> list[str]:
    return [name.removeprefix(ACCURACY) for name in wide.columns if name.startswith(ACCURACY)]


def _large(wide: pd.DataFrame) -> pd.DataFrame:
    return wide[wide["role"] == "target"]


def _through(
    wide: pd.DataFrame, loss: str, average: str, keys: dict[str, Any]
) -> list[dict[str, Any]]:
    try:
        law, link = solve(_loss_problem(wide, loss)), solve(_error_problem(wide, loss, average))
    except FitError as failure:
        return [{**keys, "note": f"no fit: {failure.what}: {failure.got}"}]
    rows = []
    for run, r in _large(wide).iterrows():
        predicted = float(law((r["params"], r["multiplier"])))
        error = float(link(predicted))
        figures = {
            "loss, error (%)": 100 * (predicted / r[LOSS + loss] - 1),
            f"{average} error, error (%)": 100 * (error / (1 - r[ACCURACY + average]) - 1),
        }
        rows.append({**keys, "run": run, **figures, **law.values})
    return rows
