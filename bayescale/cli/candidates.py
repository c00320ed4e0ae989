"""Candidates, runs that could be bought before the decision: --candidates, and their table."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace

from rich.console import Console

from bayescale.cli.tables import print_frame, print_text
from bayescale.cli.targets import find_run, split_names
from bayescale.data.ladder import Ladder
from bayescale.data.target import Target
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.cost import Cost
from bayescale.decisions.evidence import Evidence
from bayescale.errors import SettingError

# Columns that the JSON has and the table has no room for.
UNPRINTED = ["evsi_floor", "evpi", "narrowing", "narrowing_per_cost", "method", "k"]


def parse_candidates(
    text: str | None, ladder: Ladder, corpus: str | None, cost: float | Cost
) -> list[Candidate]:
    """The candidates of --candidates, each with a price where device hours do not price it.

    Parameters
    ----------
    text
        Value of --candidates; None for no candidates.
    ladder
        Runs of the table.
    corpus
        Corpus of a run that is given by its size; None for the only corpus of the ladder.
    cost
        Cost of the targets: money, or the cost of their device hours.

    Raises
    ------
    BayescaleError
        For a word that is no candidate, and a candidate without a price that needs one.
    """
    known = {target.label: target for target in ladder.targets("fit", "held_out")}
    words = split_names(text or "", lambda word: _name_and_price(word, known)[0] in known)
    candidates = [_parse_candidate(word, known, ladder, corpus) for word in words]
    unpriced = [candidate.label for candidate in candidates if candidate.cost is None]
    if unpriced and not isinstance(cost, Cost):
        raise SettingError(
            "--candidates",
            rule="must have a price per candidate where --cost is given",
            got=f"none for {unpriced[0]}",
            way_out="such as 3e9:3e11=2e4",
        )
    return candidates


def _name_and_price(word: str, known: Container[str]) -> tuple[str, str]:
    """The text before the last = and after it; a known name may have such a sign of its own."""
    if word in known:
        return word, ""
    name, sign, price = word.rpartition("=")
    return (name.strip(), price) if sign else (word, "")


def _parse_candidate(
    word: str, known: Mapping[str, Target], ladder: Ladder, corpus: str | None
) -> Candidate:
    """The candidate of one word: params:tokens or the name of a run, and perhaps =money."""
    name, price = _name_and_price(word, known)
    run = find_run(name, list(known.values()), ladder, corpus)
    try:
        money = float(price) if price else None
    except ValueError:
        run = None
    if run is None:
        raise SettingError(
            "--candidates",
            rule="must be params:tokens or runs of the table, separated by commas, "
            "each with =money after it where it has a price",
            got=repr(word),
            way_out="such as 3e9:3e11, or 3e9:3e11=2e4",
        )
    if name in known:
        run = replace(run, name=f"{name} again")
    return Candidate([run], cost=money, name=run.label)


def print_candidates(console: Console, evidence: Evidence) -> None:
    """Print what the candidates are worth, one row each, then their notes.

    Parameters
    ----------
    console
        Where to print.
    evidence
        Values of the candidates.
    """
    print_text(
        console,
        "Evidence that could be bought first, the best first: evsi is the expected value of its "
        "information; net is evsi minus cost",
    )
    table = evidence.table.drop(columns=UNPRINTED)
    reliable = table["reliable"].map({True: "yes", False: "no"})
    print_frame(console, table.drop(columns="note").assign(reliable=reliable))
    for row in table[table["note"] != ""].itertuples():
        print_text(console, f"{row.candidate}: {row.note}")
