"""Where a target stands relative to the ladder: its corpus, its conventions, and how far beyond the
runs it lies.
"""

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
    for t in targets:
        runs = fitted[fitted["corpus"] == corpus_of(t, data)]
        far = factor(t, runs, data.compute_is_measured)
        rows.append(
            {
                "target": t.label,
                "extrapolation_factor": far,
                "note": _note(t, far, runs),
                "flops": compute_of(t, data.compute_is_measured),
            }
        )
    return pd.DataFrame(rows)


def factor(target: Target, runs: pd.DataFrame, measured: bool) -> float:
    """C* / Cmax of these runs, measured for both or 6ND for both."""
    if measured and target.flops is not None:
        return target.flops / float(runs["flops"].max())
    return target.compute_6nd / float(six_nd(runs["params"], runs["tokens"]).max())


def compute_of(target: Target, measured: bool) -> float:
    """C of a target in FLOPs: measured where the ladder's is and the target's is known, else
    6ND.
    """
    return target.flops if measured and target.flops is not None else target.compute_6nd


def _note(t: Target, factor: float, runs: pd.DataFrame) -> str:
    ranges = {
        "N": (t.params, runs["params"]),
        "D": (t.tokens, runs["tokens"]),
        "D/N": (t.tokens / t.params, runs["tokens"] / runs["params"]),
    }
    outside = [
        name
        for name, (value, known) in ranges.items()
        if not known.min() * 0.999 <= value <= known.max() * 1.001
    ]
    said = []
    if factor <= 1:
        said.append(
            f"inside the ladder's compute, outside its range of {', '.join(outside)}"
            if outside
            else "inside the ladder: an interpolation"
        )
    if t.shift:
        said.append(f"widened on purpose by {t.shift:g} of log loss (shift)")
    return "; ".join(said)


def corpus_of(target: Target, data: LossData) -> str:
    """The corpus of a target, the ladder's own where it has a single one; a DataError where it is
    missing or unknown.
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
    """A DataError where a target states a convention that is not the ladder's."""
    mine = target.conventions
    if mine is None:
        return
    pairs = {
        "params": (mine.params, ladder.params),
        "tokenizer": (mine.tokenizer, ladder.tokenizer),
    }
    pairs |= {
        f"unit of loss {k}": (v, ladder.loss_units.get(k)) for k, v in mine.loss_units.items()
    }
    for what, (got, wanted) in pairs.items():
        if got is not None and wanted is not None and got != wanted:
            raise DataError(
                f"convention of target {target.label!r}: {what}",
                rule=f"must be the ladder's ({wanted})",
                got=got,
                way_out="state the target by the ladder's convention, or widen it with shift=",
            )
