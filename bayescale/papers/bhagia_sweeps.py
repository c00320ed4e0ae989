"""Bhagia et al. 2024, beyond the prediction itself: noise of the last checkpoints, smaller ladders,
accuracy as a power law, other starts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bayescale.data.readers.ladder2024 import OWN_TASKS
from bayescale.data.readers.wide import ACCURACY, LOSS
from bayescale.errors import FitError
from bayescale.papers.analysis import Analysis, spread_of_optima, table
from bayescale.papers.bhagia_points import Ladder2024, link_of, loss_problem, single_step_problem
from bayescale.point_fits.bhagia2024 import CHINCHILLA, ladder_accuracy
from bayescale.point_fits.solver import solve

LAST_POINTS = 10  # checkpoints that the paper's noise is taken over
LARGEST = "1B-10xC"  # the run it is taken of: the ladder's largest
TARGET = "7B-4T"  # what smaller ladders forecast in the paper


def variance(at: Ladder2024) -> Analysis:
    """Standard deviation of loss and accuracy over the last checkpoints, against the errors of
    prediction at 7B-4T.
    """
    rows = []
    tail = at.checkpoints[at.checkpoints["run"] == LARGEST].groupby("task").tail(LAST_POINTS)
    for task in OWN_TASKS:
        mine = tail[tail["task"] == task]
        errors = dict(
            zip(
                ("step 1 error (%)", "step 2 error (%)", "chained error (%)"),
                _errors(at, task),
                strict=True,
            )
        )
        loss, accuracy = (mine[k].to_numpy() for k in ("loss", "accuracy"))
        noise = {
            "loss SD": loss.std(),
            "loss SD (%)": 100 * loss.std() / loss.mean(),
            "accuracy SD": accuracy.std(),
        }
        rows.append(
            {
                "task": task,
                **noise,
                "accuracy SD (%)": 100 * accuracy.std() / accuracy.mean(),
                **errors,
            }
        )
    frame = pd.DataFrame(rows)
    pairs = [
        ("loss SD (%)", "step 1 error (%)"),
        ("accuracy SD (%)", "step 2 error (%)"),
        ("accuracy SD (%)", "chained error (%)"),
    ]
    found = "; ".join(
        f"{noise} with {error}: {np.corrcoef(frame[noise], frame[error].abs())[0, 1]:.2f}"
        for noise, error in pairs
    )
    about = f"SD over the last {LAST_POINTS} checkpoints of {LARGEST}, beside the errors at {TARGET}. Correlations with their size over 8 tasks: {found}."
    return Analysis("variance", about, frame)


def smaller_ladders(at: Ladder2024) -> Analysis:
    """Errors at 7B-4T of ladders cut by size, by token multiplier and by compute."""
    runs = at.fitted()
    length = runs.index.str.extract(r"-(\d+)xC$")[0].astype(float).to_numpy()
    rows: list[dict[str, Any]] = []
    for by, values in (
        ("params", runs["params"].to_numpy()),
        ("token multiplier", 20 * length),
        ("flops", runs["flops"].to_numpy()),
    ):
        for cut in sorted(set(values)):
            kept = replace(at, chosen=tuple(runs.index[values <= cut]))
            rows += [
                _cut_row(kept, task, {"cut by": by, "up to": cut, "runs": len(kept.chosen)})
                for task in OWN_TASKS
            ]
    about = f"Errors (%) at {TARGET} of step 1, of step 2 from the actual loss, and chained; the script released for this does not run."
    return Analysis("smaller-ladders", about, table(rows))


def accuracy_law(at: Ladder2024) -> Analysis:
    """Accuracy as a power law of (N, D), without a loss."""
    rows: list[dict[str, Any]] = []
    runs = at.fitted()
    for task in OWN_TASKS:
        try:
            fit = solve(ladder_accuracy(*at.sizes(), runs[ACCURACY + task].to_numpy()))
        except FitError as failure:
            rows.append({"task": task, "run": "", "note": f"no fit: {failure.got}"})
            continue
        for run, r in at.of_role("target").iterrows():
            predicted, actual = (
                100 * float(fit((r["params"], r["tokens"]))),
                100 * r[ACCURACY + task],
            )
            rows.append(
                {
                    "task": task,
                    "run": run,
                    "actual": actual,
                    "here": predicted,
                    "error": predicted - actual,
                }
            )
    about = (
        "acc = E - A N^-alpha - B D^-beta, points of accuracy. The released fit starts where the curve is negative and comes back with its start for 5 of 8 "
        "tasks; here the start is mended, and a task without an optimum (alpha and beta go to 0: a logarithm) has no figure."
    )
    return Analysis("accuracy-law", about, table(rows))


def starts(at: Ladder2024, count: int, seed: int) -> Analysis:
    """The spread of the optima over `count` starts, of the fits that need final values only."""
    rows: list[dict[str, Any]] = []
    for task in OWN_TASKS:
        problems = {"step 1": loss_problem(at, task), "single step": single_step_problem(at, task)}
        rows += [
            {"task": task, "fit": fit, **spread_of_optima(problem, count, seed)}
            for fit, problem in problems.items()
        ]
    return Analysis(
        "starts",
        f"Optima from {count} starts: the released one and random ones around it.",
        table(rows),
    )


def _errors(at: Ladder2024, task: str) -> tuple[float, float, float]:
    """Errors (%) at the target: the loss, the accuracy from the actual loss, the accuracy
    chained.
    """
    law, link, r = solve(loss_problem(at, task)), link_of(at, task), at.final.loc[TARGET]
    loss = float(law((r["params"], r["tokens"])))
    predicted = (loss, float(link(r[LOSS + task])), float(link(loss)))
    actual = (r[LOSS + task], r[ACCURACY + task], r[ACCURACY + task])
    return tuple(100 * (p / a - 1) for p, a in zip(predicted, actual, strict=True))


def _cut_row(at: Ladder2024, task: str, keys: dict[str, Any]) -> dict[str, Any]:
    if len(at.chosen) < len(CHINCHILLA):
        return {
            **keys,
            "task": task,
            "note": f"no fit: {len(at.chosen)} runs for {len(CHINCHILLA)} parameters",
        }
    try:
        errors = _errors(at, task)
    except FitError as failure:
        return {**keys, "task": task, "note": f"no fit: {failure.what}: {failure.got}"}
    return {
        **keys,
        "task": task,
        **dict(
            zip(("step 1 error (%)", "step 2 error (%)", "chained error (%)"), errors, strict=True)
        ),
    }
