"""The command update, its JSON and its table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bayescale.cli import options, tables
from bayescale.cli.fit_options import EXAMPLE, FitOptions
from bayescale.cli.progress import fit_bars
from bayescale.cli.tables import (
    diagnostics_json,
    interval_text,
    json_rows,
    print_status,
    print_table,
)
from bayescale.cli.targets import choose_targets
from bayescale.data.readers.parse import read_table
from bayescale.data.schema import TEXT_COLUMNS
from bayescale.errors import SettingError
from bayescale.fits.settings import AUTO
from bayescale.forecasts.update import Update, add_runs
from bayescale.forecasts.update import update as make_update
from bayescale.validation import check_prob


def update(
    runs: options.RunTable = None,
    *,
    new: Annotated[
        Path,
        typer.Option(
            help="Table of the new runs (CSV), with the columns of a run table. They have role fit "
            "unless the table says otherwise.",
            rich_help_panel=options.RUNS,
        ),
    ],
    dataset: options.Dataset = EXAMPLE,
    tasks: options.TaskTable = None,
    columns: options.Columns = None,
    leave_out: options.LeaveOut = None,
    saved: options.SavedFit = None,
    params: options.Params = None,
    tokens: options.Tokens = None,
    flops: options.Flops = None,
    corpus: options.Corpus = None,
    targets: options.TargetNames = None,
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
    save: options.Save = None,
) -> None:
    """Add new runs to a fit, and show how they move the forecast.

    The new fit has the settings of the fit before.
    """
    check_prob(prob)
    options.check_outputs(None, save)
    if law == AUTO:
        raise SettingError(
            "--law auto",
            rule="is a mixture, and a mixture is not updated",
            got="auto",
            way_out="forecast with --law auto from one table of all runs",
        )
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
    rows = read_table(new, text=TEXT_COLUMNS)
    # The errors of the new runs come before the first fit.
    add_runs(source.ladder, rows)
    chosen = choose_targets(
        source.ladder, names=targets, params=params, tokens=tokens, flops=flops, corpus=corpus
    )
    before = source.fit()
    with fit_bars(hidden=as_json, sampler=before.sampler) as progress:
        result = make_update(before, rows, targets=chosen, prob=prob, seed=seed, progress=progress)
    cost = options.process_cost()
    if as_json:
        answer = {
            "new_runs": sorted(set(map(str, rows["run"]))),
            "prob": prob,
            "rows": json_rows(result.moved),
            "diagnostics": diagnostics_json(result.fit),
        }
        print(json.dumps(answer | cost, allow_nan=False))
    else:
        console = Console(width=tables.width())
        print_update(console, result, prob)
        print_status(console, result.fit, cost["seconds"])
    if save is not None:
        result.fit.save(save)
    raise typer.Exit(1 if result.fit.status == "fail" else 0)


def print_update(console: Console, result: Update, prob: float) -> None:
    """Print one table per target: each interval before and after the new runs.

    Parameters
    ----------
    console
        Where to print.
    result
        What `bayescale.update` returned.
    prob
        Probability of the intervals.
    """
    level = f"{100 * prob:g} %"
    columns = (
        "task",
        "quantity",
        f"before ({level})",
        f"after ({level})",
        "width, after / before",
        "shift, sd",
    )
    for target, moved in result.moved.groupby("target", sort=False):
        rows = []
        for row in moved.to_dict("records"):
            unit, digits = (1.0, 4) if row["quantity"] == "loss" else (100.0, 1)
            before = {name: row[f"{name}_before"] for name in ("median", "lower", "upper")}
            rows.append(
                (
                    row["task"],
                    row["quantity"],
                    interval_text(before, unit=unit, digits=digits),
                    interval_text(row, unit=unit, digits=digits),
                    f"{row['width'] / row['width_before']:.2f}",
                    f"{row['shift']:+.2f}",
                )
            )
        print_table(console, columns, rows, f"{target}; accuracies in percent")
