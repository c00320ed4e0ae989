"""tidy_rows: one row per (run, task) from a table with one row per run, or from a tidy one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescale.data.names import listed
from bayescale.data.quantities import to_floats
from bayescale.data.readers.columns import ColumnMap
from bayescale.data.readers.kinds import ACCURACY_KINDS, LOSS_KINDS, UNITS
from bayescale.errors import DataError

# The name of the loss of a table with one loss that has no name.
UNNAMED = "loss"
_UNIT_OF = {kind: unit for unit, kind in UNITS.items()}


def tidy_rows(of_run: pd.DataFrame, table: pd.DataFrame, found: ColumnMap) -> pd.DataFrame:
    """One row per (run, task), with the kinds of its numbers.

    Parameters
    ----------
    of_run
        Columns of the run, numbers as floats; a tidy table has ``task`` among them.
    table
        The cells, one row for each row of `of_run`.
    found
        What the columns of the table mean.

    Returns
    -------
    DataFrame
        The columns of `of_run` and task, loss, loss_unit (nan for a loss of no stated unit), and
        where there are scores accuracy and metric (nan for a share). In a wide table an accuracy
        goes with the loss of the same name, else with the first loss. A table without a loss has no
        column ``loss``.

    Raises
    ------
    DataError
        For a loss or a score that is no number, and a score of no named task.
    """
    values = {
        key: to_floats(table[source.column], f"column {source.column!r}") * source.factor
        for key, source in found.measures.items()
    }
    losses = {key: v for key, v in values.items() if key[0] in LOSS_KINDS}
    scores = {key: v for key, v in values.items() if key[0] in ACCURACY_KINDS}
    if "task" in of_run:
        return _tidy(of_run, losses, scores)
    return _from_wide(of_run, losses, scores)


def _tidy(
    of_run: pd.DataFrame,
    losses: dict[tuple[str, str], pd.Series],
    scores: dict[tuple[str, str], pd.Series],
) -> pd.DataFrame:
    """The rows of a tidy table, which has one column of losses and at most one of scores."""
    rows = of_run.copy()
    for quantity, kind_column, measures in (
        ("loss", "loss_unit", losses),
        ("accuracy", "metric", scores),
    ):
        if len(measures) > 1:
            raise DataError(
                f"{quantity} of a table with one row per (run, task)",
                rule="must be in one column",
                got=listed([f"{kind}:{name}" for kind, name in measures]),
                way_out=f"give the map {quantity}=COLUMN",
            )
        for (kind, _), values in measures.items():
            rows[quantity] = values
            own = _UNIT_OF.get(kind, np.nan) if quantity == "loss" else kind
            own = np.nan if kind in ("loss", "accuracy") else own
            stated = rows[kind_column] if kind_column in rows else pd.Series(np.nan, rows.index)
            rows[kind_column] = stated.astype(object).where(stated.notna(), own)
    return rows


def _from_wide(
    of_run: pd.DataFrame,
    losses: dict[tuple[str, str], pd.Series],
    scores: dict[tuple[str, str], pd.Series],
) -> pd.DataFrame:
    """The rows of a table with one row per run: accuracies with their losses, then other losses."""
    by_name = {name or UNNAMED: (kind, values) for (kind, name), values in losses.items()}
    if ("accuracy", "") in scores or any(not name for _, name in scores):
        raise DataError(
            "accuracy of a table with one row per run",
            rule="must name its task",
            got="a column of accuracies without a task",
            way_out="give the map accuracy:TASK=COLUMN",
        )
    if not by_name:
        return of_run.assign(task="")
    main = next((name for name in by_name if name not in {task for _, task in scores}), None)
    tables = []
    for (metric, task), values in scores.items():
        loss_name = task if task in by_name else main
        if loss_name is None:
            raise DataError(
                f"loss of task {task!r}",
                rule="must be there",
                got=f"losses {listed(list(by_name))}",
                way_out=f"give the map loss:{task}=COLUMN, or a loss that all tasks share",
            )
        share = np.nan if metric == "accuracy" else metric
        scored = _series(of_run, task, loss_name, by_name)
        tables.append(scored.assign(accuracy=values, metric=share))
    with_scores = {task for _, task in scores}
    for name in by_name:
        if name not in with_scores:
            tables.append(_series(of_run, name, name, by_name))
    rows = pd.concat(tables)
    # A run without any loss stays, so that the rules of the run table name it.
    has_loss = rows["run"].isin(rows.loc[rows["loss"].notna(), "run"])
    return rows[rows["loss"].notna() | ~has_loss].reset_index(drop=True)


def _series(
    of_run: pd.DataFrame,
    task: str,
    loss_name: str,
    losses: dict[str, tuple[str, pd.Series]],
) -> pd.DataFrame:
    """One row per run of one task."""
    kind, values = losses[loss_name]
    unit = np.nan if kind == "loss" else _UNIT_OF[kind]
    return of_run.assign(task=task, loss_name=loss_name, loss=values, loss_unit=unit)
