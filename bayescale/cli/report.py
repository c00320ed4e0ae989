"""The command report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bayescale.backtests.backtest import backtest as make_backtest
from bayescale.cli import decision_options, options
from bayescale.cli.backtest import CUTS, Cuts, parse_cuts
from bayescale.cli.fit_options import EXAMPLE, FitOptions
from bayescale.cli.outputs import deliver
from bayescale.cli.progress import progress_bar
from bayescale.data.names import visible
from bayescale.errors import SettingError
from bayescale.forecasts.forecast import forecast
from bayescale.reports.report import report as make_report
from bayescale.runtime import setup


def report(
    runs: options.RunTable = None,
    *,
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
    worth: decision_options.Worth = None,
    threshold: decision_options.ThresholdText = None,
    per_point: decision_options.PerPoint = None,
    baseline: decision_options.Baseline = 0.0,
    cost: decision_options.Money = None,
    device: decision_options.Device = "H100",
    utilisation: decision_options.Utilisation = "0.3,0.45",
    price: decision_options.Price = "2,3",
    served_tokens: decision_options.ServedTokens = 0.0,
    candidates: decision_options.CandidatesText = None,
    risk_aversion: decision_options.RiskAversion = 0.0,
    most_regret: decision_options.MostRegret = 1.0,
    output: Annotated[
        Path, typer.Option(help="File to write (HTML).", rich_help_panel=options.OUTPUT)
    ] = Path("report.html"),
    backtest: Annotated[
        bool,
        typer.Option(
            "--backtest",
            help="Backtest the ladder too, which takes minutes.",
            rich_help_panel=CUTS,
        ),
    ] = False,
    cuts: Cuts = None,
    seed: options.Seed = 0,
    chains: options.Chains = 4,
    draws: options.Draws = 1000,
    as_json: options.AsJson = False,
) -> None:
    """Write one HTML file: the verdict, the forecast, and what they rest on.

    Without arguments, it reports on a worked example.
    """
    options.check_outputs(None, output)
    numbers = parse_cuts(cuts)
    if numbers is not None and not backtest:
        raise SettingError(
            "--cuts", rule="goes with --backtest", got="no --backtest", way_out="give both"
        )
    source = FitOptions(
        runs=runs,
        dataset=dataset,
        tasks=tasks,
        columns=columns,
        leave_out=leave_out,
        saved=saved,
        chains=chains,
        draws=draws,
        seed=seed,
        hidden=as_json,
    )
    problem = decision_options.DecisionOptions(
        source=source,
        params=params,
        tokens=tokens,
        flops=flops,
        corpus=corpus,
        targets=targets,
        worth=worth,
        threshold=threshold,
        per_point=per_point,
        baseline=baseline,
        cost=cost,
        device=device,
        utilisation=utilisation,
        price=price,
        served_tokens=served_tokens,
        candidates=candidates,
        risk_aversion=risk_aversion,
        most_regret=most_regret,
    ).problem()
    past = None
    if backtest:
        # First, since its errors then come before anything is sampled.
        setup(chains)
        with progress_bar(hidden=as_json, description="backtest") as update:
            past = make_backtest(
                source.ladder,
                cuts=numbers,
                chains=chains,
                draws=draws,
                seed=seed,
                progress=update,
            )
    fitted = source.fit()
    predicted = forecast(fitted, problem.targets, seed=seed)
    decision = problem.decide(predicted, problem.evidence(fitted))
    page = make_report(fitted, predicted, backtest=past, decision=decision)

    def answer() -> None:
        if not as_json:
            print(visible(f"{output}: {decision.verdict}; {decision.reason}"))
            return
        result = {
            "output": str(output),
            "bytes": len(page.html.encode()),
            "verdict": decision.verdict,
            "status": decision.status,
            "missing": {
                section.title: section.missing for section in page.sections if section.missing
            },
        }
        print(json.dumps(result | options.process_cost()))

    deliver(answer, (output, page.save))
    raise typer.Exit(1 if predicted.status == "fail" else 0)
