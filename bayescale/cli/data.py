"""The commands that look at data: datasets, check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import bayescale
from bayescale.cli import options, tables
from bayescale.data.datasets import load_dataset


def datasets(as_json: options.AsJson = False) -> None:
    """List the embedded data sets."""
    ladders = [load_dataset(name) for name in bayescale.DATASETS]
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "name": x.name,
                        "runs": len(x.runs),
                        "corpora": x.corpora,
                        "tasks": x.tasks,
                        "source": x.source,
                    }
                    for x in ladders
                ]
            )
        )
        return
    for x in ladders:
        print(f"{x!r}\n    {x.source}")


def check(
    runs: Annotated[Path, typer.Argument(help="Run table, CSV.")],
    tasks: options.TaskTable = None,
) -> None:
    """Read a run table and say what is in it, and what is wrong."""
    ladder = options.read_table(runs, tasks)
    print(ladder)
    tables.print_checks(Console(width=tables.width()), ladder.checks())
