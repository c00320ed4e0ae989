"""Bhagia et al. 2024: the runs as the paper's fits see them, and the fits of one task.

The runs come from data set ``ladder2024``. The fits of accuracy against loss (step 2) use every
checkpoint of a run, so they need the released checkpoint files: `BhagiaData.checkpoints`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.readers import read_checkpoints
from bayescale.data.readers.ladder2024 import LAST
from bayescale.data.readers.wide import ACCURACY, LOSS, widen
from bayescale.errors import FileError
from bayescale.point_fits.bhagia2024 import bhagia_link, bhagia_loss, bhagia_single_step
from bayescale.point_fits.solver import PointFit, Problem, solve

# share of each run's first checkpoints that step 2 leaves out
SKIPPED = 0.1

# the same for the log form of step 2, which is fitted to the cross-entropy
SKIPPED_LOG = 0.5

# how to provide the checkpoint files, for messages
WAY_OUT = (
    "give --data FOLDER (or BAYESCALE_SHARED_DATA) whose ladder2024/raw holds "
    "src/scripts/paper/data/ladder-runs/*.csv of repository allenai/OLMo-ladder"
)


@dataclass(frozen=True)
class BhagiaData:
    """The runs of data set ``ladder2024`` as the paper's fits see them.

    Parameters
    ----------
    folder
        Folder that holds ``ladder2024/raw``, the released checkpoint files; None where they are
        missing.
    chosen
        Names of the fitted runs; empty for the 16 runs that the paper fits.
    """

    folder: Path | None
    chosen: tuple[str, ...] = ()

    @cached_property
    def final(self) -> pd.DataFrame:
        """The final loss and accuracy of every run: a wide table, one row per run, by run."""
        wide, _ = widen(load_dataset("ladder2024"))
        return wide.set_index("run").sort_values(["params", "tokens"])

    @cached_property
    def chance(self) -> pd.Series:
        """The accuracy of guessing for each task, from 0 to 1."""
        return load_dataset("ladder2024").task_table["chance"]

    @property
    def checkpoint_ladder(self) -> Ladder:
        """Every checkpoint of every run, as a ladder.

        Raises
        ------
        FileError
            Where the checkpoint files are missing.
        """
        return _read_ladder(self._folder())

    @cached_property
    def checkpoints(self) -> pd.DataFrame:
        """Every checkpoint, one row for each (run, task, step).

        Raises
        ------
        FileError
            Where the checkpoint files are missing.
        """
        return _read_frame(self._folder())

    def of_role(self, role: str) -> pd.DataFrame:
        """The rows of `final` with one role.

        Parameters
        ----------
        role
            ``fit``, ``target`` or ``held_out``.

        Returns
        -------
        pandas.DataFrame
            One row per run.
        """
        return self.final[self.final["role"] == role]

    def fitted(self) -> pd.DataFrame:
        """The rows of `final` that are fitted."""
        runs = self.of_role("fit")
        return runs.loc[runs.index.isin(self.chosen)] if self.chosen else runs

    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """N and D of the fitted runs, each of shape (runs,)."""
        runs = self.fitted()
        return runs["params"].to_numpy(), runs["tokens"].to_numpy()

    def link_points(
        self, task: str, loss: str, *, skipped: float, window: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Loss and accuracy at the checkpoints of the fitted runs, as moving averages.

        Parameters
        ----------
        task
            The task whose accuracy is taken.
        loss
            The name of the loss.
        skipped
            Share of the first checkpoints of each run that is left out, from 0 to 1.
        window
            Number of checkpoints in each moving average.

        Returns
        -------
        tuple of numpy.ndarray
            Losses and accuracies, each of shape (checkpoints,), run by run.
        """
        rows = self.checkpoints[self.checkpoints["run"].isin(self.fitted().index)]
        losses = rows[rows["task"] == loss].set_index(["run", "step"])["loss"]
        accuracies = rows[rows["task"] == task].set_index(["run", "step"])["accuracy"]
        points = pd.DataFrame({"loss": losses, "accuracy": accuracies})
        averaged = []
        for _, run in points.groupby(level="run", sort=False):
            first = int(np.ceil(skipped * len(run)))
            averaged.append(run.iloc[first:].rolling(window, min_periods=1).mean())
        points = pd.concat(averaged)
        return points["loss"].to_numpy(), points["accuracy"].to_numpy()

    def _folder(self) -> Path:
        """The folder of the checkpoint files, or the error that they are missing."""
        if self.folder is None:
            raise FileError(
                "every checkpoint of the ladder",
                rule="is needed here",
                got="no folder",
                way_out=WAY_OUT,
            )
        return self.folder / "ladder2024" / "raw"


def loss_problem(data: BhagiaData, task: str) -> Problem:
    """L = A N^-alpha + B D^-beta + E for one loss: step 1.

    Parameters
    ----------
    data
        The fitted runs.
    task
        The task whose loss is fitted, or ``c4``.

    Returns
    -------
    Problem
        The fit, ready to solve.
    """
    return bhagia_loss(*data.sizes(), data.fitted()[LOSS + task].to_numpy())


def single_step_problem(data: BhagiaData, task: str) -> Problem:
    """acc = p / (1 + e^-(A N^-alpha + B D^-beta + E)) + q for one task: a single step.

    Parameters
    ----------
    data
        The fitted runs.
    task
        The task whose accuracy is fitted.

    Returns
    -------
    Problem
        The fit, ready to solve.
    """
    params, tokens = data.sizes()
    accuracy = data.fitted()[ACCURACY + task].to_numpy()
    return bhagia_single_step(params, tokens, accuracy, data.chance[task])


@cache
def fitted_link(data: BhagiaData, task: str, loss: str | None = None) -> PointFit:
    """acc = a / (1 + e^(-k (L - x0))) + b, fitted to every checkpoint: step 2 of one task.

    Parameters
    ----------
    data
        The fitted runs, with their checkpoints.
    task
        The task whose accuracy is fitted.
    loss
        The name of the loss L; None for the task's own loss.

    Returns
    -------
    PointFit
        The optimum.

    Raises
    ------
    FileError
        Where the checkpoint files are missing.
    FitError
        Where the fit does not converge.
    """
    points = data.link_points(task, loss or task, skipped=SKIPPED, window=LAST)
    return solve(bhagia_link(*points, data.chance[task]))


@cache
def _read_ladder(folder: Path) -> Ladder:
    """The ladder of the checkpoint files, read once per process."""
    return read_checkpoints(folder, every=True)


@cache
def _read_frame(folder: Path) -> pd.DataFrame:
    """The table of that ladder, shared by all smaller ladders because it is large."""
    return _read_ladder(folder).frame
