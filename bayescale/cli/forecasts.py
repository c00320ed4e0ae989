"""The command forecast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bayescale import showing
from bayescale.cli import options
from bayescale.data.replicates import with_reruns
from bayescale.files import atomic
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import Forecast
from bayescale.forecasts.forecast import forecast as make_forecast
from bayescale.models.inputs import AUTO
from bayescale.validation import check_prob


def forecast(
    runs: options.RunTable = None,
    dataset: options.Dataset = "ladder2024",
    tasks: options.TaskTable = None,
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
    reruns: Annotated[bool, typer.Option("--with-reruns", help="Fit held-out reruns of fitted runs too, as replicates.")] = False,
    prob: Annotated[float, typer.Option(help="Probability of the intervals.")] = 0.9,
    seed: options.Seed = 0,
    chains: options.Chains = 4,
    draws: options.Draws = 1000,
    as_json: options.AsJson = False,
    csv: Annotated[Path | None, typer.Option(help="Write the table to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the intervals to this file (.png, .svg or .pdf).")] = None,
    save: Annotated[Path | None, typer.Option(help="Save the fit to this file.")] = None,
) -> None:
    """Fit a ladder and forecast loss and accuracy of its targets."""
    check_prob(prob)
    options.check_outputs(plot, csv, save)
    ladder = options.read(runs, tasks, dataset)
    ladder = with_reruns(ladder) if reruns else ladder
    wanted = options.choose_targets(ladder, targets, params, tokens, flops, corpus)
    settings: dict[str, Any] = {"law": law, "link": link, "via": via, "pooling": pooling, "discrepancy": discrepancy}
    fitted = options.fit_shown(ladder, hidden=as_json, **settings, chains=chains, draws=draws, seed=seed)
    made = make_forecast(fitted, wanted, seed=seed)
    _write(fitted, made, csv, plot, save, prob)
    if as_json:
        print(json.dumps(showing.forecast_json(fitted, made, prob) | options.spent(), allow_nan=False))
    else:
        showing.print_forecast(Console(width=showing.width()), fitted, made, prob, seconds=options.spent()["seconds"])
    raise typer.Exit(1 if made.status == "fail" else 0)


def _write(fitted: Fit, made: Forecast, csv: Path | None, plot: Path | None, save: Path | None, prob: float) -> None:
    if csv is not None:
        with atomic(csv) as temporary:
            made.to_frame(prob).assign(status=made.status).to_csv(temporary, index=False)
    if plot is not None:
        showing.draw(fitted, made, plot, prob)
    if save is not None:
        fitted.save(save)
