"""Runs that repeat one another: reruns of a configuration, and blocks of one run's checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayescale.errors import DataError, SettingError

if TYPE_CHECKING:
    from bayescale.data.ladder import Ladder

# Runs of one corpus and one N whose D differ by less than this share are one configuration.
SAME_TOKENS = 0.01
# Blocks leave out this share of a run's checkpoints, its first ones: early in training, loss and
# accuracy change within a block.
LATER_HALF = 0.5


def configurations(runs: pd.DataFrame) -> pd.Series:
    """A label per run; runs of one corpus and N with nearly the same D and U share it.

    "Nearly" is within 1 % of the first run of the configuration (`SAME_TOKENS`).

    Parameters
    ----------
    runs
        One row per run, columns corpus, params, tokens, unique_tokens (nan where no token is
        repeated).

    Returns
    -------
    Series
        Integers, indexed as `runs`: the position of the first run of the configuration.
    """
    log_tokens = np.log(np.stack([runs["tokens"], new_tokens(runs)], -1))
    label = np.full(len(runs), -1)
    for i, (corpus, params) in enumerate(zip(runs["corpus"], runs["params"], strict=True)):
        if label[i] < 0:
            same_tokens = (np.abs(log_tokens - log_tokens[i]) < SAME_TOKENS).all(1)
            same_corpus = runs["corpus"].eq(corpus).to_numpy()
            same_params = runs["params"].eq(params).to_numpy()
            label[same_tokens & (label < 0) & same_corpus & same_params] = i
    return pd.Series(label, runs.index)


def new_tokens(runs: pd.DataFrame) -> pd.Series:
    """U of each run: its unique tokens; all its tokens where these are not given, or are fewer.

    Parameters
    ----------
    runs
        Columns tokens and unique_tokens.
    """
    return runs["unique_tokens"].fillna(np.inf).clip(upper=runs["tokens"])


def with_reruns(ladder: Ladder) -> Ladder:
    """The ladder with its reruns as runs to fit: each held-out run that repeats a fitted run.

    A rerun has the configuration of a fitted run (corpus, N and D). The law gives both the same
    expected loss, so their difference is the noise between seeds, which is estimated with the law.

    Parameters
    ----------
    ladder
        A ladder whose reruns have the role ``held_out``.

    Returns
    -------
    Ladder
        The same runs; the reruns have the role ``fit``.

    Raises
    ------
    DataError
        Where no held-out run repeats a fitted one.
    """
    runs = ladder.runs
    label = configurations(runs)
    reruns = runs.index[runs["role"].eq("held_out") & label.isin(label[runs["role"] == "fit"])]
    if reruns.empty:
        raise DataError(
            "reruns",
            rule="must be held-out runs with the N and D of a fitted run",
            got="none",
            way_out="add them to the table with role held_out, or leave them out",
        )
    return ladder.with_role_of(reruns, "fit")


def block_means(scored: pd.DataFrame, blocks: int) -> pd.DataFrame:
    """The checkpoints of each (run, task) as means over consecutive blocks, one row per block.

    Only the later half of a run's checkpoints counts (`LATER_HALF`).

    Parameters
    ----------
    scored
        Columns run, task, step, accuracy, through (the loss at that step); one row per checkpoint.
    blocks
        Number of blocks per (run, task); fewer where it has fewer checkpoints.

    Returns
    -------
    DataFrame
        The columns of `scored` and the block's number: the mean of accuracy and of through, the
        first value of every other column. Runs stay in the order of `scored`.

    Raises
    ------
    SettingError
        For `blocks` that is not a whole number, 1 or more.
    """
    if isinstance(blocks, bool) or not isinstance(blocks, int) or blocks < 1:
        raise SettingError(
            "blocks",
            rule="must be a whole number, 1 or more",
            got=repr(blocks),
            way_out="such as blocks=5, or None for the last checkpoint",
        )
    rows = scored.sort_values(["run", "task", "step"], kind="stable")
    steps = rows.groupby(["run", "task"], sort=False)["step"]
    rows = rows[steps.cumcount() >= LATER_HALF * (steps.transform("size") - 1)]
    steps = rows.groupby(["run", "task"], sort=False)["step"]
    rows = rows.assign(block=steps.cumcount() * blocks // steps.transform("size"))
    keys = ["run", "task", "block"]
    averaged = {"accuracy": "mean", "through": "mean"}
    kept = {column: "first" for column in rows.columns if column not in (*keys, *averaged)}
    means = rows.groupby(keys, sort=False).agg({**kept, **averaged}).reset_index()
    order = {run: i for i, run in enumerate(dict.fromkeys(scored["run"]))}
    return means.sort_values("run", key=lambda r: r.map(order), kind="stable", ignore_index=True)
