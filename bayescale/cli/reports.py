"""The command report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bayescale.backtesting import backtest as make_backtest
from bayescale.cli.decisions import EXAMPLE, Money, ThresholdText, Worth, asked_value
from bayescale.cli.options import (
    AsJson,
    Chains,
    Corpus,
    Dataset,
    Draws,
    Flops,
    Params,
    RunTable,
    Seed,
    TargetNames,
    TaskTable,
    Tokens,
    check_outputs,
    choose_targets,
    read,
    sampling_bar,
    spent,
)
from bayescale.costing import Cost
from bayescale.deciding import decide
from bayescale.fitting import fit
from bayescale.forecasting import forecast
from bayescale.reports import report as make_report
from bayescale.sampling import setup


def report(
    runs: RunTable = None,
    dataset: Dataset = EXAMPLE,
    tasks: TaskTable = None,
    params: Params = None,
    tokens: Tokens = None,
    flops: Flops = None,
    corpus: Corpus = None,
    targets: TargetNames = None,
    worth: Worth = None,
    threshold: ThresholdText = None,
    cost: Money = None,
    output: Annotated[Path, typer.Option(help="File to write, HTML.")] = Path("report.html"),
    backtest: Annotated[bool, typer.Option("--backtest", help="Backtest the ladder too, which takes minutes.")] = False,
    seed: Seed = 0,
    chains: Chains = 4,
    draws: Draws = 1000,
    as_json: AsJson = False,
) -> None:
    """One HTML file: the verdict, the forecast, what it rests on. Without arguments, a worked example."""
    check_outputs(None, output)
    value = asked_value(runs, dataset, worth, threshold)
    ladder = read(runs, tasks, dataset)
    wanted = choose_targets(ladder, targets, params, tokens, flops, corpus)
    setup(chains)
    with sampling_bar(hidden=as_json) as progress:
        fitted = fit(ladder, chains=chains, draws=draws, seed=seed, progress=progress)
    made = forecast(fitted, wanted, seed=seed)
    decision = decide(made, cost=Cost() if cost is None else cost, value=value, seed=seed)
    held = make_backtest(ladder, chains=chains, draws=draws, seed=seed) if backtest else None
    written = make_report(fitted, made, backtest=held, decision=decision)
    written.save(output)
    if as_json:
        about = {"output": str(output), "bytes": len(written.html.encode()), "verdict": decision.verdict, "status": decision.status}
        print(json.dumps(about | {"missing": {s.title: s.missing for s in written.sections if s.missing}} | spent()))
    else:
        print(f"{output}: {decision.verdict}; {decision.reason}")
    raise typer.Exit(1 if made.status == "fail" else 0)
