"""The command report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bayescale.backtesting import backtest as make_backtest
from bayescale.cli import decisions, options
from bayescale.costing import Cost
from bayescale.deciding import decide
from bayescale.forecasting import forecast
from bayescale.reports import report as make_report


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
    cost: decisions.Money = None,
    candidates: decisions.CandidatesText = None,
    output: Annotated[Path, typer.Option(help="File to write, HTML.")] = Path("report.html"),
    backtest: Annotated[bool, typer.Option("--backtest", help="Backtest the ladder too, which takes minutes.")] = False,
    seed: options.Seed = 0,
    chains: options.Chains = 4,
    draws: options.Draws = 1000,
    as_json: options.AsJson = False,
) -> None:
    """One HTML file: the verdict, the forecast, what it rests on. Without arguments, a worked example."""
    options.check_outputs(None, output)
    if runs is None and dataset == decisions.EXAMPLE and worth is None and threshold is None:
        worth, threshold, candidates = *decisions.EXAMPLE_VALUE, candidates or decisions.EXAMPLE_CANDIDATES
    value, money = decisions.asked_value(worth, threshold), Cost() if cost is None else cost
    ladder = options.read(runs, tasks, dataset)
    wanted = options.choose_targets(ladder, targets, params, tokens, flops, corpus)
    to_buy = decisions.asked_candidates(candidates, ladder, corpus, money)
    fitted = options.fit_shown(ladder, hidden=as_json, chains=chains, draws=draws, seed=seed)
    made = forecast(fitted, wanted, seed=seed)
    asked: dict[str, Any] = {"cost": money, "value": value, "seed": seed}
    decision = decide(made, evidence=decisions.evidence_shown(fitted, wanted, to_buy, hidden=as_json, **asked), **asked)
    held = make_backtest(ladder, chains=chains, draws=draws, seed=seed) if backtest else None
    written = make_report(fitted, made, backtest=held, decision=decision)
    written.save(output)
    if as_json:
        about = {"output": str(output), "bytes": len(written.html.encode()), "verdict": decision.verdict, "status": decision.status}
        print(json.dumps(about | {"missing": {s.title: s.missing for s in written.sections if s.missing}} | options.spent()))
    else:
        print(f"{output}: {decision.verdict}; {decision.reason}")
    raise typer.Exit(1 if made.status == "fail" else 0)
