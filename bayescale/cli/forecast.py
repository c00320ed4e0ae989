"""The command forecast, its JSON, its tables and its picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console

from bayescale.cli import options, tables
from bayescale.cli.fit_options import FitOptions
from bayescale.cli.outputs import deliver, draw_forecast, write_table
from bayescale.cli.progress import progress_bar
from bayescale.cli.tables import (
    diagnostics_json,
    figure_text,
    interval_text,
    json_number,
    json_rows,
    print_checks,
    print_table,
    print_text,
)
from bayescale.cli.targets import choose_targets
from bayescale.data.outcomes import outcomes
from bayescale.data.schema import DEFAULT_CORPUS
from bayescale.data.target import Target
from bayescale.fits.record import Fit
from bayescale.fits.settings import AUTO
from bayescale.forecasts.forecast import forecast as make_forecast
from bayescale.forecasts.record import Forecast
from bayescale.inference.posterior import provenance
from bayescale.models.inputs import AccuracyData, LossData
from bayescale.validation import check_prob

# What the table says of a verdict in place of its name.
VERDICT_ADVICE = {"inverse": "inverse: no accuracy; if it is an error rate, give 1 - score"}


def forecast(
    runs: options.RunTable = None,
    *,
    dataset: options.Dataset = "ladder2024",
    tasks: options.TaskTable = None,
    columns: options.Columns = None,
    leave_out: options.LeaveOut = None,
    metrics: options.Metrics = None,
    unfinished: options.Unfinished = False,
    best: options.BestOfSweep = False,
    params: options.Params = None,
    tokens: options.Tokens = None,
    flops: options.Flops = None,
    corpus: options.Corpus = None,
    targets: options.TargetNames = None,
    saved: options.SavedFit = None,
    law: options.LawName = None,
    link: options.LinkName = None,
    via: options.Via = AUTO,
    pooling: options.PoolingName = "partial",
    discrepancy: options.DiscrepancyName = "calibrated",
    reruns: Annotated[
        bool,
        typer.Option(
            "--with-reruns",
            help="Fit held-out reruns of fitted runs too, as replicates.",
            rich_help_panel=options.RUNS,
        ),
    ] = False,
    prob: options.Prob = 0.9,
    seed: options.Seed = 0,
    chains: options.Chains = 4,
    draws: options.Draws = 1000,
    as_json: options.AsJson = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="File for the table of the forecast (CSV); a name that a spreadsheet would run as "
            "a formula has an apostrophe before it.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="File for a picture of the intervals (.png, .svg or .pdf).",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    save: options.Save = None,
) -> None:
    """Fit a ladder, and forecast loss and accuracy of its targets.

    Without arguments, it forecasts the two targets of the embedded ladder.
    """
    check_prob(prob)
    options.check_outputs(plot, csv, save)
    source = FitOptions(
        runs=runs,
        dataset=dataset,
        tasks=tasks,
        columns=columns,
        leave_out=leave_out,
        metrics=metrics,
        unfinished=unfinished,
        best=best,
        saved=saved,
        reruns=reruns,
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
    chosen = choose_targets(
        source.ladder, names=targets, params=params, tokens=tokens, flops=flops, corpus=corpus
    )
    fitted = source.fit()
    with progress_bar(hidden=as_json, description="forecast", total=None):
        result = make_forecast(fitted, chosen, seed=seed)
    cost = options.process_cost()

    def answer() -> None:
        if as_json:
            print(json.dumps(forecast_json(fitted, result, prob) | cost, allow_nan=False))
        else:
            print_forecast(Console(width=tables.width()), fitted, result, prob, cost["seconds"])

    deliver(
        answer,
        (csv, lambda path: write_table(result, path, prob)),
        (plot, lambda path: draw_forecast(fitted, result, path, prob)),
        (save, fitted.save),
    )
    raise typer.Exit(1 if result.status == "fail" else 0)


def forecast_json(fit: Fit, forecast: Forecast, prob: float) -> dict[str, Any]:
    """The JSON of `forecast --json`: targets, diagnostics, sampler, versions.

    Parameters
    ----------
    fit
        Fit that the forecast is made from.
    forecast
        Forecast of the targets.
    prob
        Probability of the intervals.

    Returns
    -------
    dict
        Values that JSON has, without nan or infinity.
    """
    summaries = forecast.to_frame(prob).set_index(["target", "task", "quantity"])
    actual = _actual(fit)
    means = _means(forecast, prob)
    targets = []
    for target, distance in zip(forecast.targets, forecast.extrapolation.itertuples(), strict=True):
        rows = forecast.table[forecast.table["target"] == target.label]
        cells = [_cell_json(summaries, actual, row) for row in rows.itertuples()]
        targets.append(
            {
                "name": target.label,
                "params": target.params,
                "tokens": target.tokens,
                "corpus": rows["corpus"].iloc[0],
                "extrapolation_factor": distance.extrapolation_factor,
                "note": distance.note,
                "mean_accuracy": means.get(target.label),
                "tasks": [cell for cell in cells if "accuracy" in cell],
                "losses": [cell for cell in cells if "accuracy" not in cell],
            }
        )
    return {
        "targets": targets,
        "prob": prob,
        "note": forecast.note,
        "ladder_notes": list(fit.ladder.notes),
        "discrepancy": json_rows(fit.discrepancy.to_frame()),
        "weights": json_rows(fit.weights),
        "diagnostics": diagnostics_json(fit),
        "sampler": _sampler_json(fit),
        "versions": {
            name.removeprefix("version_"): version
            for name, version in provenance(fit.sampler).items()
            if name.startswith("version_")
        },
    }


def _sampler_json(fit: Fit) -> dict[str, Any]:
    """The JSON of the sampler: its settings, and the leapfrog steps and seconds of both stages.

    The stages are sampled side by side, so `seconds` is the time of both together, and
    `leapfrog_steps` is the larger of the two means per draw.
    """
    costs = {
        stage: {name: float(posterior.draws.attrs[name]) for name in ("leapfrog_steps", "seconds")}
        for stage, posterior in fit.posteriors.named()
    }
    return {
        "leapfrog_steps": max(cost["leapfrog_steps"] for cost in costs.values()),
        "seconds": float(fit.posteriors.loss.draws.attrs["seconds_together"]),
        "steps": costs,
        "chains": fit.sampler.chains,
        "draws": fit.sampler.draws,
        "warmup": fit.sampler.warmup,
        "seed": fit.sampler.seed,
    }


def _actual(fit: Fit) -> pd.DataFrame:
    """Measured loss and accuracy per (run, task), and whether law and link were fitted on them."""
    measured = outcomes(fit.ladder)
    loss_name = fit.ladder.loss_name_of
    law_cells = _fitted_cells(fit.loss_data)
    link_cells = _fitted_cells(fit.accuracy_data)
    return measured.assign(
        loss_fitted=[(run, loss_name[task]) in law_cells for run, task in measured.index],
        accuracy_fitted=[pair in link_cells for pair in measured.index],
    )


def _fitted_cells(data: LossData | AccuracyData | None) -> set[tuple[str, str]]:
    """(run, loss or task) of every cell that a stage was fitted on; empty without data."""
    if data is None:
        return set()
    return {
        (str(run), data.groups.names[name])
        for name, runs, seen in zip(data.groups.name, data.runs, data.layout.seen, strict=True)
        for run in runs[seen]
    }


def _cell_json(summaries: pd.DataFrame, actual: pd.DataFrame, row: Any) -> dict[str, Any]:
    """The JSON of one task or declared loss of one target: forecast, and the measured figures."""
    key = (row.target, row.task)
    cell: dict[str, Any] = {
        "task": row.task,
        "loss_name": row.loss_name,
        "via": row.via if isinstance(row.via, str) else None,
        "loss": _summary_json(summaries.loc[(*key, "loss")]),
    }
    if (*key, "accuracy") in summaries.index:
        # A score that falls as the loss falls is no accuracy, so it gets no number.
        is_score = row.verdict != "inverse"
        accuracy = summaries.loc[(*key, "accuracy")]
        cell["accuracy"] = _summary_json(accuracy) if is_score else None
        cell["verdict"] = row.verdict
    cell["actual"] = None
    if key in actual.index:
        measured = actual.loc[key]
        cell["actual"] = {
            "loss": json_number(measured["loss"]),
            "accuracy": json_number(measured["accuracy"]),
        }
        cell["loss_fitted"] = bool(measured["loss_fitted"])
        cell["accuracy_fitted"] = bool(measured["accuracy_fitted"])
    return cell


def _means(forecast: Forecast, prob: float) -> dict[str, dict[str, float]]:
    """The mean accuracy over the tasks, by target; empty where there are fewer than two."""
    is_score = forecast.table["via"].notna() & (forecast.table["verdict"] != "inverse")
    tasks = list(dict.fromkeys(forecast.table.loc[is_score, "task"]))
    if len(tasks) < 2:
        return {}
    rows = forecast.mean(tasks, prob).set_index("target")
    return {str(target): _summary_json(row) for target, row in rows.iterrows()}


def _summary_json(row: pd.Series) -> dict[str, float]:
    """The JSON of the summary of one quantity's draws."""
    return {name: float(row[name]) for name in ("median", "lower", "upper", "sd", "mean")}


def print_forecast(
    console: Console, fit: Fit, forecast: Forecast, prob: float, seconds: float
) -> None:
    """Print one table per target, then the checks, then what the intervals allow for.

    Parameters
    ----------
    console
        Where to print.
    fit
        Fit that the forecast is made from.
    forecast
        Forecast of the targets.
    prob
        Probability of the intervals.
    seconds
        Seconds that the command took.
    """
    result = forecast_json(fit, forecast, prob)
    cells = []
    for target in result["targets"]:
        _print_target(console, target, prob)
        cells += [*target["tasks"], *target["losses"]]
    if any(cell.get("loss_fitted") or cell.get("accuracy_fitted") for cell in cells):
        print_text(
            console,
            "* fitted: the law or the link was fitted on this figure, so it is no test of the "
            "forecast.",
        )
    for sentence in fit.ladder.notes:
        if "left out" in sentence:
            print_text(console, sentence)
    if len(fit.weights):
        print_text(console, mixture_text(fit.weights))
    failed = [check for check in fit.checks if check.status != "pass"]
    print_checks(console, failed)
    sampler = result["sampler"]
    print_text(
        console,
        f"checks of the fit: {forecast.status} ({len(fit.checks) - len(failed)} of "
        f"{len(fit.checks)} passed); {sampler['leapfrog_steps']:.1f} leapfrog steps per "
        f"draw, {sampler['seconds']:.1f} s of sampling, {seconds:.1f} s in total",
    )
    print_text(console, forecast.note)


def _print_target(console: Console, target: dict[str, Any], prob: float) -> None:
    """Print the table of one target, with one row per task or declared loss."""
    level = f"{100 * prob:g} %"
    rows = []
    for cell in [*target["tasks"], *target["losses"]]:
        actual = cell["actual"] or {}
        loss_star = "*" if cell.get("loss_fitted") else ""
        accuracy_star = "*" if cell.get("accuracy_fitted") else ""
        rows.append(
            {
                "task": cell["task"],
                f"loss ({level})": interval_text(cell["loss"], unit=1.0, digits=4),
                "actual loss": figure_text(actual.get("loss"), unit=1.0, digits=4) + loss_star,
                f"accuracy, % ({level})": interval_text(cell.get("accuracy"), unit=100.0, digits=1),
                "actual, %": figure_text(actual.get("accuracy"), unit=100.0, digits=1)
                + accuracy_star,
                "via": cell.get("via") or "",
                "verdict": VERDICT_ADVICE.get(cell.get("verdict", ""), cell.get("verdict") or ""),
            }
        )
    # A run that is not trained yet has no actual figures, and a ladder of losses no accuracies.
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    cells = [[row[name] for name in columns] for row in rows]
    print_table(console, columns, cells, _title(target))
    if target["mean_accuracy"] is not None:
        mean = interval_text(target["mean_accuracy"], unit=100.0, digits=1)
        print_text(console, f"mean accuracy over tasks: {mean} %")


def _title(target: dict[str, Any]) -> str:
    """The title of a target's table: its name, sizes and corpus where the name has none of them."""
    known = [target["name"]]
    if target["name"] != Target(target["params"], target["tokens"]).label:
        known.append(f"{target['params']:.4g} parameters, {target['tokens']:.4g} tokens")
    corpus = "" if target["corpus"] == DEFAULT_CORPUS else f", {target['corpus']}"
    distance = f"{target['extrapolation_factor']:.3g} x the largest fitted compute"
    note = f"; {target['note']}" if target["note"] else ""
    return f"{': '.join(known)}{corpus}; {distance}{note}"


def mixture_text(weights: pd.DataFrame) -> str:
    """One sentence about a mixture: what its weights rest on, and the weights."""
    runs = int(weights["runs"].max())
    components = ", ".join(
        f"{row.law}, {row.link or 'no link'} via {row.via}: {row.weight:.2f} (sd {row.sd:.2f})"
        for row in weights.itertuples()
    )
    return (
        "Mixture, weighted by how well each component predicts each larger run from all other runs "
        f"({runs} runs): {components}."
    )
