"""Bhagia et al. 2024 as released: loss from (N, D) or from compute, accuracy from loss, chained,
for the two targets and the runs left out.

What fits a curve on every checkpoint needs them: `Ladder2024.checkpoints`, None where the released
files are not at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.data.datasets import load_dataset
from bayescale.data.datasets.released import load_released
from bayescale.data.readers import read_checkpoints
from bayescale.data.readers.ladder2024 import CROSS_ENTROPY, LAST, OWN_TASKS, TARGETS
from bayescale.data.readers.wide import ACCURACY, LOSS, widen
from bayescale.errors import FileError, FitError
from bayescale.papers.analysis import Analysis, row, table
from bayescale.point_fits.bhagia2024 import (
    ladder_compute,
    ladder_link,
    ladder_log_link,
    ladder_loss,
    ladder_single_step,
)
from bayescale.point_fits.solver import PointFit, Problem, solve

CORPUS = "olmo-mix"
# share of a run's first checkpoints that step 2 leaves out; half of them for the cross-entropy
SKIPPED, SKIPPED_LOG = 0.1, 0.5
# bounds: points of accuracy; share of a loss or coefficient; points on compute and in a single step
POINTS, SHARE, LOOSER = 0.05, 1e-3, 0.1
# tasks whose released single step had not converged: it drifts along a ridge, and another optimiser
# goes on from its end
UNSETTLED = {"openbookqa"}
# with the start mended
C4_RELEASED = {
    "7B-4T, all 8": 2.00,
    "13B-5T, all 8": 3.45,
    "first four, 7B-4T": 2.25,
    "first four, 13B-5T": 3.31,
    "all 16": 2.73,
}
# the tasks that the paper calls predictable
FIRST_FOUR = ("mmlu", "hellaswag", "piqa", "socialiqa")
WHERE = "give --data FOLDER (or BAYESCALE_SHARED_DATA) whose ladder2024/raw holds src/scripts/paper/data/ladder-runs/*.csv of repository allenai/OLMo-ladder"


@dataclass(frozen=True)
class Ladder2024:
    """The runs as the paper's fits see them.

    Parameters
    ----------
    data
        Folder that holds ``ladder2024/raw``; None where it is not at hand.
    chosen
        Names of the fitted runs; empty for the paper's 16.
    """

    data: Path | None
    chosen: tuple[str, ...] = ()

    @cached_property
    def final(self) -> pd.DataFrame:
        """Wide table, one row a run, indexed by run."""
        return (
            widen(load_dataset("ladder2024"))[0].set_index("run").sort_values(["params", "tokens"])
        )

    @cached_property
    def chance(self) -> pd.Series:
        """Of each task."""
        return load_dataset("ladder2024").task_table["chance"]

    @cached_property
    def checkpoints(self) -> pd.DataFrame:
        """Every checkpoint, one row for each (run, task, step)."""
        if self.data is None:
            raise FileError(
                "every checkpoint of the ladder",
                rule="is needed here",
                got="no folder",
                way_out=WHERE,
            )
        return _read(self.data)

    def fitted(self) -> pd.DataFrame:
        """The runs of the fits."""
        runs = self.of_role("fit")
        return runs.loc[runs.index.isin(self.chosen)] if self.chosen else runs

    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """N and D of the runs of the fits."""
        runs = self.fitted()
        return runs["params"].to_numpy(), runs["tokens"].to_numpy()

    def of_role(self, role: str) -> pd.DataFrame:
        """The targets, or the runs left out."""
        return self.final[self.final["role"] == role]

    def link_points(
        self, task: str, loss: str, skipped: float, window: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Loss and accuracy at every checkpoint of the fitted runs after the first share `skipped`,
        each a moving average over `window`.
        """
        rows = self.checkpoints[self.checkpoints["run"].isin(self.fitted().index)]
        accuracy, losses = (
            rows[rows["task"] == name].set_index(["run", "step"])[k]
            for name, k in ((task, "accuracy"), (loss, "loss"))
        )
        both = pd.DataFrame({"loss": losses, "accuracy": accuracy})
        parts = []
        for _, run in both.groupby(level="run", sort=False):
            parts.append(
                run.iloc[int(np.ceil(skipped * len(run))) :].rolling(window, min_periods=1).mean()
            )
        points = pd.concat(parts)
        return points["loss"].to_numpy(), points["accuracy"].to_numpy()


@cache
def _read(data: Path) -> pd.DataFrame:
    return read_checkpoints(data / "ladder2024" / "raw", every=True).frame


def step1(at: Ladder2024) -> Analysis:
    """Loss from (N, D): coefficients, and the losses of the targets and of the runs left out."""
    released = load_released("ladder2024")
    rows = []
    for task in OWN_TASKS:
        law = solve(loss_problem(at, task))
        coefficients = {"A": np.exp(law.values["ln A"]), "B": np.exp(law.values["ln B"])} | {
            k: law.values[k] for k in ("alpha", "beta", "E")
        }
        for name, value in coefficients.items():
            figure = released[CORPUS, task, "", name]
            rows.append(
                row(
                    {"task": task, "run": "", "what": name},
                    figure,
                    value,
                    max(SHARE * figure, 1e-9),
                )
            )
        for run, r in pd.concat([at.of_role("target"), at.of_role("held_out")]).iterrows():
            figure, predicted, actual = (
                released[CORPUS, task, run, "loss"],
                float(law((r["params"], r["tokens"]))),
                r[LOSS + task],
            )
            rows.append(
                row(
                    {"task": task, "run": run, "what": "loss"},
                    figure,
                    predicted,
                    SHARE * figure,
                    actual=actual,
                    error=100 * (predicted / actual - 1),
                )
            )
    about = "Step 1, L = A N^-alpha + B D^-beta + E in bits per byte; error in % of the actual loss. Bound: 0.1 %."
    return Analysis("step1", about, table(rows))


def step2(at: Ladder2024) -> Analysis:
    """Accuracy from the actual loss: coefficients, and both targets."""
    released = load_released("ladder2024")
    rows = []
    for task in OWN_TASKS:
        link = link_of(at, task)
        for name, value in link.values.items():
            figure = released[CORPUS, task, "", name]
            rows.append(
                row({"task": task, "run": "", "what": name}, figure, value, SHARE * abs(figure))
            )
        rows += _accuracy_rows(
            at,
            task,
            "accuracy, step 2",
            "target",
            lambda r, link=link, task=task: link(r[LOSS + task]),  # type: ignore[misc]
            POINTS,
        )
    about = (
        "Step 2 from the actual loss: points of accuracy. Bound: 0.05 points; coefficients 0.1 %."
    )
    return _with_means("step2", about, rows)


def chained(at: Ladder2024) -> Analysis:
    """Accuracy from (N, D) through the task's loss."""
    rows = []
    for task in OWN_TASKS:
        law, link = solve(loss_problem(at, task)), link_of(at, task)
        for role in ("target", "held_out"):
            predict = _chain(law, link, lambda r: (r["params"], r["tokens"]))
            rows += _accuracy_rows(at, task, "accuracy, chained", role, predict, POINTS)
    return _with_means(
        "chained", "Both steps chained: points of accuracy. Bound: 0.05 points.", rows
    )


def compute_only(at: Ladder2024) -> Analysis:
    """Accuracy from compute alone through the task's loss."""
    rows = []
    for task in OWN_TASKS:
        runs = at.fitted()
        law = solve(ladder_compute(runs["flops"].to_numpy(), runs[LOSS + task].to_numpy()))
        rows += _accuracy_rows(
            at,
            task,
            "accuracy, compute",
            "target",
            _chain(law, link_of(at, task), lambda r: r["flops"]),
            LOOSER,
        )
    return _with_means(
        "compute-only",
        "L = A C^-alpha + E in measured FLOPs, then step 2: points of accuracy. Bound: 0.1 points.",
        rows,
    )


def single_step(at: Ladder2024) -> Analysis:
    """Accuracy from (N, D) in one step."""
    rows = []
    for task in OWN_TASKS:
        bound = None if task in UNSETTLED else LOOSER
        try:
            fit = solve(single_step_problem(at, task))
        except FitError as failure:
            rows += _accuracy_rows(
                at,
                task,
                "accuracy, single step",
                "target",
                lambda _, failure=failure: f"no fit: {failure.got}",  # type: ignore[misc]
                bound,
            )
            continue
        rows += _accuracy_rows(
            at,
            task,
            "accuracy, single step",
            "target",
            lambda r, fit=fit: fit((r["params"], r["tokens"])),  # type: ignore[misc]
            LOOSER,
        )
    about = (
        "acc = p / (1 + e^-(A N^-alpha + B D^-beta + E)) + q: points of accuracy. Bound: 0.1 points. The released fit of openbookqa had not converged "
        "(its alpha and beta go to 0 and E to minus infinity), so no figure is given here."
    )
    return _with_means("single-step", about, rows)


def through_c4(at: Ladder2024) -> Analysis:
    """Accuracy from (N, D) through C4 loss."""
    rows, runs = [], at.fitted()
    law = solve(ladder_loss(*at.sizes(), runs[LOSS + "c4"].to_numpy()))
    for task in OWN_TASKS:
        link = solve(ladder_link(*at.link_points(task, "c4", SKIPPED, LAST), at.chance[task]))
        rows += _accuracy_rows(
            at, task, None, "target", _chain(law, link, lambda r: (r["params"], r["tokens"])), None
        )
    about = (
        "As chained, through C4 loss. The released script's start has a flag where the chance should stand, which fails for arc_easy and piqa; "
        "here it is mended. Released: only mean absolute errors (points), bound 0.05."
    )
    return _with_means("c4", about, rows, C4_RELEASED)


def through_cross_entropy(at: Ladder2024) -> Analysis:
    """Accuracy from (N, D) through the cross-entropy over a task's choices."""
    rows, runs = [], at.fitted()
    for task in OWN_TASKS:
        series = (
            at.checkpoints[at.checkpoints["task"] == task + CROSS_ENTROPY]
            .groupby("run")["loss"]
            .last()
        )
        law = solve(ladder_loss(*at.sizes(), series[runs.index].to_numpy()))
        try:
            link = solve(
                ladder_log_link(*at.link_points(task, task + CROSS_ENTROPY, SKIPPED_LOG, 1))
            )
        except FitError as failure:
            rows += _accuracy_rows(
                at,
                task,
                None,
                "target",
                lambda _, failure=failure: f"no fit: {failure.got}",  # type: ignore[misc]
                None,
            )
            continue
        rows += _accuracy_rows(
            at, task, None, "target", _chain(law, link, lambda r: (r["params"], r["tokens"])), None
        )
    about = (
        "As chained, through the cross-entropy over the task's choices, acc = 1 - a ln(1 - sigmoid(k (L - x0))), checkpoints of the second half. "
        "Nothing was released."
    )
    return _with_means("cross-entropy", about, rows)


def loss_problem(at: Ladder2024, task: str) -> Problem:
    """Step 1 of a task."""
    runs = at.fitted()
    return ladder_loss(*at.sizes(), runs[LOSS + task].to_numpy())


def single_step_problem(at: Ladder2024, task: str) -> Problem:
    """Accuracy of a task from (N, D)."""
    runs = at.fitted()
    return ladder_single_step(*at.sizes(), runs[ACCURACY + task].to_numpy(), at.chance[task])


@cache
def link_of(at: Ladder2024, task: str) -> PointFit:
    """Step 2 of a task."""
    return solve(ladder_link(*at.link_points(task, task, SKIPPED, LAST), at.chance[task]))


def _chain(
    law: PointFit, link: PointFit, where: Callable[[pd.Series], object]
) -> Callable[[pd.Series], np.ndarray]:
    return lambda r: link(law(where(r)))


def _accuracy_rows(
    at: Ladder2024,
    task: str,
    quantity: str | None,
    role: str,
    predict: Callable[[pd.Series], Any],
    bound: float | None,
) -> list[dict[str, Any]]:
    """One row a run of that role: accuracies in points."""
    released, rows = load_released("ladder2024"), []
    for run, r in at.of_role(role).iterrows():
        figure = None if quantity is None else 100 * released[CORPUS, task, run, quantity]
        predicted, actual = predict(r), 100 * r[ACCURACY + task]
        here = predicted if isinstance(predicted, str) else 100 * float(predicted)
        error = np.nan if isinstance(here, str) else here - actual
        rows.append(
            row(
                {"task": task, "run": run, "what": "accuracy"},
                figure,
                here,
                bound,
                actual=actual,
                error=error,
            )
        )
    return rows


def _with_means(
    name: str, about: str, rows: list[dict[str, Any]], released: dict[str, float] | None = None
) -> Analysis:
    """The rows and, below them, mean absolute errors over the targets, beside those of the released
    figures.
    """
    frame = pd.DataFrame(rows)
    targets = frame[frame["run"].isin(TARGETS) & frame["here"].notna()]
    first = targets["task"].isin(FIRST_FOUR)
    groups = {"all 16": targets}
    for run in TARGETS:
        groups |= {
            f"first four, {run}": targets[first & (targets["run"] == run)],
            f"{run}, all 8": targets[targets["run"] == run],
        }
    means = []
    for group, members in groups.items():
        theirs, mine = ((members[k] - members["actual"]).abs().mean() for k in ("released", "here"))
        figure = released[group] if released else None if np.isnan(theirs) else theirs
        means.append(
            row(
                {"task": f"{group} ({len(members)})", "run": "", "what": "mean absolute error"},
                figure,
                mine,
                POINTS,
            )
        )
    return Analysis(name, about, table([*rows, *means]))
