"""What must be stated about a scaling study, and whether this ladder states it."""

from __future__ import annotations

from bayescale.data.ladder import Ladder
from bayescale.forecasts.forecast import Forecast


def statements(ladder: Ladder, forecast: Forecast) -> list[str]:
    """One sentence a convention: what is known, or that nobody said."""
    known, runs = ladder.conventions, ladder.runs
    unsaid = "not stated"
    units = ", ".join(f"{name} in {unit}" for name, unit in known.loss_units.items()) or unsaid
    left_out = {role: list(of.index) for role, of in runs.groupby("role") if role != "fit"}
    listed = "; ".join(f"{role}: {', '.join(names[:8])}{' and more' if len(names) > 8 else ''}" for role, names in left_out.items()) or "none"
    shifts = ", ".join(f"{t.label} {t.shift:g}" for t in forecast.targets if t.shift) or "none"
    return [
        f"How parameters are counted: {known.params or unsaid}.",
        f"Tokenizer: {known.tokenizer or unsaid}.",
        f"Units of losses: {units}.",
        f"Compute: {'measured' if ladder.compute_is_measured else '6ND'} for ladder and target alike.",
        f"Checkpoints: {'a table of checkpoints; the last one of each run counts' if ladder.frame['step'].notna().any() else 'one figure a run'}.",
        f"Runs that were not fitted, by role: {listed}.",
        f"Targets widened on purpose for being unlike the ladder: {shifts}.",
        "Learning-rate schedule, batch size and data order: not in the table; a target that differs in them wants shift=.",
    ]
