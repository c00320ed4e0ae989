"""From a ladder to the arrays that a model takes: series of losses, series of accuracies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpyro.distributions import Distribution

from bayescale.data.ladder import Ladder
from bayescale.data.outcomes import last_rows, paired
from bayescale.data.replicates import block_means, configurations
from bayescale.errors import DataError, SettingError
from bayescale.models.kernel import Terms, locations, make_terms
from bayescale.models.laws import Point, Reference
from bayescale.models.layout import Blocks, Layout
from bayescale.models.links import Link, floor, lo_prior
from bayescale.models.pooling import Groups, PoolingMode
from bayescale.models.rectangles import (
    deviation_from_last,
    end_of_group,
    rectangle,
    side_by_side,
    split_into_series,
)
from bayescale.models.series import SeriesModel
from bayescale.models.stage_models import accuracy_model

# The reference is the geometric mean of the fitted runs of at least this fraction of the largest
# compute, Cmax / 5, because forecasts start from them.
NEAR_FRONTIER = 5.0


@dataclass(frozen=True)
class LossData:
    """The data of a law: y = ln loss at x = `Point`, series by runs.

    Parameters
    ----------
    groups
        Corpus, loss name and kind of each series.
    layout
        y, x and what goes with them, shape (series, runs).
    runs
        Name of the run in each cell, shape (series, runs); empty where there is no run.
    reference
        The point around which the law is written.
    largest_flops
        Compute of the largest fitted run in FLOPs.
    compute_is_measured
        Whether every compute here is measured; if not, every compute is 6ND.
    params
        N of the run in each cell, shape (series, runs).
    tokens
        D of the run in each cell, shape (series, runs).
    flops
        Compute of the run in each cell in FLOPs, shape (series, runs).
    unique
        U of the run in each cell, shape (series, runs); nan where no token is repeated.
    terms
        The terms of the law's discrepancy.
    """

    groups: Groups
    layout: Layout
    runs: np.ndarray
    reference: Reference
    largest_flops: float
    compute_is_measured: bool
    params: np.ndarray
    tokens: np.ndarray
    flops: np.ndarray
    unique: np.ndarray
    terms: Terms


@dataclass(frozen=True)
class AccuracyData:
    """The data of a link: y = accuracy at x = (loss - centre) / scale, series by runs.

    Parameters
    ----------
    groups
        Corpus, task and kind of each series.
    layout
        y, x and what goes with them, shape (series, runs); x is `Blocks` where the cells are blocks
        of a run's checkpoints.
    runs
        Name of the run in each cell, shape (series, runs); empty where there is no run.
    via
        Name of the loss that each series is linked through.
    centre
        Mean of that loss over the runs, shape (series,).
    scale
        Standard deviation of that loss over the runs, shape (series,).
    chance
        Score of guessing of the task of each series, shape (series,).
    items
        Number of questions of the task of each series, shape (series,).
    largest_flops
        Compute of the largest run that the link is fitted on, in FLOPs.
    flops
        Compute of the run in each cell in FLOPs, shape (series, runs).
    through
        The loss that the accuracy of each cell is linked through, shape (series, runs).
    terms
        The terms of the link's discrepancy.
    """

    groups: Groups
    layout: Layout
    runs: np.ndarray
    via: tuple[str, ...]
    centre: np.ndarray
    scale: np.ndarray
    chance: np.ndarray
    items: np.ndarray
    largest_flops: float
    flops: np.ndarray
    through: np.ndarray
    terms: Terms


def point(
    params: np.ndarray,
    tokens: np.ndarray,
    flops: np.ndarray,
    at: Reference,
    unique: np.ndarray | None = None,
) -> Point:
    """n = ln(N/N0), d = ln(D/D0), c = ln(C/C0), u = ln(min(U, D)/D0).

    Parameters
    ----------
    params
        N, an array of any shape.
    tokens
        D, of the same shape.
    flops
        C in FLOPs, of the same shape.
    at
        The reference N0, D0, C0.
    unique
        U, the number of different tokens, of the same shape. U is D where it is nan, and everywhere
        for None: no token is repeated.

    Returns
    -------
    Point
        n, d, c and u, each of the shape of `params`.
    """
    seen_once = tokens if unique is None else np.fmin(unique, tokens)
    return Point(
        n=np.log(params / at.params),
        d=np.log(tokens / at.tokens),
        c=np.log(flops / at.flops),
        u=np.log(seen_once / at.tokens),
    )


def loss_data(ladder: Ladder) -> LossData:
    """The losses of the runs whose role is ``fit``, one series per (corpus, loss name).

    A task's own loss (the likelihood of its answers) and a validation loss (of running text) are
    two kinds of series: exchangeable within a kind, not between kinds.

    Parameters
    ----------
    ladder
        The ladder.

    Returns
    -------
    LossData
        One row per series; the runs of one configuration are side by side.

    Raises
    ------
    DataError
        Where a series has fewer than 3 such runs.
    """
    rows = last_rows(ladder.with_role("fit").frame, "loss_name")
    rows["c"] = rows["run"].map(ladder.compute())
    runs = rows.drop_duplicates("run")
    reference = _reference(runs)
    seen_by_fit = ladder.with_role("fit", "link")
    own = {task for task in seen_by_fit.tasks if seen_by_fit.loss_name_of[task] == task}
    groups, tables = split_into_series(
        rows, "loss_name", lambda name: "task" if name in own else "validation"
    )
    label = configurations(runs.set_index("run"))
    tables, first = side_by_side(tables, [label[table["run"]].to_numpy() for table in tables])
    columns = ("loss", "params", "tokens", "c", "unique_tokens")
    loss, params, tokens, flops, unique = (rectangle(tables, column) for column in columns)
    seen = rectangle(tables, "loss", fill=0.0) > 0
    x = end_of_group(locations(params, tokens), seen, first)
    terms = make_terms(x[seen])
    layout = Layout(
        y=np.log(loss),
        seen=seen,
        x=point(params, tokens, flops, reference, unique),
        items=np.ones_like(loss),
        first=first,
        lag=np.log(np.where(seen, flops, 0.0).max(1, keepdims=True) / flops),
        basis=terms.at_cells(x, seen),
    )
    return LossData(
        groups=groups,
        layout=layout,
        runs=rectangle(tables, "run", fill=""),
        reference=reference,
        largest_flops=float(runs["c"].max()),
        compute_is_measured=ladder.compute_is_measured,
        params=params,
        tokens=tokens,
        flops=flops,
        unique=unique,
        terms=terms,
    )


def accuracy_data(
    ladder: Ladder, via: str | None, blocks: int | None = None
) -> AccuracyData | None:
    """The accuracies of the runs whose role is ``fit`` or ``link``, one series per (corpus, task).

    An accuracy is paired with the loss at its own step, or with the run's last loss where no loss
    has that step. Runs without the `via` loss stay out.

    Parameters
    ----------
    ladder
        The ladder.
    via
        Name of the loss that every accuracy is linked through; None for each task's own loss.
    blocks
        Number of blocks of each run's checkpoints whose means are the cells; None for each run's
        last checkpoint alone.

    Returns
    -------
    AccuracyData or None
        One row per series; None where there are no accuracies.

    Raises
    ------
    SettingError
        Where no run that has accuracies has a loss of the name `via`.
    DataError
        Where a series has fewer than 3 such runs.
    """
    seen_by_link = ladder.frame[ladder.frame["role"].isin(["fit", "link"])]
    scored = last_rows(seen_by_link[seen_by_link["accuracy"].notna()], "task")
    if scored.empty:
        return None
    _check_via(via, seen_by_link, scored)
    if blocks is None:
        scored = paired(seen_by_link, via)
    else:
        scored = block_means(paired(seen_by_link, via, every=True), blocks)
    scored["c"] = scored["run"].map(ladder.compute())
    groups, tables = split_into_series(scored, "task", lambda name: "task")
    tables, first = side_by_side(tables, [table["run"].to_numpy() for table in tables])
    names = [str(table["via"].iloc[0]) for table in tables]
    spread = last_rows(seen_by_link, "loss_name").groupby("loss_name")["loss"].agg(["mean", "std"])
    centre, scale = (spread.loc[names, column].to_numpy(float) for column in ("mean", "std"))
    scale = np.where(scale > 0, scale, 1.0)
    tasks = [groups.names[i] for i in groups.name]
    items = ladder.task_table.loc[tasks, "items"].to_numpy(float)
    through = rectangle(tables, "through")
    seen = rectangle(tables, "through", fill=0.0) > 0
    z = (through - centre[:, None]) / scale[:, None]
    params, tokens = rectangle(tables, "params"), rectangle(tables, "tokens")
    x = end_of_group(locations(params, tokens), seen, first)
    terms = make_terms(x[seen])
    layout = Layout(
        y=rectangle(tables, "accuracy"),
        seen=seen,
        x=z if first is None else Blocks(z=z, deviation=deviation_from_last(z, seen, first)),
        items=np.broadcast_to(items[:, None], through.shape).copy(),
        first=first,
        basis=terms.at_cells(x, seen),
    )
    return AccuracyData(
        groups=groups,
        layout=layout,
        runs=rectangle(tables, "run", fill=""),
        via=tuple(names),
        centre=centre,
        scale=scale,
        chance=ladder.task_table.loc[tasks, "chance"].to_numpy(float),
        items=items,
        largest_flops=float(scored["c"].max()),
        flops=rectangle(tables, "c"),
        through=through,
        terms=terms,
    )


def routes(ladder: Ladder) -> list[str]:
    """The losses of running text that every task of a ladder can be linked through.

    Returns
    -------
    list
        Every loss that is no task's own, that all scored series have, and that is fitted on each
        of their corpora. Empty where all tasks share one loss already.
    """
    seen = ladder.with_role("fit", "link")
    own = {seen.loss_name_of[task] for task in seen.tasks}
    by_own_loss = accuracy_data(ladder, None)
    share_one = len(own) == 1 and own.isdisjoint(seen.tasks)
    if by_own_loss is None or share_one:
        return []
    fitted = {(r.corpus, r.loss_name) for r in ladder.with_role("fit").frame.itertuples()}
    vias = []
    for name in seen.loss_names:
        if name in own and name in seen.tasks:
            continue
        try:
            data = accuracy_data(ladder, name)
        except DataError:
            continue
        if data is None or data.groups != by_own_loss.groups:
            continue
        if all((corpus, name) in fitted for corpus in data.groups.corpora):
            vias.append(name)
    return vias


def floors(data: AccuracyData) -> np.ndarray:
    """The accuracy that each link starts from, by its runs of more than the mean loss: `floor`."""
    seen = np.asarray(data.layout.seen)
    weak = seen & (data.through > data.centre[:, None])
    return floor(data.chance, np.asarray(data.layout.y), weak)


def link_model(
    link: Link,
    data: AccuracyData,
    pooling: PoolingMode,
    priors: Mapping[str, Distribution],
    *,
    discrepancy: bool,
) -> SeriesModel:
    """The model of a link on its data, with the prior of lo at each task's chance.

    Parameters
    ----------
    link
        The link.
    data
        The accuracies.
    pooling
        ``partial``, ``none`` or ``complete``.
    priors
        The user's priors by name; a prior of ``lo`` replaces the one at chance.
    discrepancy
        Whether accuracies may err from the link by a discrepancy.

    Returns
    -------
    SeriesModel
        The model of the accuracies.
    """
    at_chance: dict[str, Distribution] = {}
    if any(p.name == "lo" for p in link.parameters):
        at_chance["lo"] = lo_prior(floors(data))
    return accuracy_model(
        link,
        data.groups,
        pooling=pooling,
        priors={**at_chance, **priors},
        grouped=data.layout.first is not None,
        discrepancy=discrepancy,
    )


def _reference(runs: pd.DataFrame) -> Reference:
    """The geometric mean of the runs near the largest compute."""
    near = runs[runs["c"] >= runs["c"].max() / NEAR_FRONTIER]
    params, tokens, flops = (
        float(np.exp(np.log(near[column]).mean())) for column in ("params", "tokens", "c")
    )
    return Reference(params=params, tokens=tokens, flops=flops)


def _check_via(via: str | None, seen_by_link: pd.DataFrame, scored: pd.DataFrame) -> None:
    """Check that some run that has accuracies has a loss of the name `via`."""
    has_accuracy = seen_by_link["run"].isin(scored["run"])
    known = sorted(set(seen_by_link.loc[has_accuracy, "loss_name"]))
    if via is not None and via not in known:
        raise SettingError(
            "via",
            rule="must be a loss of the runs that have accuracies",
            got=repr(via),
            way_out=f"use one of {', '.join(known)}, or None for each task's own",
        )
