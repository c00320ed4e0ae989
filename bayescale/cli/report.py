"""The command report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bayescale.backtests.backtest import backtest as make_backtest
from bayescale.cli import decide as decisions
from bayescale.cli import options
from bayescale.data.names import visible
from bayescale.decisions.decide import decide
from bayescale.forecasts.forecast import forecast
from bayescale.reports.report import report as make_report


def report(
    runs: options.RunTable = None,
    dataset: options.Dataset = decisions.EXAMPLE,
    tasks: options.TaskTable = None,
    params: options.Params = None,
    tokens: options.Tokens = None,
    flops: options.Flops = None,
    corpus: options.Corpus = None,
    targets: options.TargetNames = None,
    worth: decisions.Worth = None,
    threshold: decisions.ThresholdText = None,
    per_point: decisions.PerPoint = None,
    baseline: decisions.Baseline = 0.0,
    cost: decisions.Money = None,
    device: decisions.Device = "H100",
    utilisation: decisions.Utilisation = "0.3,0.45",
    price: decisions.Price = "2,3",
    served_tokens: decisions.ServedTokens = 0.0,
    candidates: decisions.CandidatesText = None,
    risk_aversion: decisions.RiskAversion = 0.0,
    most_regret: decisions.MostRegret = 1.0,
    output: Annotated[Path, typer.Option(help="File to write, HTML.")] = Path("report.html"),
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Backtest the ladder too, which takes minutes.")
    ] = False,
    seed: options.Seed = 0,
    chains: options.Chains = 4,
    draws: options.Draws = 1000,
    as_json: options.AsJson = False,
) -> None:
    """One HTML file: the verdict, the forecast, what it rests on. Without arguments, a worked
    example.
    """
    options.check_outputs(None, output)
    worth, threshold, candidates = decisions.example(
        runs, dataset, worth, threshold, per_point, cost, candidates
    )
    value, money = (
        decisions.asked_value(worth, threshold, per_point, baseline),
        decisions.asked_cost(cost, device, utilisation, price, served_tokens),
    )
    ladder = options.read(runs, tasks, dataset)
    wanted = options.choose_targets(ladder, targets, params, tokens, flops, corpus)
    to_buy = decisions.asked_candidates(candidates, ladder, corpus, money)
    asked: dict[str, Any] = {
        "cost": money,
        "value": value,
        "risk_aversion": risk_aversion,
        "most_regret": most_regret,
        "seed": seed,
    }
    decisions.check(ladder, wanted, **asked)
    fitted = options.fit_shown(ladder, hidden=as_json, chains=chains, draws=draws, seed=seed)
    made = forecast(fitted, wanted, seed=seed)
    decision = decide(
        made,
        evidence=decisions.evidence_shown(fitted, wanted, to_buy, hidden=as_json, **asked),
        **asked,
    )
    held = make_backtest(ladder, chains=chains, draws=draws, seed=seed) if backtest else None
    written = make_report(fitted, made, backtest=held, decision=decision)
    written.save(output)
    if as_json:
        about = {
            "output": str(output),
            "bytes": len(written.html.encode()),
            "verdict": decision.verdict,
            "status": decision.status,
        }
        print(
            json.dumps(
                about
                | {"missing": {s.title: s.missing for s in written.sections if s.missing}}
                | options.spent()
            )
        )
    else:
        print(visible(f"{output}: {decision.verdict}; {decision.reason}"))
    raise typer.Exit(1 if made.status == "fail" else 0)
