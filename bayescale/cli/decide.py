"""The command decide."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from bayescale.cli import options, tables
from bayescale.cli.tables import diagnostics, print_frame, say
from bayescale.data.ladder import Ladder
from bayescale.data.names import visible
from bayescale.data.target import Target
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.cost import PEAK, Cost, cost_draws, money
from bayescale.decisions.decide import Decision
from bayescale.decisions.decide import decide as make_decision
from bayescale.decisions.evidence import Evidence, value_of_information
from bayescale.decisions.preference import make_preference
from bayescale.decisions.value import Linear, Threshold, Value
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.models.inputs import AUTO

Worth = Annotated[
    float | None,
    typer.Option(help="What reaching the threshold is worth, in money; 3e6 on ladder2024."),
]
ThresholdText = Annotated[
    str | None,
    typer.Option(
        help="Mean accuracy to reach, as a share (0.7 on ladder2024); or each task its own: mmlu=0.5,piqa=0.8."
    ),
]
Money = Annotated[
    float | None,
    typer.Option(help="Of each target, in money; without it, that of the device hours."),
]
CandidatesText = Annotated[
    str | None,
    typer.Option(
        help="Runs that could be bought first, with commas: params:tokens, or for a rerun a name from the table; behind it =money where --cost is given."
    ),
]
PerPoint = Annotated[
    float | None,
    typer.Option(help="Instead of a threshold: what each point of mean accuracy is worth."),
]
Baseline = Annotated[
    float, typer.Option(help="With --per-point: the accuracy that is worth nothing, as a share.")
]
Device = Annotated[str, typer.Option(help=f"One of {', '.join(PEAK)}.")]
Utilisation = Annotated[
    str,
    typer.Option(help="Share of the device's peak that training reaches; a range with a comma."),
]
Price = Annotated[
    str, typer.Option(help="Of an hour of one device, in money; a range with a comma.")
]
ServedTokens = Annotated[
    float,
    typer.Option(help="Tokens that the model is to serve in its life, whose cost counts too."),
]
RiskAversion = Annotated[float, typer.Option(help="0 is indifferent to risk; 1 is cautious.")]
MostRegret = Annotated[
    float, typer.Option(help="Largest probability of regret at which a run is funded.")
]
# asks for no value: it has one of its own, to show what a decision looks like
EXAMPLE = "ladder2024"
EXAMPLE_WORTH, EXAMPLE_THRESHOLD = 3e6, "0.7"
# of like compute: none beyond the ladder's dearest run
EXAMPLE_CANDIDATES = "1B-10xC, 6e8:5e11, 2.6e9:1.2e11"


def decide(
    runs: options.RunTable = None,
    dataset: options.Dataset = EXAMPLE,
    tasks: options.TaskTable = None,
    params: options.Params = None,
    tokens: options.Tokens = None,
    flops: options.Flops = None,
    corpus: options.Corpus = None,
    targets: options.TargetNames = None,
    worth: Worth = None,
    threshold: ThresholdText = None,
    per_point: PerPoint = None,
    baseline: Baseline = 0.0,
    cost: Money = None,
    device: Device = "H100",
    utilisation: Utilisation = "0.3,0.45",
    price: Price = "2,3",
    served_tokens: ServedTokens = 0.0,
    candidates: CandidatesText = None,
    risk_aversion: RiskAversion = 0.0,
    most_regret: MostRegret = 1.0,
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
    """Fund it or don't: a forecast of the targets, what they are worth and what they cost. Without
    arguments, a worked example.
    """
    worth, threshold, candidates = example(
        runs, dataset, worth, threshold, per_point, cost, candidates
    )
    value, money = (
        asked_value(worth, threshold, per_point, baseline),
        asked_cost(cost, device, utilisation, price, served_tokens),
    )
    ladder = options.read(runs, tasks, dataset)
    wanted = options.choose_targets(ladder, targets, params, tokens, flops, corpus)
    to_buy = asked_candidates(candidates, ladder, corpus, money)
    asked: dict[str, Any] = {
        "cost": money,
        "value": value,
        "risk_aversion": risk_aversion,
        "most_regret": most_regret,
        "seed": seed,
    }
    check(ladder, wanted, **asked)
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
    evidence = evidence_shown(fitted, wanted, to_buy, hidden=as_json, **asked)
    made = make_decision(forecast(fitted, wanted, seed=seed), evidence=evidence, **asked)
    if as_json:
        print(json.dumps(decision_json(fitted, made) | options.spent(), allow_nan=False))
    else:
        print_decision(Console(width=tables.width()), made, options.spent()["seconds"])
    raise typer.Exit(1 if made.status == "fail" else 0)


def example(
    runs: Path | None,
    dataset: str,
    worth: float | None,
    threshold: str | None,
    per_point: float | None,
    cost: float | None,
    candidates: str | None,
) -> tuple[float | None, str | None, str | None]:
    """Worth, threshold and candidates as given, those of the worked example where they are not and
    the ladder is its; candidates priced by the hour alone.
    """
    if runs is not None or dataset != EXAMPLE or per_point is not None:
        return worth, threshold, candidates
    untouched = worth is None and threshold is None and cost is None
    chosen = (
        EXAMPLE_WORTH if worth is None else worth,
        EXAMPLE_THRESHOLD if threshold is None else threshold,
    )
    return *chosen, EXAMPLE_CANDIDATES if untouched and candidates is None else candidates


def asked_cost(
    cost: float | None, device: str, utilisation: str, price: str, served_tokens: float
) -> float | Cost:
    """The sum given, or that of the device hours."""
    if cost is not None:
        return cost
    return Cost(
        device,
        _range("--utilisation", utilisation),
        _range("--price", price),
        served_tokens=served_tokens,
    )


def check(
    ladder: Ladder,
    targets: Sequence[Target],
    *,
    cost: float | Cost,
    value: Value,
    risk_aversion: float,
    most_regret: float,
    seed: int,
) -> None:
    """What would be refused after the fit is refused before it."""
    make_preference(value, risk_aversion, most_regret, None)
    cost_draws(cost, targets, 1, seed)
    unknown = [t for t in getattr(value, "each", {}) if t and t not in ladder.tasks]
    if unknown:
        raise SettingError(
            "--threshold",
            rule="must name tasks of the ladder",
            got=repr(unknown[0]),
            way_out=f"use some of {', '.join(ladder.tasks)}",
        )


def asked_value(
    worth: float | None,
    threshold: str | None,
    per_point: float | None = None,
    baseline: float = 0.0,
) -> Threshold | Linear:
    """The value that the options describe."""
    if per_point is not None:
        if worth is not None or threshold is not None:
            raise SettingError(
                "--per-point",
                rule="stands instead of --worth and --threshold",
                got="both",
                way_out="give one or the other",
            )
        return Linear(per_point, baseline)
    if baseline:
        raise SettingError(
            "--baseline",
            rule="goes with --per-point",
            got="no --per-point",
            way_out="give it, or leave --baseline out",
        )
    if worth is None or threshold is None:
        raise SettingError(
            "the value",
            rule="needs --worth and --threshold, or --per-point",
            got="not all",
            way_out="such as --worth 5e6 --threshold 0.7",
        )
    return Threshold(worth, _threshold(threshold))


def asked_candidates(
    text: str | None, ladder: Ladder, corpus: str | None, cost: float | Cost
) -> list[Candidate]:
    """The runs that the option names, each priced where no `Cost` prices it."""
    found = [
        _candidate(word.strip(), ladder, corpus) for word in (text or "").split(",") if word.strip()
    ]
    unpriced = [c.label for c in found if c.cost is None and not isinstance(cost, Cost)]
    if unpriced:
        raise SettingError(
            "--candidates",
            rule="must have a price each where --cost is given",
            got=f"none for {unpriced[0]}",
            way_out="such as 3e9:3e11=2e4",
        )
    return found


def _candidate(word: str, ladder: Ladder, corpus: str | None) -> Candidate:
    what, _, price = word.partition("=")
    run = next(
        (
            replace(t, name=f"{what} again")
            for t in ladder.targets("fit", "held_out")
            if t.label == what
        ),
        None,
    )
    try:
        if run is None:
            params, tokens = map(float, what.split(":"))
            run = Target(params=params, tokens=tokens, corpus=corpus)
        paid = float(price) if price else None
    except ValueError:
        rule = "must be params:tokens or runs of the table, with commas, =money behind"
        raise SettingError(
            "--candidates", rule=rule, got=repr(word), way_out="such as 3e9:3e11, or 3e9:3e11=2e4"
        ) from None
    return Candidate([run], cost=paid, name=run.label)


def evidence_shown(
    fit: Fit,
    targets: Sequence[Target],
    candidates: Sequence[Candidate],
    *,
    hidden: bool,
    **asked: Any,
) -> Evidence | None:
    """What the candidates are worth, with a progress bar on stderr where somebody watches; None
    without candidates.
    """
    if not candidates:
        return None
    with options.bar(hidden=hidden) as bar:
        task = bar.add_task("candidates", total=1.0)

        def progress(what: str, share: float) -> None:
            bar.update(task, description=escape(visible(what)), completed=share)

        return value_of_information(fit, targets, candidates, progress=progress, **asked)


def _threshold(text: str) -> float | dict[str, float]:
    try:
        if "=" in text:
            return {
                name.strip(): float(number)
                for name, number in (pair.split("=") for pair in text.split(","))
            }
        return float(text)
    except ValueError:
        rule, way_out = (
            "must be a share, or one a task with commas",
            "such as 0.7, or mmlu=0.5,piqa=0.8",
        )
        raise SettingError("--threshold", rule=rule, got=repr(text), way_out=way_out) from None


def _range(option: str, text: str) -> float | tuple[float, float]:
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise SettingError(
            option,
            rule="must be a number, or two with a comma",
            got=repr(text),
            way_out="such as 2.5, or 2,3",
        )
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def decision_json(fit: Fit, decision: Decision) -> dict[str, Any]:
    """The JSON of `decide --json`."""
    tables = {
        "options": decision.options,
        "reach": decision.reach,
        "sensitivity": decision.sensitivity,
        "flips": decision.flips,
    }
    tables |= {} if decision.evidence is None else {"evidence": decision.evidence.table}
    asked = {
        "value": str(decision.value),
        "cost": str(decision.cost),
        "preference": str(decision.preference),
    }
    about = {
        "verdict": decision.verdict,
        "target": decision.target,
        "reason": decision.reason,
        "perfect_information": decision.perfect_information,
    }
    rows = {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}
    return (
        about
        | {"asked": asked}
        | rows
        | {"status": decision.status, "note": decision.note, "diagnostics": diagnostics(fit)}
    )


def print_decision(console: Console, decision: Decision, seconds: float) -> None:
    """The verdict and its reason, then what it rests on."""
    say(console, f"{decision.verdict.upper()}: {decision.reason}")
    cost = money(decision.cost) if isinstance(decision.cost, int | float) else decision.cost
    say(console, f"asked: value {decision.value}; cost {cost}; {decision.preference}")
    console.print()
    say(
        console,
        "what each run is worth, in money (net: value less cost, its 90 % interval lower to upper)",
    )
    print_frame(console, decision.options)
    if len(decision.reach):
        say(console, "probability of reaching each threshold")
        print_frame(console, decision.reach)
    if len(decision.flips):
        say(console, "what would change it (target: the one to fund then, or nearest to it)")
        print_frame(console, decision.sensitivity)
        say(
            console,
            "where funding something and nothing change places, nearest (nan: nowhere from lowest to highest)",
        )
        print_frame(console, decision.flips)
    if decision.evidence is not None:
        say(
            console,
            "what could be bought first: expected value of its information (evsi) and what is left after its cost (net), best first",
        )
        print_frame(console, decision.evidence.table.drop(columns=["evpi", "narrowing_per_cost"]))
    known = f"{decision.perfect_information:.3g}"
    say(
        console,
        f"knowing beforehand what each is worth and costs would be worth {known}: no evidence is worth more",
    )
    say(console, f"checks: {decision.status}; {seconds:.1f} s in all")
    say(console, decision.note)
