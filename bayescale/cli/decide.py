"""The command decide, its JSON and its tables."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.console import Console

from bayescale.cli import decision_options, options, tables
from bayescale.cli.candidates import print_candidates
from bayescale.cli.fit_options import EXAMPLE, FitOptions
from bayescale.cli.outputs import deliver
from bayescale.cli.tables import diagnostics_json, json_rows, print_frame, print_text
from bayescale.decisions.cost import money
from bayescale.decisions.decide import Decision
from bayescale.fits.record import Fit
from bayescale.fits.settings import AUTO
from bayescale.forecasts.forecast import forecast


def decide(
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
    """Decide whether to fund a target, from its forecast, its value and its cost.

    Without arguments, it decides a worked example.
    """
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
    fitted = source.fit()
    evidence = problem.evidence(fitted)
    decision = problem.decide(forecast(fitted, problem.targets, seed=seed), evidence)
    process_cost = options.process_cost()

    def answer() -> None:
        if as_json:
            print(json.dumps(decision_json(fitted, decision) | process_cost, allow_nan=False))
        else:
            print_decision(Console(width=tables.width()), decision, process_cost["seconds"])

    deliver(answer)
    raise typer.Exit(1 if decision.status == "fail" else 0)


def decision_json(fit: Fit, decision: Decision) -> dict[str, Any]:
    """The JSON of `decide --json`: the verdict, what was asked, and the tables that it rests on.

    Parameters
    ----------
    fit
        Fit behind the decision.
    decision
        Decision to show.

    Returns
    -------
    dict
        Values that JSON has, without nan or infinity; key evidence only where there is evidence.
    """
    result: dict[str, Any] = {
        "verdict": decision.verdict,
        "target": decision.target,
        "reason": decision.reason,
        "perfect_information": decision.perfect_information,
        "asked": {
            "value": str(decision.value),
            "cost": str(decision.cost),
            "preference": str(decision.preference),
        },
        "options": json_rows(decision.options),
        "reach": json_rows(decision.reach),
        "sensitivity": json_rows(decision.sensitivity),
        "flips": json_rows(decision.flips),
    }
    if decision.evidence is not None:
        result["evidence"] = json_rows(decision.evidence.table)
    return result | {
        "status": decision.status,
        "note": decision.note,
        "diagnostics": diagnostics_json(fit),
    }


def print_decision(console: Console, decision: Decision, seconds: float) -> None:
    """Print the verdict and its reason, then the tables that it rests on.

    Parameters
    ----------
    console
        Where to print.
    decision
        Decision to show.
    seconds
        Seconds that the command took.
    """
    print_text(console, f"{decision.verdict.upper()}: {decision.reason}")
    print_text(console, decision_options.asked_text(decision))
    console.print()
    print_text(
        console,
        "Targets, in money: net is value minus cost; lower and upper are its 90 % interval",
    )
    print_frame(console, decision.options)
    if len(decision.reach):
        print_text(console, "Probability of reaching each threshold")
        print_frame(console, decision.reach)
    if len(decision.flips):
        _print_sensitivity(console, decision)
    if decision.evidence is not None:
        print_candidates(console, decision.evidence)
    proposal = "; the command value proposes small runs" if decision.evidence is None else ""
    print_text(
        console,
        "Knowing the value and the cost of every target before the decision would be worth "
        f"{money(decision.perfect_information)}: no evidence is worth more{proposal}",
    )
    print_text(console, f"checks of the fit: {decision.status}; {seconds:.1f} s in total")
    print_text(console, decision.note)


def _print_sensitivity(console: Console, decision: Decision) -> None:
    """Print how the verdict changes with cost, threshold and discrepancy."""
    print_text(
        console,
        "What would change the verdict: net is that of the run that is then funded, or of the run "
        "nearest to it",
    )
    table = decision.sensitivity
    if table["target"].nunique() == 1:
        table = table.drop(columns="target")
    if table["certainty_equivalent"].equals(table["net"]):
        table = table.drop(columns="certainty_equivalent")
    print_frame(console, table)
    print_text(
        console,
        "Smallest change at which the decision turns between funding a run and funding nothing "
        "(nan: none between lowest and highest)",
    )
    print_frame(console, decision.flips)
