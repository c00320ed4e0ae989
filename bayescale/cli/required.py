"""The command required, its JSON and its table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

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
from bayescale.cli.targets import check_corpus
from bayescale.data.ladder import Ladder
from bayescale.data.names import suggested
from bayescale.decisions.required import MAX_FACTOR, Required, check_question
from bayescale.decisions.required import required as find_required
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.fits.settings import AUTO

# Panel of these options in the help of the command.
QUESTION = "Question"
# Every fourth of the runs that were looked at is printed: the table then fits a screen.
STEP = 4


def required(
    runs: options.RunTable = None,
    *,
    accuracy: Annotated[
        float, typer.Option(help="Accuracy to reach, from 0 to 1.", rich_help_panel=QUESTION)
    ],
    task: Annotated[
        list[str] | None,
        typer.Option(
            help="Task whose accuracy is meant. Given several times, the mean of these tasks; "
            "without it, the mean of all tasks.",
            rich_help_panel=QUESTION,
        ),
    ] = None,
    with_prob: Annotated[
        float,
        typer.Option(
            help="Probability with which the run is to reach it.", rich_help_panel=QUESTION
        ),
    ] = 0.9,
    params: Annotated[
        float | None, typer.Option(help="Parameters of every run.", rich_help_panel=QUESTION)
    ] = None,
    multiplier: Annotated[
        float | None,
        typer.Option(
            help="Tokens per parameter of every run. Without it and --params, 20.",
            rich_help_panel=QUESTION,
        ),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(help="Corpus that the runs are trained on.", rich_help_panel=QUESTION),
    ] = None,
    furthest: Annotated[
        float,
        typer.Option(
            help="Largest compute that is looked at, in multiples of the largest fitted compute.",
            rich_help_panel=QUESTION,
        ),
    ] = MAX_FACTOR,
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
    seed: options.Seed = 0,
    chains: options.Chains = 4,
    draws: options.Draws = 1000,
    as_json: options.AsJson = False,
) -> None:
    """Find the smallest training compute that reaches an accuracy."""
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
    check_question(accuracy, with_prob, params=params, multiplier=multiplier, furthest=furthest)
    check_corpus(source.ladder, corpus, "--corpus")
    _check_tasks(source.ladder, task or [])
    fitted = source.fit()
    answer = find_required(
        fitted,
        task[0] if task and len(task) == 1 else task or None,
        accuracy,
        with_prob,
        params=params,
        multiplier=multiplier,
        corpus=corpus,
        furthest=furthest,
        seed=seed,
    )
    cost = options.process_cost()
    if as_json:
        print(json.dumps(required_json(fitted, answer) | cost, allow_nan=False))
    else:
        console = Console(width=tables.width())
        print_required(console, answer)
        print_status(console, fitted, cost["seconds"])
        print_text(console, answer.note)
    raise typer.Exit(1 if answer.status == "fail" else 0)


def _check_tasks(ladder: Ladder, tasks: Sequence[str]) -> None:
    """Raise a SettingError for a task that the ladder has no accuracies of."""
    unknown = [task for task in tasks if task not in ladder.tasks]
    if unknown or not ladder.tasks:
        raise SettingError(
            "--task",
            rule="must be tasks of the ladder that have accuracies",
            got=repr(unknown[0]) if unknown else "a ladder without accuracies",
            way_out=f"use {suggested(unknown[0], ladder.tasks)}"
            if ladder.tasks
            else "add accuracies and a task table",
        )


def required_json(fit: Fit, answer: Required) -> dict[str, Any]:
    """The JSON of `required --json`: the run, null where there is none, and all runs looked at.

    Parameters
    ----------
    fit
        Fit behind the answer.
    answer
        Answer to show.
    """
    return {
        "flops": answer.flops,
        "params": answer.params,
        "tokens": answer.tokens,
        "answer": answer.answer,
        "rows": json_rows(answer.table),
        "note": answer.note,
        "diagnostics": diagnostics_json(fit),
    }


def print_required(console: Console, answer: Required) -> None:
    """Print the answer, then every fourth of the runs that were looked at.

    Parameters
    ----------
    console
        Where to print.
    answer
        Answer to show.
    """
    print_text(console, answer.answer)
    print_text(
        console,
        "Runs that were looked at, one in four; spoken_for: whether tokens per parameter are near "
        "the ladder's; median, lower, upper: the accuracy with its 90 % interval",
    )
    shown = answer.table.iloc[::STEP]
    print_table(
        console,
        shown.columns,
        ([_cell(value) for value in row] for row in shown.itertuples(index=False)),
    )


def _cell(value: object) -> str:
    """Three digits of a number; yes or no."""
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:.3g}"
