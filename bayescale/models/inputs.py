"""From a ladder to the rectangles of numbers that a model takes: series of losses, series of
accuracies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpyro.distributions import Distribution

from bayescale.data.ladder import Ladder
from bayescale.data.outcomes import last_rows, paired
from bayescale.data.replicates import block_means, configurations
from bayescale.errors import DataError, SettingError
from bayescale.models.laws import Point, Reference
from bayescale.models.layout import Blocks, Layout
from bayescale.models.links import Link, lo_prior
from bayescale.models.pooling import Groups, PoolingMode
from bayescale.models.series import SeriesModel, accuracy_model

# the reference is the geometric mean of the fitted runs that cost at least Cmax / 5: where
# forecasts start from
NEAR_FRONTIER = 5.0
MIN_RUNS_OF_SERIES = 3
MAX_ROUTES = 4


@dataclass(frozen=True)
class LossData:
    """What a law is fitted on.

    Parameters
    ----------
    factors
        Corpus and loss name of each series.
    layout
        y = ln loss, x = `Point`: shape (series, runs).
    runs
        Name of the run in each cell, shape (series, runs), empty where there is none.
    reference
        Around which the law is written.
    largest_flops
        Compute of the dearest fitted run, measured or 6ND as the ladder has it.
    compute_is_measured
        Which of the two that is, and c in x too.
    params, tokens, flops, unique
        Of the run in each cell, shape (series, runs); `unique` is nan where nobody says.
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


@dataclass(frozen=True)
class AccuracyData:
    """What a link is fitted on: y = accuracy, x = (loss - centre) / scale, or `Blocks` of it.

    Parameters
    ----------
    factors
        Corpus and task of each series.
    via
        Loss name that each series' link goes through.
    centre, scale
        Of the loss of each series, shape (series,).
    chance, items
        Of the task of each series, shape (series,).
    largest_flops
        Compute of the dearest run that the link saw.
    flops, through
        Of the run in each cell, shape (series, runs): compute, and the loss that it is linked
        through.
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


def largest_compute(data: LossData | AccuracyData) -> np.ndarray:
    """Compute of the dearest run of each series, shape (series,)."""
    return np.where(np.asarray(data.layout.seen), data.flops, 0.0).max(1)


def point(
    params: np.ndarray,
    tokens: np.ndarray,
    flops: np.ndarray,
    at: Reference,
    unique: np.ndarray | None = None,
) -> Point:
    """N = ln(N/N0), d = ln(D/D0), c = ln(C/C0), u = ln(min(U, D)/D0); U = D where nobody says how
    many tokens are unique (None, or nan).
    """
    seen_once = tokens if unique is None else np.fmin(unique, tokens)
    return Point(
        np.log(params / at.params),
        np.log(tokens / at.tokens),
        np.log(flops / at.flops),
        np.log(seen_once / at.tokens),
    )


def loss_data(ladder: Ladder, *, widening: bool = False) -> LossData:
    """The losses of the runs whose role is ``fit``, one series for each (corpus, loss name).

    A task's own loss (the likelihood of its answers) and a validation loss (of running text) are
    two kinds: exchangeable within, not between. With `widening` the layout knows by how much less
    than the dearest run each one cost.

    Raises
    ------
    DataError
        Where a series has fewer than 3 such runs.
    """
    rows = last_rows(ladder.with_role("fit").frame, "loss_name")
    rows["c"] = rows["run"].map(ladder.compute())
    runs = rows.drop_duplicates("run")
    near = runs[runs["c"] >= runs["c"].max() / NEAR_FRONTIER]
    reference = Reference(
        *(float(np.exp(np.log(near[k]).mean())) for k in ("params", "tokens", "c"))
    )
    seen_by_fit = ladder.with_role("fit", "link")
    own = {t for t in seen_by_fit.tasks if seen_by_fit.loss_name_of[t] == t}
    factors, cells = _series(
        rows, "loss_name", lambda name: "task" if name in own else "validation"
    )
    label = configurations(runs.set_index("run"))
    cells, first = _grouped(cells, [label[cell["run"]].to_numpy() for cell in cells])
    grid = {k: _rectangle(cells, k) for k in ("loss", "params", "tokens", "c", "unique_tokens")}
    seen = _rectangle(cells, "loss", fill=0.0) > 0
    x = point(grid["params"], grid["tokens"], grid["c"], reference, grid["unique_tokens"])
    largest = float(runs["c"].max())
    lag = (
        np.log(np.where(seen, grid["c"], 0.0).max(1, keepdims=True) / grid["c"])
        if widening
        else None
    )
    layout = Layout(np.log(grid["loss"]), seen, x, np.ones_like(grid["loss"]), first, lag)
    cell_runs, cell_values = (
        _rectangle(cells, "run", fill=""),
        (grid[k] for k in ("params", "tokens", "c", "unique_tokens")),
    )
    return LossData(
        factors, layout, cell_runs, reference, largest, ladder.compute_is_measured, *cell_values
    )


def accuracy_data(
    ladder: Ladder, via: str | None, blocks: int | None = None
) -> AccuracyData | None:
    """The accuracies of the runs whose role is ``fit`` or ``link``, one series for each (corpus,
    task); None where there are none.

    An accuracy goes with the loss at its own step, or with the run's last one where there is none;
    runs without the `via` loss stay out. Of a run's checkpoints the last one counts, or, with
    `blocks`, the means of that many blocks of them.

    Raises
    ------
    SettingError
        Where no run that has accuracies has a loss of the name `via`.
    """
    seen_by_link = ladder.frame[ladder.frame["role"].isin(["fit", "link"])]
    scored = last_rows(seen_by_link[seen_by_link["accuracy"].notna()], "task")
    if scored.empty:
        return None
    known = sorted(set(seen_by_link.loc[seen_by_link["run"].isin(scored["run"]), "loss_name"]))
    if via is not None and via not in known:
        raise SettingError(
            "via",
            rule="must be a loss of the runs that have accuracies",
            got=repr(via),
            way_out=f"use one of {', '.join(known)}, or None for each task's own",
        )
    scored = (
        paired(seen_by_link, via)
        if blocks is None
        else block_means(paired(seen_by_link, via, every=True), blocks)
    )
    spread = last_rows(seen_by_link, "loss_name").groupby("loss_name")["loss"].agg(["mean", "std"])
    scored["c"] = scored["run"].map(ladder.compute())
    factors, cells = _series(scored, "task", lambda name: "task")
    cells, first = _grouped(cells, [cell["run"].to_numpy() for cell in cells])
    tasks = [factors.names[j] for j in factors.name]
    names = [str(cell["via"].iloc[0]) for cell in cells]
    centre, scale = (spread.loc[names, k].to_numpy(float) for k in ("mean", "std"))
    scale = np.where(scale > 0, scale, 1.0)
    items = ladder.task_table.loc[tasks, "items"].to_numpy(float)
    through = _rectangle(cells, "through")
    seen = _rectangle(cells, "through", fill=0.0) > 0
    z = (through - centre[:, None]) / scale[:, None]
    x = z if first is None else Blocks(z, _deviation(z, seen, first))
    layout = Layout(
        _rectangle(cells, "accuracy"),
        seen,
        x,
        np.broadcast_to(items[:, None], through.shape).copy(),
        first,
    )
    chance = ladder.task_table.loc[tasks, "chance"].to_numpy(float)
    about = (
        tuple(names),
        centre,
        scale,
        chance,
        items,
        float(scored["c"].max()),
        _rectangle(cells, "c"),
        through,
    )
    return AccuracyData(factors, layout, _rectangle(cells, "run", fill=""), *about)


def routes(ladder: Ladder) -> list[str | None]:
    """The losses that accuracies can be linked through: each task's own (None), then every other
    loss that all scored series have, at most 4 in all.
    """
    seen = ladder.with_role("fit", "link")
    own = {seen.loss_name_of[t] for t in seen.tasks}
    plain = accuracy_data(ladder, None)
    if plain is None:
        return [None]
    found: list[str | None] = [None]
    for name in seen.loss_names:
        if name in own and (name in seen.tasks or len(own) == 1):
            continue
        try:
            data = accuracy_data(ladder, name)
        except DataError:
            continue
        fitted = {(r.corpus, r.loss_name) for r in ladder.with_role("fit").frame.itertuples()}
        if (
            data is not None
            and data.groups == plain.groups
            and all((c, name) in fitted for c in data.groups.corpora)
        ):
            found.append(name)
    return found[:MAX_ROUTES]


def link_model(
    link: Link, data: AccuracyData, pooling: PoolingMode, priors: Mapping[str, Distribution]
) -> SeriesModel:
    """The link's model, the prior of lo at each task's chance unless the user gave one."""
    own: dict[str, Any] = (
        {"lo": lo_prior(data.chance)} if any(p.name == "lo" for p in link.parameters) else {}
    )
    return accuracy_model(
        link,
        data.groups,
        pooling=pooling,
        priors={**own, **priors},
        grouped=data.layout.first is not None,
    )


def _series(
    rows: pd.DataFrame, name: str, kind: Callable[[str], str]
) -> tuple[Groups, list[pd.DataFrame]]:
    cells = {(str(c), str(t)): cell for (c, t), cell in rows.groupby(["corpus", name], sort=False)}
    for (corpus, series), cell in cells.items():
        if cell["run"].nunique() < MIN_RUNS_OF_SERIES:
            raise DataError(
                f"{name.replace('_', ' ')} {series!r} on corpus {corpus!r}",
                rule=f"needs at least {MIN_RUNS_OF_SERIES} fitted runs",
                got=cell["run"].nunique(),
                way_out="add runs, or drop the series",
            )
    corpora, names = (tuple(dict.fromkeys(k[i] for k in cells)) for i in (0, 1))
    kinds = tuple(dict.fromkeys(kind(t) for _, t in cells))
    in_corpus, in_name, of_kind = zip(
        *((corpora.index(c), names.index(t), kinds.index(kind(t))) for c, t in cells), strict=True
    )
    return Groups(corpora, names, kinds, in_corpus, in_name, of_kind, name), list(cells.values())


def _grouped(
    cells: list[pd.DataFrame], labels: list[np.ndarray]
) -> tuple[list[pd.DataFrame], np.ndarray | None]:
    """The cells of each series with those of one label side by side, and `Layout.first`; None where
    no label comes twice.
    """
    codes = [pd.factorize(label)[0] for label in labels]
    if all(len(set(code)) == len(code) for code in codes):
        return cells, None
    orders = [np.argsort(code, kind="stable") for code in codes]
    width = max(map(len, codes))
    first = np.tile(np.arange(width), (len(codes), 1))
    for row, code, order in zip(first, codes, orders, strict=True):
        row[: len(code)] = np.searchsorted(code[order], code[order])
    return [cell.iloc[order] for cell, order in zip(cells, orders, strict=True)], first


def _deviation(z: np.ndarray, seen: np.ndarray, first: np.ndarray) -> np.ndarray:
    """From the last of the group, so that the link goes through the ends of the runs; nil where
    nothing was seen.
    """
    size = ((first[:, :, None] == first[:, None, :]) & seen[:, None, :]).sum(2)
    return np.where(seen, z - np.take_along_axis(z, first + np.maximum(size, 1) - 1, -1), 0.0)


def _rectangle(cells: list[pd.DataFrame], column: str, fill: object = None) -> np.ndarray:
    """One row a series; the short ones are filled up, with their own first value unless told
    otherwise (finite, and masked).
    """
    width = max(len(cell) for cell in cells)
    rows = [
        [*cell[column], *[cell[column].iloc[0] if fill is None else fill] * (width - len(cell))]
        for cell in cells
    ]
    return np.array(rows, dtype=None if fill is None or isinstance(fill, float) else str)
