"""The command forecast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console

from bayescale.cli import options, tables
from bayescale.cli.tables import diagnostics, number, print_checks, print_table, say
from bayescale.data.outcomes import outcomes
from bayescale.data.replicates import with_reruns
from bayescale.files import atomic_write
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import Forecast
from bayescale.forecasts.forecast import forecast as make_forecast
from bayescale.inference.posterior import provenance
from bayescale.models.inputs import AUTO, AccuracyData, LossData
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
    reruns: Annotated[
        bool,
        typer.Option(
            "--with-reruns", help="Fit held-out reruns of fitted runs too, as replicates."
        ),
    ] = False,
    prob: Annotated[float, typer.Option(help="Probability of the intervals.")] = 0.9,
    seed: options.Seed = 0,
    chains: options.Chains = 4,
    draws: options.Draws = 1000,
    as_json: options.AsJson = False,
    csv: Annotated[Path | None, typer.Option(help="Write the table to this file.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the intervals to this file (.png, .svg or .pdf).")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Save the fit to this file.")] = None,
) -> None:
    """Fit a ladder and forecast loss and accuracy of its targets."""
    check_prob(prob)
    options.check_outputs(plot, csv, save)
    ladder = options.read(runs, tasks, dataset)
    ladder = with_reruns(ladder) if reruns else ladder
    wanted = options.choose_targets(ladder, targets, params, tokens, flops, corpus)
    settings: dict[str, Any] = {
        "law": law,
        "link": link,
        "via": via,
        "pooling": pooling,
        "discrepancy": discrepancy,
    }
    fitted = options.fit_shown(
        ladder, hidden=as_json, **settings, chains=chains, draws=draws, seed=seed
    )
    made = make_forecast(fitted, wanted, seed=seed)
    _write(fitted, made, csv, plot, save, prob)
    if as_json:
        print(json.dumps(forecast_json(fitted, made, prob) | options.spent(), allow_nan=False))
    else:
        print_forecast(
            Console(width=tables.width()), fitted, made, prob, seconds=options.spent()["seconds"]
        )
    raise typer.Exit(1 if made.status == "fail" else 0)


def _write(
    fitted: Fit, made: Forecast, csv: Path | None, plot: Path | None, save: Path | None, prob: float
) -> None:
    if csv is not None:
        with atomic_write(csv) as temporary:
            made.to_frame(prob).assign(status=made.status).to_csv(temporary, index=False)
    if plot is not None:
        draw(fitted, made, plot, prob)
    if save is not None:
        fitted.save(save)


def forecast_json(fit: Fit, forecast: Forecast, prob: float) -> dict[str, Any]:
    """The JSON of `forecast --json`: targets, diagnostics, sampler, versions."""
    frame = forecast.to_frame(prob).set_index(["target", "task", "quantity"])
    actual = _actual(fit)
    targets = []
    for target, far in zip(forecast.targets, forecast.extrapolation.itertuples(), strict=True):
        rows = forecast.table[forecast.table["target"] == target.label]
        cells = [_cell(frame, actual, row) for row in rows.itertuples()]
        about = {
            "name": target.label,
            "params": target.params,
            "tokens": target.tokens,
            "corpus": rows["corpus"].iloc[0],
        }
        about |= {"extrapolation_factor": far.extrapolation_factor, "note": far.note}
        targets.append(
            about
            | {
                "tasks": [c for c in cells if "accuracy" in c],
                "losses": [c for c in cells if "accuracy" not in c],
            }
        )
    return {
        "targets": targets,
        "prob": prob,
        "note": forecast.note,
        "discrepancy": json.loads(fit.discrepancy.to_frame().to_json(orient="records")),
        "weights": json.loads(fit.weights.to_json(orient="records")),
        "diagnostics": diagnostics(fit),
        "sampler": sampler(fit),
        "versions": {
            k.removeprefix("version_"): v
            for k, v in provenance(fit.sampler).items()
            if k.startswith("version_")
        },
    }


def sampler(fit: Fit) -> dict[str, Any]:
    """Mean leapfrog steps a draw, the larger of both steps', and seconds of both together; they run
    side by side.
    """
    steps = {"loss": fit.losses, "accuracy": fit.accuracies}
    each = {
        k: {
            "leapfrog_steps": float(t.attrs["leapfrog_steps"]),
            "seconds": float(t.attrs["seconds"]),
        }
        for k, t in steps.items()
        if t is not None
    }
    total = {
        "leapfrog_steps": max(e["leapfrog_steps"] for e in each.values()),
        "seconds": float(fit.losses.attrs["seconds_together"]),
    }
    return {
        **total,
        "steps": each,
        "chains": fit.sampler.chains,
        "draws": fit.sampler.draws,
        "warmup": fit.sampler.warmup,
        "seed": fit.sampler.seed,
    }


def print_forecast(
    console: Console, fit: Fit, forecast: Forecast, prob: float, seconds: float
) -> None:
    """A table a target, then the checks, then what the intervals leave out."""
    result = forecast_json(fit, forecast, prob)
    level = f"{100 * prob:g} %"
    for t in result["targets"]:
        note = f"; {t['note']}" if t["note"] else ""
        size = f"{t['params']:.4g} parameters, {t['tokens']:.4g} tokens, {t['corpus']}"
        title = f"{t['name']}: {size}; {t['extrapolation_factor']:.3g} x the largest fitted compute{note}"
        columns = (
            "task",
            f"loss ({level})",
            "actual",
            f"accuracy, % ({level})",
            "actual",
            "via",
            "verdict",
        )
        rows = []
        for cell in [*t["tasks"], *t["losses"]]:
            known = cell["actual"] or {}
            row = (
                cell["task"],
                _interval(cell["loss"], 1.0, 4),
                _figure(known.get("loss"), 1.0, 4) + ("*" if cell.get("loss_fitted") else ""),
                _interval(cell.get("accuracy"), 100.0, 1),
                _figure(known.get("accuracy"), 100.0, 1)
                + ("*" if cell.get("accuracy_fitted") else ""),
                routes(fit.weights, cell["task"]) or str(cell.get("via") or ""),
                str(cell.get("verdict") or ""),
            )
            rows.append(row)
        print_table(console, columns, rows, title)
    if any(
        c.get("loss_fitted") or c.get("accuracy_fitted")
        for t in result["targets"]
        for c in [*t["tasks"], *t["losses"]]
    ):
        say(
            console,
            "* fitted: the law or the link has seen this figure, so it is no test of the forecast.",
        )
    if len(fit.weights):
        say(console, mixture(fit.weights))
    print_checks(console, fit.checks)
    mean_steps, spent = result["sampler"]["leapfrog_steps"], result["sampler"]["seconds"]
    say(
        console,
        f"checks: {forecast.status}; {mean_steps:.1f} leapfrog steps a draw, {spent:.1f} s sampling, {seconds:.1f} s in all",
    )
    say(console, forecast.note)


def draw(fit: Fit, forecast: Forecast, path: Path, prob: float) -> None:
    """The picture of the intervals, written whole or not at all."""
    import matplotlib as mpl

    mpl.use("Agg")
    from bayescale.plots import plot_forecast

    figure = plot_forecast(forecast, ladder=fit.ladder, prob=prob).get_figure(root=True)
    assert figure is not None
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)


def _actual(fit: Fit) -> pd.DataFrame:
    """Measured loss and accuracy of each (run, task), and whether the law and the link were fitted
    on them.
    """
    known = outcomes(fit.ladder)
    loss_name = fit.ladder.loss_name_of
    seen_by_law, seen_by_link = (_fitted(data) for data in (fit.loss_data, fit.accuracy_data))
    return known.assign(
        loss_fitted=[(run, loss_name[task]) in seen_by_law for run, task in known.index],
        accuracy_fitted=[pair in seen_by_link for pair in known.index],
    )


def _fitted(data: LossData | AccuracyData | None) -> set[tuple[str, str]]:
    """(run, name) of every cell that a step was fitted on."""
    if data is None:
        return set()
    return {
        (str(run), data.groups.names[j])
        for j, runs, seen in zip(data.groups.name, data.runs, data.layout.seen, strict=True)
        for run in runs[seen]
    }


def _cell(frame: pd.DataFrame, actual: pd.DataFrame, row: Any) -> dict[str, Any]:
    key = (row.target, row.task)
    cell: dict[str, Any] = {
        "task": row.task,
        "loss_name": row.loss_name,
        "via": row.via if isinstance(row.via, str) else None,
        "loss": _summary(frame.loc[(*key, "loss")]),
    }
    if (*key, "accuracy") in frame.index:
        cell |= {"accuracy": _summary(frame.loc[(*key, "accuracy")]), "verdict": row.verdict}
    cell["actual"] = None
    if key in actual.index:
        known = actual.loc[key]
        cell["actual"] = {"loss": number(known["loss"]), "accuracy": number(known["accuracy"])}
        cell |= {name: bool(known[name]) for name in ("loss_fitted", "accuracy_fitted")}
    return cell


def routes(weights: pd.DataFrame, task: str) -> str:
    """The losses that a task's accuracy goes through and their weights, the heaviest first; empty
    where the routes are not its own.
    """
    mine = weights[weights["task"] == task] if len(weights) else weights
    return (
        ", ".join(
            f"{row.via} {100 * row.weight:.0f} %"
            for row in mine.sort_values("weight", ascending=False).itertuples()
        )
        if len(mine)
        else ""
    )


def mixture(weights: pd.DataFrame) -> str:
    """What the weights of a mixture are, and what they rest on."""
    cells = int(weights["cells"].max())
    why = (
        f"by how well each forecast dearer runs from cheaper ones ({cells} figures at most)"
        if cells
        else "alike: nothing of the past tells of them"
    )
    whole = weights[weights["task"] == ""]
    members = ", ".join(
        f"{row.law}, {row.link or 'no link'} via {row.via}: {row.weight:.2f} (sd {row.sd:.2f})"
        for row in whole.itertuples()
    )
    return f"Mixture, weighed {why}{': ' + members if members else ': column via'}."


def _summary(row: pd.Series) -> dict[str, float]:
    return {k: float(row[k]) for k in ("median", "lower", "upper", "sd", "mean")}


def _interval(cell: dict[str, float] | None, unit: float, digits: int) -> str:
    return (
        ""
        if cell is None
        else f"{unit * cell['median']:.{digits}f} ({unit * cell['lower']:.{digits}f} to {unit * cell['upper']:.{digits}f})"
    )


def _figure(value: float | None, unit: float, digits: int) -> str:
    return "" if value is None else f"{unit * value:.{digits}f}"
