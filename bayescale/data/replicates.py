"""Runs that repeat one another: reruns of a configuration, and blocks of one run's checkpoints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from bayescale.data.ladder import Ladder
from bayescale.errors import DataError, SettingError

# runs of one corpus and one N whose D differ by less than this share are one configuration
SAME_TOKENS = 0.01
# share of a run's checkpoints that blocks leave out: early on, loss and accuracy change within a
# block
LATER_HALF = 0.5


def configurations(runs: pd.DataFrame) -> pd.Series:
    """A label for each run, the same for all of one corpus and N whose D and unique tokens are
    within 1 % of the first one's; indexed as `runs`.
    """
    places = np.log(np.stack([runs["tokens"], runs["unique_tokens"].fillna(runs["tokens"])], -1))
    label = np.full(len(runs), -1)
    for i, (corpus, params) in enumerate(zip(runs["corpus"], runs["params"], strict=True)):
        if label[i] < 0:
            near = (np.abs(places - places[i]) < SAME_TOKENS).all(1) & (label < 0)
            label[
                near & runs["corpus"].eq(corpus).to_numpy() & runs["params"].eq(params).to_numpy()
            ] = i
    return pd.Series(label, runs.index)


def with_reruns(ladder: Ladder) -> Ladder:
    """The ladder with its reruns as runs to fit: every held-out run whose configuration a fitted
    run has.

    Reruns are replicates of one expectation: what they differ by is the noise between seeds,
    estimated with the law.

    Raises
    ------
    DataError
        Where no held-out run repeats a fitted one.
    """
    runs = ladder.runs
    label = configurations(runs)
    chosen = runs.index[runs["role"].eq("held_out") & label.isin(label[runs["role"] == "fit"])]
    if chosen.empty:
        raise DataError(
            "reruns",
            rule="must be held-out runs with the N and D of a fitted run",
            got="none",
            way_out="add them to the table with role held_out, or leave them out",
        )
    rows = ladder.frame
    rows.loc[rows["run"].isin(chosen), "role"] = "fit"
    return replace(ladder, _rows=rows, _tasks=ladder.task_table)


def block_means(scored: pd.DataFrame, blocks: int) -> pd.DataFrame:
    """Each (run, task)'s checkpoints of the later half of its training in `blocks` consecutive
    blocks, each one row: the means of accuracy and through.

    Parameters
    ----------
    scored
        Columns run, task, step, accuracy, through (the loss at that step).
    blocks
        How many a run, as far as it has checkpoints.
    """
    if isinstance(blocks, bool) or not isinstance(blocks, int) or blocks < 1:
        raise SettingError(
            "blocks",
            rule="must be a whole number, 1 or more",
            got=repr(blocks),
            way_out="such as blocks=5, or None for the last checkpoint",
        )
    rows = scored.sort_values(["run", "task", "step"], kind="stable")
    cell = rows.groupby(["run", "task"], sort=False)["step"]
    rows = rows[cell.cumcount() >= LATER_HALF * (cell.transform("size") - 1)]
    cell = rows.groupby(["run", "task"], sort=False)["step"]
    rows = rows.assign(block=cell.cumcount() * blocks // cell.transform("size"))
    first = {
        c: "first" for c in rows.columns if c not in ("run", "task", "block", "accuracy", "through")
    }
    means = (
        rows.groupby(["run", "task", "block"], sort=False)
        .agg({**first, "accuracy": "mean", "through": "mean"})
        .reset_index()
    )
    order = {run: i for i, run in enumerate(dict.fromkeys(scored["run"]))}
    return means.sort_values("run", key=lambda r: r.map(order), kind="stable", ignore_index=True)
