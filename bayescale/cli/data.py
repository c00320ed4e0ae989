"""The commands about data: datasets, check, convert."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console

from bayescale.checks import Check, to_frame
from bayescale.cli import options, tables
from bayescale.cli.outputs import deliver
from bayescale.cli.targets import choose_targets
from bayescale.data.datasets import DATASETS, load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.names import visible
from bayescale.data.schema import ROLES
from bayescale.data.task_limits import task_limits
from bayescale.files import atomic_write
from bayescale.forecasts.design import Design, study_design
from bayescale.runtime import setup

# The task table beside a converted run table.
TASKS_OF = "{stem}.tasks.csv"
# Decimals of a number in a written table: enough to read the same float back.
DIGITS = "%.17g"

Files = Annotated[
    list[Path],
    typer.Argument(
        help="Run table (CSV, TSV, JSON Lines, Parquet, or an export of Weights & Biases), then "
        "other files about the same runs: results of lm-evaluation-harness, charts, tables."
    ),
]


def datasets(as_json: options.AsJson = False) -> None:
    """List the embedded data sets and their sources."""
    ladders = [load_dataset(name) for name in DATASETS]
    if as_json:
        print(json.dumps([_ladder_json(ladder) for ladder in ladders]))
        return
    for ladder in ladders:
        print(f"{_contents(ladder)}\n    {visible(ladder.source)}")


def check(
    runs: Files,
    *,
    tasks: options.TaskTable = None,
    columns: options.Columns = None,
    metrics: options.Metrics = None,
    unfinished: options.Unfinished = False,
    best: options.BestOfSweep = False,
    leave_out: options.LeaveOut = None,
    params: options.Params = None,
    tokens: options.Tokens = None,
    flops: options.Flops = None,
    corpus: options.Corpus = None,
    targets: options.TargetNames = None,
    as_json: options.AsJson = False,
) -> None:
    """Read a run table, and print what it contains and what looks wrong in it.

    Nothing is sampled. What a forecast would refuse is refused here with the same words.
    """
    ladder = options.read_table(
        runs,
        tasks,
        columns=columns,
        leave_out=leave_out,
        metrics=metrics,
        unfinished=unfinished,
        best=best,
    )
    given = any(value is not None for value in (params, tokens, flops, targets))
    has_targets = ladder.runs["role"].isin(["target", "link"]).any()
    chosen = []
    if given or has_targets:
        chosen = choose_targets(
            ladder, names=targets, params=params, tokens=tokens, flops=flops, corpus=corpus
        )
    setup()
    design = study_design(ladder, chosen)
    checks = [*ladder.checks(), *design.checks]
    if as_json:
        print(json.dumps(_check_json(ladder, checks, design), allow_nan=False))
        return
    print(_contents(ladder))
    for sentence in ladder.notes:
        print(f"  {visible(sentence)}")
    console = Console(width=tables.width())
    if checks:
        tables.print_checks(console, checks)
    else:
        print("Nothing looks wrong.")
    if len(ladder.tasks):
        limits = task_limits(ladder.frame, ladder.task_table)
        items = limits["items"].round().astype(int)
        tables.print_frame(console, limits.assign(items=items))
    if chosen:
        tables.print_frame(console, design.targets)
    for sentence in design.sentences:
        print(visible(sentence))


def convert(
    files: Files,
    *,
    out: Annotated[
        Path,
        typer.Option(
            help="Run table to write (CSV); the task table is written beside it as NAME.tasks.csv.",
            rich_help_panel=options.OUTPUT,
        ),
    ],
    tasks: options.TaskTable = None,
    columns: options.Columns = None,
    metrics: options.Metrics = None,
    unfinished: options.Unfinished = False,
    best: options.BestOfSweep = False,
    leave_out: options.LeaveOut = None,
) -> None:
    """Write the run table and the task table of results in any form, and say what became of them.

    The tables are those of the interchange format, which every other command and `read_csv` take.
    """
    ladder = options.read_table(
        files,
        tasks,
        columns=columns,
        leave_out=leave_out,
        metrics=metrics,
        unfinished=unfinished,
        best=best,
    )
    beside = out.with_name(TASKS_OF.format(stem=out.stem))
    has_tasks = bool(ladder.tasks)
    options.check_outputs(None, out, beside if has_tasks else None)

    def answer() -> None:
        print(_contents(ladder))
        for sentence in ladder.notes:
            print(f"  {visible(sentence)}")

    deliver(
        answer,
        (out, lambda path: _write(_runs_frame(ladder), path)),
        (beside if has_tasks else None, lambda path: _write(_tasks_frame(ladder), path)),
    )


def _write(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, whole or not at all, every float to its last digit."""
    with atomic_write(path) as temporary:
        frame.to_csv(temporary, index=False, float_format=DIGITS)


def _runs_frame(ladder: Ladder) -> pd.DataFrame:
    """The run table without empty columns, with the unit of each loss where one is known."""
    rows = ladder.frame
    units = rows["loss_name"].map(dict(ladder.conventions.loss_units))
    return rows.assign(loss_unit=units).dropna(axis="columns", how="all")


def _tasks_frame(ladder: Ladder) -> pd.DataFrame:
    """The task table with the task as a column."""
    return ladder.task_table.reset_index()


def _check_json(ladder: Ladder, checks: Sequence[Check], design: Design) -> dict[str, Any]:
    """The JSON of a check: what was understood, what looks wrong, and what the design can tell."""
    return {
        **_ladder_json(ladder),
        "losses": ladder.loss_names,
        "notes": list(ladder.notes),
        "checks": tables.json_rows(to_frame(checks)),
        "task_limits": tables.json_rows(task_limits(ladder.frame, ladder.task_table)),
        "targets": tables.json_rows(design.targets),
        "sentences": list(design.sentences),
    }


def _ladder_json(ladder: Ladder) -> dict[str, object]:
    """The JSON of one data set."""
    return {
        "name": ladder.name,
        "runs": len(ladder.runs),
        "corpora": ladder.corpora,
        "tasks": ladder.tasks,
        "source": ladder.source,
    }


def _contents(ladder: Ladder) -> str:
    """One line: the ladder's name, and how many runs, corpora, losses and tasks it has."""
    roles = ladder.runs["role"].value_counts()
    runs_by_role = ", ".join(f"{roles[role]} {role}" for role in ROLES if role in roles)
    counts = ", ".join(
        (
            f"{_count(len(ladder.runs), 'run', 'runs')} ({runs_by_role})",
            _count(len(ladder.corpora), "corpus", "corpora"),
            _count(len(ladder.loss_names), "loss", "losses"),
            _count(len(ladder.tasks), "task", "tasks"),
        )
    )
    return f"{visible(ladder.name)}: {counts}"


def _count(number: int, singular: str, plural: str) -> str:
    """The number with its noun."""
    return f"{number} {singular if number == 1 else plural}"
