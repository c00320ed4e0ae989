"""A decision as JSON and as tables."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console

from bayescale.decisions.cost import money
from bayescale.decisions.decide import Decision
from bayescale.fits.record import Fit
from bayescale.showing.forecasts import diagnostics
from bayescale.showing.tables import print_frame, say


def decision_json(fit: Fit, decision: Decision) -> dict[str, Any]:
    """The JSON of `decide --json`."""
    tables = {"options": decision.options, "reach": decision.reach, "sensitivity": decision.sensitivity, "flips": decision.flips}
    tables |= {} if decision.evidence is None else {"evidence": decision.evidence.table}
    asked = {"value": str(decision.value), "cost": str(decision.cost), "preference": str(decision.preference)}
    about = {"verdict": decision.verdict, "target": decision.target, "reason": decision.reason, "perfect_information": decision.perfect_information}
    rows = {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}
    return about | {"asked": asked} | rows | {"status": decision.status, "note": decision.note, "diagnostics": diagnostics(fit)}


def print_decision(console: Console, decision: Decision, seconds: float) -> None:
    """The verdict and its reason, then what it rests on."""
    say(console, f"{decision.verdict.upper()}: {decision.reason}")
    cost = money(decision.cost) if isinstance(decision.cost, int | float) else decision.cost
    say(console, f"asked: value {decision.value}; cost {cost}; {decision.preference}")
    console.print()
    say(console, "what each run is worth, in money (net: value less cost, its 90 % interval lower to upper)")
    print_frame(console, decision.options)
    if len(decision.reach):
        say(console, "probability of reaching each threshold")
        print_frame(console, decision.reach)
    if len(decision.flips):
        say(console, "what would change it (target: the one to fund then, or nearest to it)")
        print_frame(console, decision.sensitivity)
        say(console, "where funding something and nothing change places, nearest (nan: nowhere from lowest to highest)")
        print_frame(console, decision.flips)
    if decision.evidence is not None:
        say(console, "what could be bought first: expected value of its information (evsi) and what is left after its cost (net), best first")
        print_frame(console, decision.evidence.table.drop(columns=["evpi", "narrowing_per_cost"]))
    known = f"{decision.perfect_information:.3g}"
    say(console, f"knowing beforehand what each is worth and costs would be worth {known}: no evidence is worth more")
    say(console, f"checks: {decision.status}; {seconds:.1f} s in all")
    say(console, decision.note)
