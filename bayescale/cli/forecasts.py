"""The command forecast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bayescale import showing
from bayescale.cli.options import (
    OWN,
    AsJson,
    Chains,
    Corpus,
    Dataset,
    DiscrepancyName,
    Draws,
    Flops,
    LawName,
    LinkName,
    Params,
    PoolingName,
    RunTable,
    Seed,
    TargetNames,
    TaskTable,
    Tokens,
    Via,
    check_outputs,
    choose_targets,
    read,
    sampling_bar,
    spent,
)
from bayescale.fits import Fit
from bayescale.fitting import fit
from bayescale.forecasting import Forecast
from bayescale.forecasting import forecast as make_forecast
from bayescale.layouts import AUTO
from bayescale.replicates import with_reruns
from bayescale.sampling import setup
from bayescale.saving import atomic
from bayescale.scoring import check_prob


def forecast(
    runs: RunTable = None,
    dataset: Dataset = "ladder2024",
    tasks: TaskTable = None,
    params: Params = None,
    tokens: Tokens = None,
    flops: Flops = None,
    corpus: Corpus = None,
    targets: TargetNames = None,
    law: LawName = None,
    link: LinkName = None,
    via: Via = AUTO,
    pooling: PoolingName = "partial",
    discrepancy: DiscrepancyName = "calibrated",
    reruns: Annotated[bool, typer.Option("--with-reruns", help="Fit held-out reruns of fitted runs too, as replicates.")] = False,
    prob: Annotated[float, typer.Option(help="Probability of the intervals.")] = 0.9,
    seed: Seed = 0,
    chains: Chains = 4,
    draws: Draws = 1000,
    as_json: AsJson = False,
    csv: Annotated[Path | None, typer.Option(help="Write the table to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the intervals to this file (.png, .svg or .pdf).")] = None,
    save: Annotated[Path | None, typer.Option(help="Save the fit to this file.")] = None,
) -> None:
    """Fit a ladder and forecast loss and accuracy of its targets."""
    check_prob(prob)
    check_outputs(plot, csv, save)
    ladder = read(runs, tasks, dataset)
    ladder = with_reruns(ladder) if reruns else ladder
    wanted = choose_targets(ladder, targets, params, tokens, flops, corpus)
    setup(chains)
    with sampling_bar(hidden=as_json) as progress:
        settings: dict[str, Any] = {"law": law, "link": link, "via": None if via == OWN else via, "pooling": pooling, "discrepancy": discrepancy}
        fitted = fit(ladder, **settings, chains=chains, draws=draws, seed=seed, progress=progress)
    made = make_forecast(fitted, wanted, seed=seed)
    _write(fitted, made, csv, plot, save, prob)
    if as_json:
        print(json.dumps(showing.forecast_json(fitted, made, prob) | spent(), allow_nan=False))
    else:
        showing.print_forecast(Console(width=showing.width()), fitted, made, prob, seconds=spent()["seconds"])
    raise typer.Exit(1 if made.status == "fail" else 0)


def _write(fitted: Fit, made: Forecast, csv: Path | None, plot: Path | None, save: Path | None, prob: float) -> None:
    if csv is not None:
        with atomic(csv) as temporary:
            made.to_frame(prob).assign(status=made.status).to_csv(temporary, index=False)
    if plot is not None:
        showing.draw(fitted, made, plot, prob)
    if save is not None:
        fitted.save(save)
