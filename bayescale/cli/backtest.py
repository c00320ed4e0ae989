"""The command backtest."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from bayescale.backtests.backtest import backtest as make_backtest
from bayescale.backtests.record import Backtest
from bayescale.cli import options, tables
from bayescale.cli.tables import print_frame, say
from bayescale.errors import SettingError
from bayescale.files import atomic_write
from bayescale.models.inputs import AUTO
from bayescale.runtime import setup


def backtest(
    runs: options.RunTable = None,
    dataset: options.Dataset = "ladder2024",
    tasks: options.TaskTable = None,
    by: Annotated[
        str, typer.Option(help="What the cuts are of: flops, params or tokens.")
    ] = "flops",
    cuts: Annotated[
        str | None,
        typer.Option(
            help="Cuts, with commas; without it, up to 8 from 8 runs of every series upwards."
        ),
    ] = None,
    law: options.LawName = None,
    link: options.LinkName = None,
    via: options.Via = AUTO,
    pooling: options.PoolingName = "partial",
    discrepancy: options.DiscrepancyName = "calibrated",
    baselines: Annotated[
        bool, typer.Option(help="Forecast the same splits by the baselines too.")
    ] = True,
    seed: options.Seed = 0,
    chains: options.Chains = 4,
    draws: options.Draws = 1000,
    as_json: options.AsJson = False,
    csv: Annotated[Path | None, typer.Option(help="Write every case to this file.")] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw how the intervals held to this file (.png, .svg or .pdf)."),
    ] = None,
) -> None:
    """Fit the cheap runs, forecast the dear ones, again and again: coverage, and scores beside the
    baselines'. Interrupted, it resumes where it was.
    """
    options.check_outputs(plot, csv)
    ladder = options.read(runs, tasks, dataset)
    chosen = None if cuts is None else _numbers(cuts)
    setup(chains)
    settings: dict[str, Any] = {
        "law": law,
        "link": link,
        "via": options.chosen_via(via),
        "pooling": pooling,
        "discrepancy": discrepancy,
    }
    with Progress(
        console=Console(stderr=True), transient=True, disable=as_json or not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("", total=1.0)
        made = make_backtest(
            ladder,
            by=by,  # type: ignore[arg-type]
            cuts=chosen,
            **settings,
            baselines=baselines,
            chains=chains,
            draws=draws,
            seed=seed,
            progress=lambda what, share: bar.update(task, completed=share, description=what),
        )
    if csv is not None:
        with atomic_write(csv) as temporary:
            made.cases.to_csv(temporary, index=False)
    if plot is not None:
        draw_backtest(made, plot)
    if as_json:
        print(json.dumps(backtest_json(made) | options.spent(), allow_nan=False))
    else:
        print_backtest(Console(width=tables.width()), made, options.spent()["seconds"])
    raise typer.Exit(1 if made.status == "fail" else 0)


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise SettingError(
            "--cuts",
            rule="must be numbers with commas",
            got=repr(text),
            way_out="such as 1e20,1e21",
        ) from None


def backtest_json(made: Backtest) -> dict[str, Any]:
    """The JSON of `backtest --json`: status, coverage, scores, folds and every case."""
    tables = {
        "coverage": made.coverage(),
        "scores": made.scores(),
        "folds": made.folds,
        "cases": made.cases,
    }
    return {
        "by": made.by,
        "status": made.status,
        **{name: json.loads(table.to_json(orient="records")) for name, table in tables.items()},
    }


def print_backtest(console: Console, made: Backtest, seconds: float) -> None:
    """Scores, coverage of the model asked for, and the fits whose checks failed."""
    say(console, f"{made!r}")
    say(
        console,
        "scores: percent of a loss, points of an accuracy; less is better, inside_90 should be 0.9",
    )
    print_frame(console, made.scores())
    say(
        console,
        "coverage by extrapolation factor, with the 90 % interval of a bootstrap over the cuts, whose number is in column clusters",
    )
    print_frame(console, made.coverage())
    failed = made.folds[made.folds["failed"] != ""]
    if len(failed):
        say(console, "fits with a check that failed")
        print_frame(console, failed)
    say(console, f"{seconds:.1f} s in all")


def draw_backtest(made: Backtest, path: Path) -> None:
    """Three pictures side by side: errors by extrapolation factor, calibration, intervals against
    what came out.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from bayescale.plots import plot_calibration, plot_error, plot_truth

    quantities = [q for q in ("accuracy", "loss") if (made.cases["quantity"] == q).any()]
    figure, axes = plt.subplots(
        len(quantities), 3, figsize=(15, 4.6 * len(quantities)), layout="constrained", squeeze=False
    )
    for row, quantity in zip(axes, quantities, strict=True):
        plot_error(made, quantity=quantity, ax=row[0])
        plot_calibration(made, quantity=quantity, ax=row[1])
        plot_truth(made, quantity=quantity, ax=row[2])
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
