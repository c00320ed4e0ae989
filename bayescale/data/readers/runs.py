"""read_runs: the ladder of a table of results in any of the forms that people have."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.data.catalogue import fill_tasks
from bayescale.data.ladder import Ladder
from bayescale.data.leave_out import without_runs
from bayescale.data.names import listed
from bayescale.data.quantities import sizes, to_floats, to_text, without_decimal_commas
from bayescale.data.readers.columns import ColumnMap, find_columns, parse_map
from bayescale.data.readers.formats import Cells, read_cells
from bayescale.data.readers.join import (
    add_columns,
    add_scores,
    is_results,
    items_of,
    read_others,
)
from bayescale.data.readers.kinds import (
    ACCURACY_KINDS,
    LOSS_KINDS,
    UNITS,
    bytes_per_token,
    to_losses,
    to_shares,
)
from bayescale.data.readers.rows import tidy_rows
from bayescale.data.readers.wandb import is_chart_export, is_runs_export, read_runs_export
from bayescale.data.schema import NUMBERS, REQUIRED, misspelled, require_plain_columns
from bayescale.data.target import COMPUTE_ONLY, TOKENS_PER_PARAM, Conventions
from bayescale.errors import DataError
from bayescale.validation import as_list

# Columns whose cells are sizes, which may have a suffix.
SIZES = ("params", "tokens", "flops", "unique_tokens")


def read_runs(
    path: object,
    *,
    columns: Mapping[str, str] | str | Path | None = None,
    tasks: object = None,
    join: object = (),
    metrics: Mapping[str, str] | None = None,
    leave_out: Sequence[str] = (),
    unfinished: bool = False,
    conventions: Conventions | None = None,
    law: str | None = None,
    link: str = "logistic",
    name: str | None = None,
    source: str | None = None,
) -> Ladder:
    """A ladder from a table of results in any of the forms that people have.

    The table has one row per (run, task), or one row per run with a column for each loss and each
    accuracy. Columns with other names are guessed. Each guess is told by one warning, and a map of
    the columns overrules it.

    Parameters
    ----------
    path
        A file of CSV (comma, tab or semicolon), JSON Lines, JSON or Parquet; the table of runs that
        Weights & Biases exports; or a data frame of pandas or Polars.
    columns
        What the columns mean: a mapping such as ``{"params": "N", "tokens": "D", "loss:c4":
        "val_loss", "accuracy:piqa": "piqa/acc"}``, the same as text (``params=N,tokens=D``), or a
        TOML file. Other kinds of numbers are ``perplexity``, ``bits_per_byte`` and
        ``bits_per_token`` in place of ``loss``; ``percent``, ``error`` and ``centred`` in place of
        ``accuracy``. ``COLUMN*1e9`` multiplies a column. None guesses all of it.
    tasks
        The task table, columns ``task``, ``chance``, ``items`` and optionally ``metric`` (the kind
        of each score): a file or a data frame.
    join
        Other files about the same runs, one or a list: results of lm-evaluation-harness (files or
        folders), charts exported from Weights & Biases, tables with a column ``run``.
    metrics
        The metric of each task of the harness, such as ``{"piqa": "acc_norm"}``; ``"*"`` stands for
        all tasks that have it. Other tasks take ``acc``, or the first share that all runs have.
    leave_out
        Names of runs, or conditions such as ``params<1e8``: these runs are left out, and
        `Ladder.notes` says so.
    unfinished
        Whether to keep runs of an export of Weights & Biases that crashed, failed or still run.
    conventions
        How N is counted, the tokenizer, and the unit of each loss. What the table says is added.
    law
        Name of the law that a fit uses by default; None for ``skaling``, or for ``compute`` where
        the table has compute and no sizes.
    link
        Name of the link that a fit uses by default.
    name
        Name of the ladder, for reports; None for the file's name without its ending.
    source
        Where the figures come from, for reports; None for the file's name.

    Returns
    -------
    Ladder
        The ladder, its tables checked. `Ladder.notes` says what was understood.

    Raises
    ------
    FileError
        For a path that is no file, and a file that does not parse.
    SettingError
        For a map that is none.
    DataError
        For a column that cannot be found, a number that cannot be what it is said to be, and a
        table that breaks a rule of `Ladder.from_frame`.

    Examples
    --------
    >>> import pandas as pd
    >>> import bayescale as bs
    >>> table = pd.DataFrame(
    ...     {"N": ["100M", "400M"], "D": ["2B", "8B"], "run": ["a", "b"], "val_loss": [3.4, 2.9]}
    ... )
    >>> columns = {"params": "N", "tokens": "D", "loss:val": "val_loss"}
    >>> ladder = bs.read_runs(table, columns=columns)
    >>> ladder.loss_names, float(ladder.runs.loc["b", "params"])
    (['val'], 400000000.0)
    """
    _require_run_table(path)
    cells = read_cells(path)
    file = Path(path).name if isinstance(path, str | Path) else ""
    table, tracked = _of_runs(cells, unfinished)
    given = parse_map(columns)
    others = read_others(as_list(join), metrics)
    found = find_columns(table.columns, given)
    if len(others.columns) and "run" in found.of_run:
        table = add_columns(table, found.of_run["run"].column, others.columns)
        found = find_columns(table.columns, given)
    unused = [column for column in table.columns if column not in found.used]
    odd = misspelled(unused, [*found.of_run, *(kind for kind, _ in found.measures)])
    lost = [note for note in others.notes if "left out" in note]
    _tell([*tracked, *lost, *odd], found.guesses, file or "the run table")
    facts = None if tasks is None else read_cells(tasks).table
    tidy, notes = _read_cells(table, found)
    _require(tidy, f"{file or 'the run table'} ({cells.format})", list(table.columns))
    if len(others.scores):
        tidy, unmatched = add_scores(tidy, others.scores)
        _tell(unmatched, (), file or "the run table")
        notes += unmatched
        facts = _with_items(facts, items_of(others.scores))
    tidy, left_out = without_runs(tidy, leave_out)
    facts, filled = _fill_facts(tidy, facts)
    units, told = _convert(tidy, facts)
    about = [f"{file or 'run table'}: {cells.format}, {len(cells.table)} rows"]
    about += [*tracked, *others.notes, *found.guesses]
    if unused:
        about.append(f"columns without a meaning here: {listed(unused)}")
    stated = _conventions(conventions, found, units)
    ladder = Ladder.from_frame(
        tidy,
        tasks=facts,
        conventions=stated,
        law=law or ("compute" if stated.params == COMPUTE_ONLY else "skaling"),
        link=link,
        name=name or Path(file).stem or "ladder",
        source=source or file,
    )
    bytes_per_token(ladder.frame, stated.loss_units)
    return replace(ladder, notes=(*about, *notes, *left_out, *told, *filled))


def _require_run_table(path: object) -> None:
    """Check that the first file is no evaluation result, which has neither sizes nor losses."""
    if is_results(path) and not Path(str(path)).is_dir():
        raise DataError(
            f"file {str(path)!r}",
            rule="must be a table of runs",
            got="JSON results of lm-evaluation-harness, which have neither sizes nor losses",
            way_out="give a table with columns run, params, tokens and a loss, and this file as "
            "join= (--join)",
        )


def _of_runs(cells: Cells, unfinished: bool) -> tuple[pd.DataFrame, list[str]]:
    """The cells of a table of runs, and what was changed or left out."""
    require_plain_columns(cells.table, "run table")
    table = cells.table.map(_stripped).reset_index(drop=True)
    table.columns = pd.Index(map(str, table.columns))
    require_plain_columns(table, "run table")
    notes = []
    if cells.format == "CSV with semicolons":
        written = table
        table = table.apply(without_decimal_commas)
        changed = [name for name in table.columns if not table[name].equals(written[name])]
        if changed:
            notes.append(f"A comma is taken for a decimal point in {listed(changed)}.")
    if is_chart_export(table):
        raise DataError(
            "the run table",
            rule="must have one row for each run, or for each run and task",
            got="an exported chart, one column for each run, which has no sizes",
            way_out="export the table of runs, and give the chart as join= (--join)",
        )
    if is_runs_export(table):
        table, left_out = read_runs_export(table, unfinished=unfinished)
        notes += left_out
    return table, notes


def _read_cells(table: pd.DataFrame, found: ColumnMap) -> tuple[pd.DataFrame, list[str]]:
    """One row per (run, task) with numbers as floats, each of its own kind; and sentences."""
    notes: list[str] = []
    rows = pd.DataFrame(index=table.index)
    for name, source in found.of_run.items():
        column = table[source.column]
        if name in SIZES:
            column, had_suffix = sizes(column, f"column {source.column!r}")
            if had_suffix:
                notes.append(f"{name}: sizes of {source.column!r} are as round as they are written")
        elif name in NUMBERS:
            column = to_floats(column, f"column {source.column!r}")
        else:
            column = to_text(column, f"column {source.column!r}")
        rows[name] = column * source.factor if name in NUMBERS else column
    if "run" not in rows:
        rows["run"] = [f"row {i + 1}" for i in range(len(rows))]
        notes.append("each row is a run, named by its number")
    notes += _fill_sizes(rows)
    return tidy_rows(rows, table, found), notes


def _fill_sizes(rows: pd.DataFrame) -> list[str]:
    """Fill N and D of a table that has only compute; a sentence where that was done."""
    if "params" in rows or "tokens" in rows or "flops" not in rows:
        return []
    rows["params"] = np.sqrt(rows["flops"] / (6.0 * TOKENS_PER_PARAM))
    rows["tokens"] = TOKENS_PER_PARAM * rows["params"]
    return [
        "N and D are unknown: they are filled with those of the compute at "
        f"{TOKENS_PER_PARAM:g} tokens per parameter, and only law compute may be fitted"
    ]


def _require(rows: pd.DataFrame, what: str, header: Sequence[str]) -> None:
    """Check that every needed column has been found, and name all that have not."""
    missing = [name for name in REQUIRED if name not in rows]
    if not missing:
        return
    named = [f"{name}:NAME=COLUMN" if name == "loss" else f"{name}=COLUMN" for name in missing]
    way_out = (
        f"say which column is meant: {','.join(named)} (run=COLUMN names the runs, "
        "accuracy:TASK=COLUMN gives scores, COLUMN*1e9 multiplies)"
    )
    if missing == ["loss"]:
        way_out = (
            "without a loss there is no forecast: name its column by loss:NAME=COLUMN or "
            "perplexity:NAME=COLUMN, or log the validation loss of each run"
        )
    raise DataError(
        f"column{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))} of {what}",
        rule="must be there (needed: params, tokens and a loss)",
        got=f"columns {listed(list(header)) or 'none'}",
        way_out=f"{way_out} (columns= in Python, --columns on the command line)",
    )


def _with_items(facts: pd.DataFrame | None, items: Mapping[str, float]) -> pd.DataFrame:
    """The task table with the numbers of items of evaluation results where it has none."""
    known = pd.DataFrame({"task": list(items), "items": list(items.values())})
    if facts is None or "task" not in facts:
        return known if facts is None else facts
    merged = facts.assign(items=facts.get("items", np.nan))
    merged["items"] = merged["items"].where(merged["items"].notna(), merged["task"].map(items))
    return pd.concat([merged, known[~known["task"].isin(merged["task"])]], ignore_index=True)


def _fill_facts(
    rows: pd.DataFrame, facts: pd.DataFrame | None
) -> tuple[pd.DataFrame | None, list[str]]:
    """The task table completed from the catalogue, and a sentence for each task."""
    if "accuracy" not in rows:
        return facts, []
    scored = list(dict.fromkeys(rows.loc[rows["accuracy"].notna(), "task"].map(str)))
    filled, checks = fill_tasks(scored, facts)
    if facts is not None and "metric" in facts and "task" in facts:
        filled = filled.assign(metric=_by_task(facts, "metric", filled["task"]))
    # A chance that contradicts the catalogue is a row of `Ladder.checks`.
    return filled, [check.advice for check in checks if check.check.startswith("task catalogue")]


def _convert(rows: pd.DataFrame, facts: pd.DataFrame | None) -> tuple[dict[str, str], list[str]]:
    """Turn losses and scores in place into losses and shares; units of losses, and sentences."""
    notes = []
    kinds = rows["loss_unit"].map(lambda unit: UNITS.get(unit, "loss"))
    rows["loss"] = to_losses(rows["loss"], kinds, "losses")
    names = rows["loss_name"] if "loss_name" in rows else rows["task"]
    units = {}
    for name, unit in zip(names, rows["loss_unit"], strict=True):
        kind = UNITS.get(unit, "loss")
        if isinstance(unit, str) and unit:
            units[str(name)] = LOSS_KINDS[kind].unit or unit
    for kind, formula in (("perplexity", "ln(perplexity)"), ("bits_per_token", "ln 2 times bits")):
        turned = dict.fromkeys(names[kinds == kind].map(str))
        if turned:
            notes.append(f"loss {listed(list(turned))}: {formula}, in nats per token")
    if "accuracy" in rows:
        stated = _by_task(facts, "metric", rows["task"])
        metric = rows["metric"].where(rows["metric"].notna(), stated).fillna("accuracy")
        unknown = [kind for kind in metric.unique() if kind not in ACCURACY_KINDS]
        if unknown:
            raise DataError(
                "column 'metric'",
                rule=f"must be one of {', '.join(ACCURACY_KINDS)}",
                got=listed(unknown),
                way_out="fix it, or leave it empty where the score is a share of right answers",
            )
        chance = to_floats(_by_task(facts, "chance", rows["task"]), "column 'chance'")
        rows["accuracy"] = to_shares(rows["accuracy"], metric, chance, "scores")
        for kind in (kind for kind in ACCURACY_KINDS if kind != "accuracy"):
            turned = dict.fromkeys(rows["task"][metric == kind].map(str))
            if turned:
                notes.append(f"accuracy of {listed(list(turned))}: from scores of kind {kind}")
    return units, notes


def _by_task(facts: pd.DataFrame | None, column: str, tasks: pd.Series) -> pd.Series:
    """The cell of the task table in one column, for each row; nan where there is none."""
    if facts is None or "task" not in facts or column not in facts:
        return pd.Series(np.nan, index=tasks.index, dtype=object)
    known = facts.dropna(subset=["task"]).drop_duplicates("task").set_index("task")[column]
    return tasks.map(known).astype(object)


def _conventions(
    stated: Conventions | None, found: ColumnMap, units: Mapping[str, str]
) -> Conventions:
    """The user's conventions, completed by what the table says."""
    known = stated or Conventions()
    only_compute = not {"params", "tokens"} & set(found.of_run)
    return replace(
        known,
        params=COMPUTE_ONLY if only_compute else known.params or found.params_count,
        loss_units={**units, **known.loss_units},
    )


def _tell(tracked: Sequence[str], guesses: Sequence[str], file: str) -> None:
    """One warning that names what was changed or left out, and every guess."""
    told = [*tracked]
    if guesses:
        told.append(f"Guessed {'; '.join(guesses)}. Give columns= (--columns) to overrule a guess.")
    if told:
        warnings.warn(f"{file}: {' '.join(told)}", stacklevel=3)


def _stripped(cell: object) -> object:
    """The cell, text without blanks around it; a text of blanks alone is an empty cell."""
    return (cell.strip() or np.nan) if isinstance(cell, str) else cell
