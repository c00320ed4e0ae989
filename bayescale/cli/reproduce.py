"""The command reproduce, its JSON and its tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console

from bayescale.cli import options, tables
from bayescale.cli.progress import progress_bar
from bayescale.cli.tables import cell_text, json_rows, print_table, print_text
from bayescale.papers.analysis import Analysis
from bayescale.papers.reproduce import PAPERS, Reproduction
from bayescale.papers.reproduce import reproduce as make_reproduction
from bayescale.runtime import setup

# Rows per table where several analyses are printed: each table then fits a screen.
ROWS = 24


def reproduce(
    paper: Annotated[str, typer.Argument(help=f"One of {', '.join(PAPERS)}.")],
    *,
    analysis: Annotated[
        str | None,
        typer.Option(
            help="Name of one analysis. Without it, all analyses but starts, which takes long."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            envvar="BAYESCALE_SHARED_DATA",
            help="Folder that holds ladder2024/raw, the released checkpoint files.",
        ),
    ] = None,
    starts: Annotated[
        int, typer.Option(help="Starting points per fit in the analysis starts.")
    ] = 10,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Repeat the analyses of a paper: the released figures beside the figures computed here.

    Exit status 1 where a released figure and its counterpart differ by more than the bound.
    """
    setup()
    with progress_bar(hidden=as_json, total=None) as update:
        result = make_reproduction(
            paper,
            analysis=analysis,
            data=data,
            starts=starts,
            seed=seed,
            progress=lambda name: update(name, None),
        )
    if as_json:
        print(json.dumps(reproduction_json(result) | options.process_cost(), allow_nan=False))
    else:
        print_reproduction(Console(width=tables.width()), result)
    raise typer.Exit(0 if result.agrees else 1)


def reproduction_json(result: Reproduction) -> dict[str, Any]:
    """The JSON of `reproduce --json`: every row of every analysis, with null for nan."""
    analyses = [
        {
            "name": analysis.name,
            "about": analysis.about,
            "agrees": analysis.differing.empty if "agrees" in analysis.frame else None,
            "rows": json_rows(analysis.frame),
        }
        for analysis in result.analyses
    ]
    return {
        "paper": result.paper,
        "agrees": result.agrees,
        "analyses": analyses,
        "left_out": result.left_out,
    }


def print_reproduction(console: Console, result: Reproduction) -> None:
    """Print one table per analysis; the first rows of a long table, where there are several tables.

    Parameters
    ----------
    console
        Where to print.
    result
        Analyses to show, and the analyses that were left out.
    """
    for analysis in result.analyses:
        _print_analysis(console, analysis, whole=len(result.analyses) == 1)
    for reason in dict.fromkeys(result.left_out.values()):
        names = [name for name, its_reason in result.left_out.items() if its_reason == reason]
        console.print()
        print_text(console, f"left out: {', '.join(names)}: {reason}")


def _print_analysis(console: Console, analysis: Analysis, *, whole: bool) -> None:
    """Print the table of an analysis, the rows that differ first; `ROWS` rows if not the whole."""
    differing = analysis.differing
    rows = pd.concat([differing, analysis.frame.drop(differing.index)])
    shown = rows if whole else rows.head(ROWS)
    console.print()
    print_text(console, f"{analysis.name}: {analysis.about}")
    print_table(
        console, shown.columns, (map(cell_text, row) for row in shown.itertuples(index=False))
    )
    if len(shown) < len(rows):
        number = len(rows) - len(shown)
        print_text(console, f"and {number} more rows: --analysis {analysis.name} prints all")
    if "agrees" in analysis.frame:
        compared = analysis.frame["agrees"].notna().sum()
        print_text(
            console,
            f"{analysis.name}: {compared} figures compared, "
            f"{len(differing)} differ by more than the bound",
        )
