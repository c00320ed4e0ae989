"""Statements that a scaling study has to make, and whether a ladder makes them."""

from __future__ import annotations

from bayescale.data.ladder import Ladder
from bayescale.forecasts.record import Forecast

NOT_STATED = "not stated"
# names of runs that are listed for each role
MAX_NAMES = 8


def statements(ladder: Ladder, forecast: Forecast) -> list[str]:
    """One sentence per convention: its value, or that the ladder does not state it.

    Parameters
    ----------
    ladder
        The ladder that was fitted.
    forecast
        The forecast made from it.

    Returns
    -------
    list of str
        The sentences.
    """
    conventions = ladder.conventions
    units = ", ".join(f"{name} in {unit}" for name, unit in conventions.loss_units.items())
    compute = "measured" if ladder.compute_is_measured else "6ND"
    checkpoints = "one outcome per run, without steps"
    if ladder.frame["step"].notna().any():
        checkpoints = "a table of checkpoints; the last one of each run counts"
    shifts = ", ".join(f"{t.label} {t.shift:g}" for t in forecast.targets if t.shift)
    notes = "; ".join(note.rstrip(".") for note in ladder.notes)
    return [
        f"What was read, guessed and left out: {notes or 'nothing to tell'}.",
        f"How parameters are counted: {conventions.params or NOT_STATED}.",
        f"Tokenizer: {conventions.tokenizer or NOT_STATED}.",
        f"Units of losses: {units or NOT_STATED}.",
        f"Compute of the ladder: {compute}. {_target_compute(ladder, forecast)}",
        f"Checkpoints: {checkpoints}.",
        f"Runs that were not fitted, by role: {_runs_left_out(ladder)}.",
        "Targets whose intervals were widened because they are unlike the ladder, with the sd of "
        f"log loss that was added: {shifts or 'none'}.",
        "Learning-rate schedule, batch size and data order: not in the table. A target that "
        "differs from the ladder in them needs shift=.",
    ]


def _target_compute(ladder: Ladder, forecast: Forecast) -> str:
    """How the compute of the targets is known."""
    unknown = [target.label for target in forecast.targets if target.flops is None]
    if ladder.compute_is_measured and unknown:
        return f"Targets without measured compute, compared by 6ND: {', '.join(unknown)}."
    return "Compute of the targets: known in the same way."


def _runs_left_out(ladder: Ladder) -> str:
    """Names of the runs that were not fitted, by role."""
    roles = []
    for role, runs in ladder.runs.groupby("role"):
        if role != "fit":
            names = ", ".join(runs.index[:MAX_NAMES])
            more = " and more" if len(runs) > MAX_NAMES else ""
            roles.append(f"{role}: {names}{more}")
    return "; ".join(roles) or "none"
