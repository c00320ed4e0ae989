"""Where a target stands: its corpus, its conventions, and its distance from the ladder's runs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bayescale.data.ladder import Ladder
from bayescale.data.target import Conventions, Target, six_nd
from bayescale.errors import DataError
from bayescale.models.inputs import LossData


def extrapolation(ladder: Ladder, data: LossData, targets: Sequence[Target]) -> pd.DataFrame:
    """extrapolation_factor = C* / Cmax, measured for both or 6ND for both.

    Cmax is the largest compute of the fitted runs of the target's corpus.

    Parameters
    ----------
    ladder
        The ladder; its fitted runs are compared with the targets.
    data
        Data of the losses that were fitted.
    targets
        The runs to forecast.

    Returns
    -------
    pandas.DataFrame
        One row per target: target, extrapolation_factor, note (empty, or what makes the target
        unlike the runs), flops (C* in FLOPs, measured or 6ND as in the factor).
    """
    fitted = ladder.with_role("fit").runs
    rows = []
    for target in targets:
        runs = fitted[fitted["corpus"] == corpus_of(target, data)]
        far = factor(target, runs, data.compute_is_measured)
        rows.append(
            {
                "target": target.label,
                "extrapolation_factor": far,
                "note": _note(target, far, runs),
                "flops": compute_of(target, data.compute_is_measured),
            }
        )
    return pd.DataFrame(rows)


def factor(target: Target, runs: pd.DataFrame, measured: bool) -> float:
    """C* / Cmax, Cmax the largest compute of the runs.

    Parameters
    ----------
    target
        The run to forecast.
    runs
        Fitted runs, with columns params, tokens and flops.
    measured
        Whether the compute of the runs is measured. A target without measured compute is compared
        by 6ND.
    """
    if measured and target.flops is not None:
        return target.flops / float(runs["flops"].max())
    return target.compute_6nd / float(six_nd(runs["params"], runs["tokens"]).max())


def compute_of(target: Target, measured: bool) -> float:
    """C in FLOPs: measured where `measured` is true and the target's compute is known, else 6ND."""
    return target.flops if measured and target.flops is not None else target.compute_6nd


def _note(target: Target, factor: float, runs: pd.DataFrame) -> str:
    """What makes the target unlike the runs; empty where nothing does."""
    ranges = {
        "N": (target.params, runs["params"]),
        "D": (target.tokens, runs["tokens"]),
        "D/N": (target.tokens / target.params, runs["tokens"] / runs["params"]),
    }
    outside = [
        name
        for name, (value, known) in ranges.items()
        if not known.min() * 0.999 <= value <= known.max() * 1.001
    ]
    notes = []
    if factor <= 1 and outside:
        notes.append(f"inside the ladder's compute, outside its range of {', '.join(outside)}")
    elif factor <= 1:
        notes.append("inside the ladder: an interpolation")
    if target.shift:
        notes.append(f"widened on purpose by {target.shift:g} of log loss (shift)")
    return "; ".join(notes)


def corpus_of(target: Target, data: LossData) -> str:
    """The corpus of a target; None stands for the ladder's own where the ladder has a single one.

    Raises
    ------
    DataError
        For a corpus that is missing or unknown.
    """
    known = data.groups.corpora
    if target.corpus is None and len(known) == 1:
        return known[0]
    if target.corpus not in known:
        raise DataError(
            f"corpus of target {target.label!r}",
            rule="must be one that the ladder was fitted on",
            got=repr(target.corpus),
            way_out=f"use one of {', '.join(known)}",
        )
    return str(target.corpus)


def same_conventions(target: Target, ladder: Conventions) -> None:
    """Check that a target states no convention that differs from the ladder's.

    Raises
    ------
    DataError
        For a convention that differs.
    """
    stated = target.conventions
    if stated is None:
        return
    pairs = {
        "params": (stated.params, ladder.params),
        "tokenizer": (stated.tokenizer, ladder.tokenizer),
    }
    for name, unit in stated.loss_units.items():
        pairs[f"unit of loss {name}"] = (unit, ladder.loss_units.get(name))
    for convention, (got, wanted) in pairs.items():
        if got is not None and wanted is not None and got != wanted:
            raise DataError(
                f"convention of target {target.label!r}: {convention}",
                rule=f"must be the ladder's ({wanted})",
                got=got,
                way_out="state the target by the ladder's convention, or widen it with shift=",
            )
