"""A backtest as JSON, as tables, as pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from bayescale.backtests.record import Backtest
from bayescale.files import atomic
from bayescale.showing.tables import print_frame, say


def backtest_json(made: Backtest) -> dict[str, Any]:
    """The JSON of `backtest --json`: status, coverage, scores, folds and every case."""
    tables = {"coverage": made.coverage(), "scores": made.scores(), "folds": made.folds, "cases": made.cases}
    return {"by": made.by, "status": made.status, **{name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}}


def print_backtest(console: Console, made: Backtest, seconds: float) -> None:
    """Scores, coverage of the model asked for, and the fits whose checks failed."""
    say(console, f"{made!r}")
    say(console, "scores: percent of a loss, points of an accuracy; less is better, inside_90 should be 0.9")
    print_frame(console, made.scores())
    say(console, "coverage by extrapolation factor, with the 90 % interval of a bootstrap over the cuts, whose number is in column clusters")
    print_frame(console, made.coverage())
    failed = made.folds[made.folds["failed"] != ""]
    if len(failed):
        say(console, "fits with a check that failed")
        print_frame(console, failed)
    say(console, f"{seconds:.1f} s in all")


def draw_backtest(made: Backtest, path: Path) -> None:
    """Three pictures side by side: errors by extrapolation factor, calibration, intervals against what came out."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from bayescale.plots import plot_calibration, plot_error, plot_truth

    quantities = [q for q in ("accuracy", "loss") if (made.cases["quantity"] == q).any()]
    figure, axes = plt.subplots(len(quantities), 3, figsize=(15, 4.6 * len(quantities)), layout="constrained", squeeze=False)
    for row, quantity in zip(axes, quantities, strict=True):
        plot_error(made, quantity=quantity, ax=row[0])
        plot_calibration(made, quantity=quantity, ax=row[1])
        plot_truth(made, quantity=quantity, ax=row[2])
    with atomic(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
