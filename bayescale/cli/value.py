"""The command value, its JSON and its table."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import typer
from rich.console import Console

from bayescale.cli import decision_options, options, tables
from bayescale.cli.candidates import print_candidates
from bayescale.cli.fit_options import EXAMPLE, FitOptions
from bayescale.cli.tables import (
    diagnostics_json,
    json_rows,
    print_status,
    print_text,
)
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.cost import Cost
from bayescale.decisions.evidence import Evidence
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.fits.settings import AUTO
from bayescale.forecasts.design import propose_runs


def value(
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
    """Say what small runs are worth before a decision, and which to buy first.

    Without --candidates, it proposes the runs that tell most of the targets' losses.
    Without arguments, it values the candidates of a worked example.
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
    if not problem.candidates:
        problem = replace(problem, candidates=_proposed(problem))
    fitted = source.fit()
    evidence = problem.evidence(fitted)
    assert evidence is not None
    process_cost = options.process_cost()
    if as_json:
        print(json.dumps(value_json(fitted, evidence) | process_cost, allow_nan=False))
    else:
        console = Console(width=tables.width())
        print_value(console, evidence)
        print_status(console, fitted, process_cost["seconds"])
    raise typer.Exit(1 if evidence.status == "fail" else 0)


def _proposed(problem: decision_options.DecisionProblem) -> list[Candidate]:
    """Candidates where none are given: the runs that tell most of the targets' losses."""
    if not isinstance(problem.cost, Cost):
        raise SettingError(
            "--candidates",
            rule="must be one or more, each with a price, where --cost is given",
            got="none",
            way_out="such as --candidates 3e9:3e11=2e4",
        )
    runs = propose_runs(problem.source.ladder, problem.targets)
    return [Candidate([run], name=run.label) for run in runs]


def value_json(fit: Fit, evidence: Evidence) -> dict[str, Any]:
    """The JSON of `value --json`: the best candidate, null for none, and every candidate.

    Parameters
    ----------
    fit
        Fit behind the values.
    evidence
        Values of the candidates.
    """
    best = evidence.best
    return {
        "best": None if best is None else best["candidate"],
        "asked": {
            "value": str(evidence.value),
            "cost": str(evidence.cost),
            "preference": str(evidence.preference),
        },
        "rows": json_rows(evidence.table),
        "status": evidence.status,
        "diagnostics": diagnostics_json(fit),
    }


def print_value(console: Console, evidence: Evidence) -> None:
    """Print which candidate to buy first, what was asked, and one row per candidate.

    Parameters
    ----------
    console
        Where to print.
    evidence
        Values of the candidates.
    """
    best = evidence.best
    first = (
        "No candidate is worth its cost beyond doubt."
        if best is None
        else f"Buy first: {best['candidate']}, worth {best['net']:,.0f} more than its cost."
    )
    print_text(console, first)
    print_text(console, decision_options.asked_text(evidence))
    print_candidates(console, evidence)
