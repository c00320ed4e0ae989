"""A reproduction as JSON and as tables."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
from rich.console import Console

from bayescale.papers.reproduce import Reproduction
from bayescale.showing.tables import as_text, print_table, say

ROWS = 24  # of a table, where a whole paper is printed


def reproduction_json(made: Reproduction) -> dict[str, Any]:
    """The JSON of `reproduce --json`: every row of every analysis, nan as null."""
    analyses = [
        {"name": a.name, "about": a.about, "agrees": a.differing.empty if "agrees" in a.frame else None, "rows": json.loads(a.frame.to_json(orient="records"))}
        for a in made.analyses
    ]
    return {"paper": made.paper, "agrees": made.agrees, "analyses": analyses, "left_out": made.left_out}


def print_reproduction(console: Console, made: Reproduction) -> None:
    """A table an analysis; of a long one, where several are printed, the rows that differ and the first ones."""
    for a in made.analyses:
        short = len(made.analyses) > 1
        rows = pd.concat([a.differing, a.frame.drop(a.differing.index)])
        shown = rows.head(ROWS) if short else rows
        console.print()
        say(console, f"{a.name}: {a.about}")
        print_table(console, shown.columns, (map(as_text, values) for values in shown.itertuples(index=False)))
        if len(shown) < len(rows):
            say(console, f"and {len(rows) - len(shown)} more rows: --analysis {a.name} prints all")
        if "agrees" in a.frame:
            say(console, f"{a.name}: {a.frame['agrees'].notna().sum()} figures compared, {len(a.differing)} differ by more than the bound")
    for why in dict.fromkeys(made.left_out.values()):
        console.print()
        say(console, f"left out: {', '.join(name for name, given in made.left_out.items() if given == why)}: {why}")
