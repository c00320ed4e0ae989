"""The command reproduce."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from bayescale import showing
from bayescale.cli import options
from bayescale.papers.reproduce import PAPERS
from bayescale.papers.reproduce import reproduce as make_reproduction
from bayescale.runtime import setup


def reproduce(
    paper: Annotated[str, typer.Argument(help=f"One of {', '.join(PAPERS)}.")],
    analysis: Annotated[str | None, typer.Option(help="One analysis by name; without it, all but the check of other starts.")] = None,
    data: Annotated[Path | None, typer.Option(envvar="BAYESCALE_SHARED_DATA", help="Folder that holds ladder2024/raw, the released checkpoint files.")] = None,
    starts: Annotated[int, typer.Option(help="Starting points of each fit in the analysis starts.")] = 10,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Both papers' own analyses: what their code released beside what comes out here. Exit status 1 where the two differ by more than the bound."""
    setup()
    with Progress(console=Console(stderr=True), transient=True, disable=as_json or not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)
        made = make_reproduction(paper, analysis=analysis, data=data, starts=starts, seed=seed, progress=lambda name: bar.update(task, description=name))
    if as_json:
        print(json.dumps(showing.reproduction_json(made) | options.spent(), allow_nan=False))
    else:
        showing.print_reproduction(Console(width=showing.width()), made)
    raise typer.Exit(0 if made.agrees else 1)
