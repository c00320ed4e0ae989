"""The command compare, its JSON and its tables."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console

from bayescale.cli import options, tables
from bayescale.cli.fit_options import EXAMPLE, FitOptions
from bayescale.cli.progress import progress_bar
from bayescale.cli.tables import (
    diagnostics_json,
    interval_text,
    json_rows,
    print_status,
    print_table,
    print_text,
)
from bayescale.cli.targets import find_run
from bayescale.data.ladder import Ladder
from bayescale.data.schema import ROLES
from bayescale.data.target import Target
from bayescale.errors import SettingError
from bayescale.fits.settings import AUTO
from bayescale.forecasts.forecast import forecast
from bayescale.validation import check_prob


def compare(
    runs: options.RunTable = None,
    *,
    dataset: options.Dataset = EXAMPLE,
    tasks: options.TaskTable = None,
    columns: options.Columns = None,
    leave_out: options.LeaveOut = None,
    saved: options.SavedFit = None,
    a: Annotated[
        str | None,
        typer.Option(
            help="One run: the name of a run in the table, params:tokens, or "
            "params:tokens:corpus. Without --a and --b, the table's two runs of role target.",
            rich_help_panel=options.TARGET,
        ),
    ] = None,
    b: Annotated[
        str | None,
        typer.Option(help="The other run, written like --a.", rich_help_panel=options.TARGET),
    ] = None,
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
    """Say which of two runs will have the lower loss and the higher accuracy.

    Both runs share the errors of law and link, so their difference is known better than either.
    Without arguments, it compares the two targets of the embedded ladder.
    """
    check_prob(prob)
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
    pair = _two_runs(source.ladder, a, b)
    first, second = (run.label for run in pair)
    fitted = source.fit()
    with progress_bar(hidden=as_json, description="forecast", total=None):
        table = forecast(fitted, pair, seed=seed).compare(first, second, prob)
    cost = options.process_cost()
    if as_json:
        answer = {"a": first, "b": second, "prob": prob, "rows": json_rows(table)}
        answer |= {"note": table.attrs["note"], "diagnostics": diagnostics_json(fitted)}
        print(json.dumps(answer | cost, allow_nan=False))
    else:
        console = Console(width=tables.width())
        print_comparison(console, table)
        print_status(console, fitted, cost["seconds"])
        print_text(console, table.attrs["note"])
    raise typer.Exit(1 if fitted.status == "fail" else 0)


def _two_runs(ladder: Ladder, a: str | None, b: str | None) -> list[Target]:
    """The runs of --a and --b, or the two targets of the table."""
    if a is None and b is None:
        pair = ladder.targets("target")
        if len(pair) != 2:
            raise SettingError(
                "--a and --b",
                rule="must name two runs where the table does not have two of role target",
                got=f"neither, and {len(pair)} of role target",
                way_out="such as --a 7e9:4e12 --b 13e9:2e12",
            )
        return pair
    pair = [_run("--a", a, ladder), _run("--b", b, ladder)]
    if pair[0].label == pair[1].label:
        raise SettingError(
            "--a and --b",
            rule="must be two runs",
            got=f"{pair[0].label} twice",
            way_out="give another run",
        )
    return pair


def _run(option: str, text: str | None, ladder: Ladder) -> Target:
    """The run that one of the options names; a run that is given by its size is named as typed.

    Two runs of one size on two corpora then have two names.
    """
    named = ladder.targets(*ROLES)
    run = None if text is None else find_run(text, named, ladder, None)
    if run is None:
        raise SettingError(
            option,
            rule="must be a run of the table, params:tokens or params:tokens:corpus",
            got="nothing" if text is None else repr(text),
            way_out="such as --a 7e9:4e12 --b 13e9:2e12",
        )
    return run if run in named else replace(run, name=text)


def print_comparison(console: Console, table: pd.DataFrame) -> None:
    """Print one row per (task, quantity): the probability that a is better, and the difference.

    Parameters
    ----------
    console
        Where to print.
    table
        What `Forecast.compare` returned.
    """
    names = f"a: {table['a'].iloc[0]}; b: {table['b'].iloc[0]}"
    level = f"{100 * table.attrs['prob']:g} %"
    columns = ("task", "quantity", "P(a is better)", f"a - b ({level})")
    rows = [_row(row) for row in table.itertuples()]
    print_table(console, columns, rows, f"{names}; accuracies in points")


def _row(row: Any) -> tuple[str, ...]:
    """The texts of one row."""
    unit, digits = (1.0, 4) if row.quantity == "loss" else (100.0, 1)
    figures = {name: getattr(row, name) for name in ("median", "lower", "upper")}
    difference = interval_text(figures, unit=unit, digits=digits)
    return row.task, row.quantity, f"{row.prob_a_better:.3f}", difference
