"""The command reproduce."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.progress import Progress

from bayescale.cli import options, tables
from bayescale.cli.tables import as_text, print_table, say
from bayescale.papers.reproduce import PAPERS, Reproduction
from bayescale.papers.reproduce import reproduce as make_reproduction
from bayescale.runtime import setup


def reproduce(
    paper: Annotated[str, typer.Argument(help=f"One of {', '.join(PAPERS)}.")],
    analysis: Annotated[
        str | None,
        typer.Option(help="One analysis by name; without it, all but the check of other starts."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            envvar="BAYESCALE_SHARED_DATA",
            help="Folder that holds ladder2024/raw, the released checkpoint files.",
        ),
    ] = None,
    starts: Annotated[
        int, typer.Option(help="Starting points of each fit in the analysis starts.")
    ] = 10,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Both papers' own analyses: what their code released beside what comes out here. Exit status 1
    where the two differ by more than the bound.
    """
    setup()
    with Progress(
        console=Console(stderr=True), transient=True, disable=as_json or not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("", total=None)
        made = make_reproduction(
            paper,
            analysis=analysis,
            data=data,
            starts=starts,
            seed=seed,
            progress=lambda name: bar.update(task, description=name),
        )
    if as_json:
        print(json.dumps(reproduction_json(made) | options.spent(), allow_nan=False))
    else:
        print_reproduction(Console(width=tables.width()), made)
    raise typer.Exit(0 if made.agrees else 1)


ROWS = 24  # of a table, where a whole paper is printed


def reproduction_json(made: Reproduction) -> dict[str, Any]:
    """The JSON of `reproduce --json`: every row of every analysis, nan as null."""
    analyses = [
        {
            "name": a.name,
            "about": a.about,
            "agrees": a.differing.empty if "agrees" in a.frame else None,
            "rows": json.loads(a.frame.to_json(orient="records")),
        }
        for a in made.analyses
    ]
    return {
        "paper": made.paper,
        "agrees": made.agrees,
        "analyses": analyses,
        "left_out": made.left_out,
    }


def print_reproduction(console: Console, made: Reproduction) -> None:
    """A table an analysis; of a long one, where several are printed, the rows that differ and the
    first ones.
    """
    for a in made.analyses:
        short = len(made.analyses) > 1
        rows = pd.concat([a.differing, a.frame.drop(a.differing.index)])
        shown = rows.head(ROWS) if short else rows
        console.print()
        say(console, f"{a.name}: {a.about}")
        print_table(
            console,
            shown.columns,
            (map(as_text, values) for values in shown.itertuples(index=False)),
        )
        if len(shown) < len(rows):
            say(console, f"and {len(rows) - len(shown)} more rows: --analysis {a.name} prints all")
        if "agrees" in a.frame:
            say(
                console,
                f"{a.name}: {a.frame['agrees'].notna().sum()} figures compared, {len(a.differing)} differ by more than the bound",
            )
    for why in dict.fromkeys(made.left_out.values()):
        console.print()
        say(
            console,
            f"left out: {', '.join(name for name, given in made.left_out.items() if given == why)}: {why}",
        )
