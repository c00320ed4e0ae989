"""The commands about data: datasets, check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bayescale.cli import options, tables
from bayescale.data.datasets import DATASETS, load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.names import visible
from bayescale.data.schema import ROLES


def datasets(as_json: options.AsJson = False) -> None:
    """List the embedded data sets and their sources."""
    ladders = [load_dataset(name) for name in DATASETS]
    if as_json:
        print(json.dumps([_ladder_json(ladder) for ladder in ladders]))
        return
    for ladder in ladders:
        print(f"{_contents(ladder)}\n    {visible(ladder.source)}")


def check(
    runs: Annotated[Path, typer.Argument(help="Run table (CSV).")],
    tasks: options.TaskTable = None,
) -> None:
    """Read a run table, and print what it contains and what looks wrong in it."""
    ladder = options.read_table(runs, tasks)
    checks = ladder.checks()
    print(_contents(ladder))
    if checks:
        tables.print_checks(Console(width=tables.width()), checks)
    else:
        print("Nothing looks wrong.")


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
