"""The command backtest, its JSON, its tables and its picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bayescale.backtests.backtest import backtest as make_backtest
from bayescale.backtests.record import OURS, Backtest
from bayescale.cli import options, tables
from bayescale.cli.outputs import deliver
from bayescale.cli.progress import progress_bar
from bayescale.cli.scheduler import Scheduler, client_of
from bayescale.cli.tables import json_rows, print_frame, print_text
from bayescale.errors import SettingError
from bayescale.files import atomic_write
from bayescale.fits.settings import AUTO
from bayescale.runtime import setup

# Panel of these options in the help of the command.
CUTS = "Cuts"

Cuts = Annotated[
    str | None,
    typer.Option(
        help="Cuts of the backtest, separated by commas. Without it, up to 8 cuts, from the "
        "smallest with at least 8 runs of every series.",
        rich_help_panel=CUTS,
    ),
]


def backtest(
    runs: options.RunTable = None,
    *,
    dataset: options.Dataset = "ladder2024",
    tasks: options.TaskTable = None,
    columns: options.Columns = None,
    leave_out: options.LeaveOut = None,
    by: Annotated[
        str,
        typer.Option(
            help="Quantity that the runs are cut by: flops, params or tokens.",
            rich_help_panel=CUTS,
        ),
    ] = "flops",
    cuts: Cuts = None,
    law: options.LawName = None,
    link: options.LinkName = None,
    via: options.Via = AUTO,
    pooling: options.PoolingName = "partial",
    discrepancy: options.DiscrepancyName = "calibrated",
    baselines: Annotated[
        bool,
        typer.Option(
            help="Whether baselines forecast the same runs too.", rich_help_panel=options.MODEL
        ),
    ] = True,
    seed: options.Seed = 0,
    chains: options.Chains = 4,
    draws: options.Draws = 1000,
    scheduler: Scheduler = None,
    as_json: options.AsJson = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="File for the table of every case (CSV).", rich_help_panel=options.OUTPUT
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="File for a picture of errors and coverage (.png, .svg or .pdf).",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
) -> None:
    """Fit the smaller runs and forecast the larger ones, at several cuts.

    Prints coverage and scores, beside baselines. After Ctrl-C, the same command resumes.
    """
    options.check_outputs(plot, csv)
    ladder = options.read_ladder(runs, tasks, dataset, columns=columns, leave_out=leave_out)
    numbers = parse_cuts(cuts)
    setup(chains)
    with client_of(scheduler) as executor, progress_bar(hidden=as_json) as update:
        result = make_backtest(
            ladder,
            by=by,  # type: ignore[arg-type]
            cuts=numbers,
            law=law,
            link=link,
            via=options.via_setting(via),
            pooling=pooling,  # type: ignore[arg-type]
            discrepancy=discrepancy,  # type: ignore[arg-type]
            baselines=baselines,
            chains=chains,
            draws=draws,
            seed=seed,
            executor=executor,
            progress=update,
        )
    cost = options.process_cost()

    def answer() -> None:
        if as_json:
            print(json.dumps(backtest_json(result) | cost, allow_nan=False))
        else:
            print_backtest(Console(width=tables.width()), result, cost["seconds"])

    deliver(
        answer,
        (csv, lambda path: write_cases(result, path)),
        (plot, lambda path: draw_backtest(result, path)),
    )
    raise typer.Exit(1 if result.status == "fail" else 0)


def parse_cuts(text: str | None) -> list[float] | None:
    """The numbers of --cuts; None where it was not given.

    Parameters
    ----------
    text
        Value of --cuts.

    Raises
    ------
    SettingError
        For words that are no numbers.
    """
    if text is None:
        return None
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise SettingError(
            "--cuts",
            rule="must be numbers separated by commas",
            got=repr(text),
            way_out="such as 1e20,1e21",
        ) from None


def backtest_json(result: Backtest) -> dict[str, Any]:
    """The JSON of `backtest --json`: status, coverage, scores, folds and every case."""
    return {
        "by": result.by,
        "status": result.status,
        "coverage": json_rows(result.coverage()),
        "scores": json_rows(result.scores()),
        "folds": json_rows(result.folds),
        "cases": json_rows(result.cases),
    }


def print_backtest(console: Console, result: Backtest, seconds: float) -> None:
    """Print the scores of all models, the coverage of bayescale, and the fits that failed.

    Parameters
    ----------
    console
        Where to print.
    result
        Backtest to show.
    seconds
        Seconds that the command took.
    """
    cases = result.cases[result.cases["model"] == OURS]
    number = cases["cut"].nunique()
    cuts = f"{number} cut{'' if number == 1 else 's'} of {result.by}"
    print_text(console, f"{cuts}, {len(cases)} cases; checks of the fits: {result.status}")
    print_text(
        console,
        "Scores, in percent of a loss and in points of accuracy: lower is better, bias "
        "near 0, inside_90 near 0.9",
    )
    print_frame(console, result.scores())
    print_text(
        console,
        "Coverage by extrapolation factor; lower and upper: its 90 % interval from a bootstrap "
        "over the cuts; clusters: number of cuts",
    )
    print_frame(console, result.coverage())
    failed = result.folds[result.folds["failed"] != ""]
    if len(failed):
        print_text(console, "Fits with a failed check, and point fits that did not converge")
        print_frame(console, failed)
    print_text(console, f"{seconds:.1f} s in total")


def write_cases(result: Backtest, path: Path) -> None:
    """Write the table of every case as CSV, whole or not at all."""
    with atomic_write(path) as temporary:
        tables.for_spreadsheets(result.cases).to_csv(temporary, index=False)


def draw_backtest(result: Backtest, path: Path) -> None:
    """Write a picture: errors by extrapolation factor, calibration, and intervals beside outcomes.

    Parameters
    ----------
    result
        Backtest to draw, one row of pictures per quantity.
    path
        File to write; its ending says which kind of picture.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from bayescale.plots import plot_calibration, plot_error, plot_truth

    known = set(result.cases["quantity"])
    quantities = [quantity for quantity in ("accuracy", "loss") if quantity in known]
    figure, axes = plt.subplots(
        len(quantities), 3, figsize=(15, 4.6 * len(quantities)), layout="constrained", squeeze=False
    )
    for row, quantity in zip(axes, quantities, strict=True):
        plot_error(result, quantity=quantity, ax=row[0])
        plot_calibration(result, quantity=quantity, ax=row[1])
        plot_truth(result, quantity=quantity, ax=row[2])
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
