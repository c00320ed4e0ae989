"""From a table of runs to rectangles: one row per series, one cell per run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from bayescale.data.names import listed
from bayescale.errors import DataError
from bayescale.models.pooling import Groups

# Least number of runs in a series.
MIN_RUNS_OF_SERIES = 3


def split_into_series(
    rows: pd.DataFrame, name: str, kind_of: Callable[[str], str]
) -> tuple[Groups, list[pd.DataFrame]]:
    """One series per (corpus, `name`), in the order of the table.

    Parameters
    ----------
    rows
        Rows of the run table.
    name
        The column that names a series beside its corpus: ``loss_name`` or ``task``.
    kind_of
        ``name -> kind`` of a series.

    Returns
    -------
    groups : Groups
        Corpus, name and kind of each series.
    tables : list of DataFrame
        The rows of each series.

    Raises
    ------
    DataError
        Where a series has fewer than 3 runs.
    """
    tables = {
        (str(corpus), str(series)): table
        for (corpus, series), table in rows.groupby(["corpus", name], sort=False)
    }
    _require_enough_runs(tables, name.replace("_", " "))
    corpora = tuple(dict.fromkeys(corpus for corpus, _ in tables))
    names = tuple(dict.fromkeys(series for _, series in tables))
    kinds = tuple(dict.fromkeys(kind_of(series) for _, series in tables))
    groups = Groups(
        corpora=corpora,
        names=names,
        kinds=kinds,
        corpus=tuple(corpora.index(corpus) for corpus, _ in tables),
        name=tuple(names.index(series) for _, series in tables),
        kind=tuple(kinds.index(kind_of(series)) for _, series in tables),
        name_of_names=name,
    )
    return groups, list(tables.values())


def _require_enough_runs(tables: dict[tuple[str, str], pd.DataFrame], kind: str) -> None:
    """Check that each series has enough runs; the message counts those that have not."""
    runs = {series: table["run"].nunique() for series, table in tables.items()}
    few = [series for series, number in runs.items() if number < MIN_RUNS_OF_SERIES]
    if not few:
        return
    shown = [f"{kind} {series!r} on corpus {corpus!r}" for corpus, series in few]
    raise DataError(
        shown[0] if len(few) == 1 else f"{len(few)} series of {len(tables)}: {listed(shown)}",
        rule=f"needs at least {MIN_RUNS_OF_SERIES} fitted runs",
        got=listed([runs[series] for series in few]),
        way_out="add runs, or drop the series",
    )


def side_by_side(
    tables: list[pd.DataFrame], labels: list[np.ndarray]
) -> tuple[list[pd.DataFrame], np.ndarray | None]:
    """The rows of each series with equal labels side by side: the groups of a `Layout`.

    Parameters
    ----------
    tables
        The rows of each series.
    labels
        A label for each row of each series; rows with one label are a group.

    Returns
    -------
    tables : list of DataFrame
        The same rows in the new order.
    first : ndarray or None
        Index of the first cell of each cell's group, shape (series, runs); None where no label
        comes twice.
    """
    codes = [pd.factorize(label)[0] for label in labels]
    if all(len(set(code)) == len(code) for code in codes):
        return tables, None
    orders = [np.argsort(code, kind="stable") for code in codes]
    width = max(map(len, codes))
    first = np.tile(np.arange(width), (len(codes), 1))
    for row, code, order in zip(first, codes, orders, strict=True):
        row[: len(code)] = np.searchsorted(code[order], code[order])
    return [table.iloc[order] for table, order in zip(tables, orders, strict=True)], first


def deviation_from_last(z: np.ndarray, seen: np.ndarray, first: np.ndarray) -> np.ndarray:
    """z minus the z of the last cell of its group, so that the link goes through the ends of runs.

    Parameters
    ----------
    z
        Standardised loss of each cell, shape (series, runs).
    seen
        Whether the series has the cell, shape (series, runs).
    first
        Index of the first cell of each cell's group, shape (series, runs).

    Returns
    -------
    ndarray
        Shape (series, runs); 0 where nothing was seen.
    """
    return np.where(seen, z - np.take_along_axis(z, _last_of_group(seen, first), -1), 0.0)


def end_of_group(x: np.ndarray, seen: np.ndarray, first: np.ndarray | None) -> np.ndarray:
    """x (series, runs, 2) of the last cell of each cell's group, whose cells err as one.

    Parameters
    ----------
    x
        (ln N, ln D) of each cell.
    seen, first
        As in `deviation_from_last`; `first` None where every cell is a group of its own.
    """
    if first is None:
        return x
    return np.take_along_axis(x, _last_of_group(seen, first)[..., None], 1)


def _last_of_group(seen: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Index of the last cell of each cell's group, shape (series, runs)."""
    size = ((first[:, :, None] == first[:, None, :]) & seen[:, None, :]).sum(2)
    return first + np.maximum(size, 1) - 1


def rectangle(tables: list[pd.DataFrame], column: str, fill: object = None) -> np.ndarray:
    """A column of the run table as a rectangle, one row per series, short rows filled up.

    Parameters
    ----------
    tables
        The rows of each series.
    column
        Name of the column.
    fill
        What short rows are filled with; None for their own first value, because cells that are not
        seen must be finite too.

    Returns
    -------
    ndarray
        Shape (series, runs): floats, or texts where `fill` is a text.
    """
    width = max(len(table) for table in tables)
    rows = []
    for table in tables:
        filler = table[column].iloc[0] if fill is None else fill
        rows.append([*table[column], *[filler] * (width - len(table))])
    return np.array(rows, dtype=None if fill is None or isinstance(fill, float) else str)
