"""The command frontier, its JSON and its tables."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console

from bayescale.cli import options, tables
from bayescale.cli.fit_options import EXAMPLE, FitOptions
from bayescale.cli.tables import (
    diagnostics_json,
    json_rows,
    print_status,
    print_table,
    print_text,
)
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.fits.settings import AUTO
from bayescale.forecasts.frontier import MULTIPLIERS, check_law, find_series
from bayescale.forecasts.frontier import frontier as make_frontier
from bayescale.validation import check_prob

# Panel of these options in the help of the command.
QUESTION = "Question"
SHAPES = ",".join(f"{number:g}" for number in MULTIPLIERS)


def frontier(
    runs: options.RunTable = None,
    *,
    budgets: Annotated[
        str,
        typer.Option(
            help="Training compute in FLOPs, 6ND: one number, or several separated by commas.",
            rich_help_panel=QUESTION,
        ),
    ],
    multipliers: Annotated[
        str,
        typer.Option(
            help="Tokens per parameter at which the loss is compared with that of the optimum.",
            rich_help_panel=QUESTION,
        ),
    ] = SHAPES,
    loss_name: Annotated[
        str | None,
        typer.Option(
            help="Loss whose law is asked. Without it, the only validation loss.",
            rich_help_panel=QUESTION,
        ),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(help="Corpus whose law is asked.", rich_help_panel=QUESTION),
    ] = None,
    dataset: options.Dataset = EXAMPLE,
    tasks: options.TaskTable = None,
    columns: options.Columns = None,
    leave_out: options.LeaveOut = None,
    saved: options.SavedFit = None,
    law: options.LawName = None,
    link: options.LinkName = None,
    via: options.Via = AUTO,
    pooling: options.PoolingName = "partial",
    discrepancy: options.DiscrepancyName = "calibrated",
    prob: options.Prob = 0.9,
    seed: options.Seed = 0,
    chains: options.Chains = 4,
    draws: options.Draws = 1000,
    as_json: options.AsJson = False,
) -> None:
    """Find the compute-optimal parameters and tokens of a budget, and what other shapes lose."""
    check_prob(prob)
    wanted = _numbers("--budgets", budgets)
    shapes = _numbers("--multipliers", multipliers)
    source = FitOptions(
        runs=runs,
        dataset=dataset,
        tasks=tasks,
        columns=columns,
        leave_out=leave_out,
        saved=saved,
        law=law,
        link=link,
        via=via,
        pooling=pooling,
        discrepancy=discrepancy,
        chains=chains,
        draws=draws,
        seed=seed,
        hidden=as_json,
    )
    _check(source, loss_name, corpus)
    fitted = source.fit()
    table = make_frontier(
        fitted, wanted, multipliers=shapes, loss_name=loss_name, corpus=corpus, prob=prob
    )
    cost = options.process_cost()
    if as_json:
        print(json.dumps(frontier_json(fitted, table) | cost, allow_nan=False))
    else:
        console = Console(width=tables.width())
        print_frontier(console, table)
        print_status(console, fitted, cost["seconds"])
    raise typer.Exit(1 if fitted.status == "fail" else 0)


def _check(source: FitOptions, loss_name: str | None, corpus: str | None) -> None:
    """Raise before the fit the errors that would otherwise be raised after it."""
    ladder = source.ladder
    check_law(source.law or ladder.law)
    rows = ladder.with_role("fit").frame[["corpus", "loss_name"]].drop_duplicates()
    pairs = list(rows.itertuples(index=False, name=None))
    find_series(pairs, ladder.tasks, loss_name, corpus)


def _numbers(option: str, text: str) -> list[float]:
    """The positive numbers of an option."""
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < float("inf") for number in numbers):
        raise SettingError(
            option,
            rule="must be positive numbers separated by commas",
            got=repr(text),
            way_out="such as 1e22,1e23",
        )
    return numbers


def frontier_json(fit: Fit, table: pd.DataFrame) -> dict[str, Any]:
    """The JSON of `frontier --json`: the series that was asked, and every quantity.

    Parameters
    ----------
    fit
        Fit whose law was asked.
    table
        What `bayescale.frontier` returned.
    """
    corpus, loss_name = table.attrs["series"]
    return {
        "corpus": corpus,
        "loss_name": loss_name,
        "prob": table.attrs["prob"],
        "rows": json_rows(table),
        "diagnostics": diagnostics_json(fit),
    }


def print_frontier(console: Console, table: pd.DataFrame) -> None:
    """Print one table per budget: the optimum, and the loss given up at other shapes.

    Parameters
    ----------
    console
        Where to print.
    table
        What `bayescale.frontier` returned.
    """
    corpus, loss_name = table.attrs["series"]
    print_text(console, f"Law of {loss_name} on {corpus}")
    level = f"{100 * table.attrs['prob']:g} %"
    for flops, rows in table.groupby("flops", sort=False):
        factor = rows["extrapolation_factor"].iloc[0]
        title = f"{flops:.4g} FLOPs: {factor:.3g} x the largest fitted compute"
        print_table(
            console,
            ("quantity", "median", f"{level} interval"),
            [_row(row) for row in rows.itertuples()],
            title,
        )
        edge = rows["edge"].iloc[0]
        if edge > 0:
            print_text(
                console,
                f"{100 * edge:.3g} % of the draws have no optimum between 0.01 and 1e6 tokens per "
                "parameter.",
            )


def _row(row: Any) -> tuple[str, str, str]:
    """The texts of one row."""
    names = {
        "params": "optimal parameters",
        "tokens": "optimal tokens",
        "multiplier": "optimal tokens per parameter",
        "loss given up": f"loss given up at {row.multiplier:g} tokens per parameter, %",
    }
    unit = 100.0 if row.quantity == "loss given up" else 1.0
    median, lower, upper = (f"{unit * value:.3g}" for value in (row.median, row.lower, row.upper))
    return names[row.quantity], median, f"{lower} to {upper}"
