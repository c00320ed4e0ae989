"""Where a target stands: its corpus, its conventions, and its distance from the ladder's runs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bayescale.data.ladder import Ladder
from bayescale.data.target import Conventions, Target, six_nd
from bayescale.errors import DataError
from bayescale.models.inputs import LossData

# Largest ratio of sizes that count as one size.
ONE_SIZE = 1.05
# Times the largest fitted compute: beyond the first a forecast warns; beyond the second the sizes
# are taken to be in other units. Both are judgements: from the smallest public ladders (1e17 FLOPs)
# to the largest runs (1e26) is a factor of 1e9, and a size in billions is wrong by 1e9 or more.
FAR = 1e6
# A target whose N or D is smaller than the smallest run's by more than this factor has another
# unit.
SMALL = 1e3
# Few backtests of accuracies on public sweeps reach more than this many times the largest fitted
# compute.
TESTED = 300.0
MAX_FACTOR = 1e12


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
        unlike the runs), flops (C* in FLOPs, measured or 6ND as in the factor). The attribute
        ``warnings`` lists what a reader of the forecast must know, each once.

    Raises
    ------
    DataError
        For a target more than 10^12 times beyond the ladder.
    """
    fitted = ladder.with_role("fit").runs
    rows: list[dict[str, object]] = []
    warnings: list[str] = []
    for target in targets:
        runs = fitted[fitted["corpus"] == corpus_of(target, data)]
        far = factor(target, runs, data.compute_is_measured)
        _check_distance(target, far)
        grave = _warnings(target, far, runs)
        warnings += grave
        rows.append(
            {
                "target": target.label,
                "extrapolation_factor": far,
                "note": "; ".join([*_notes(target, far, runs), *grave]),
                "flops": compute_of(target, data.compute_is_measured),
            }
        )
    frame = pd.DataFrame(rows)
    frame.attrs = {"warnings": list(dict.fromkeys(warnings))}
    return frame


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


def _check_distance(target: Target, factor: float) -> None:
    """A DataError for a target so far away that one of the sizes must be in another unit."""
    if factor > MAX_FACTOR:
        raise DataError(
            f"target {target.label!r}",
            rule=f"must be at most {MAX_FACTOR:.0e} times the largest fitted compute",
            got=f"{factor:.3g} times",
            way_out="give all sizes as counts (7e9, not 7), and compute in FLOPs",
        )


def _warnings(target: Target, factor: float, runs: pd.DataFrame) -> list[str]:
    """What no run shows: the effect of a size that all runs share, and a great distance."""
    warnings = []
    for name, value, known in (
        ("N", target.params, runs["params"]),
        ("D", target.tokens, runs["tokens"]),
    ):
        smallest, largest = known.min(), known.max()
        if value < smallest / SMALL:
            warnings.append(
                f"{name} of the target is below a thousandth of the smallest run's: check its unit"
            )
        one_size = largest <= ONE_SIZE * smallest
        if one_size and not smallest / ONE_SIZE <= value <= largest * ONE_SIZE:
            warnings.append(
                f"all fitted runs have one {name} ({largest:.3g}): "
                f"the effect of another {name} is known by law and prior alone"
            )
    if TESTED < factor <= FAR:
        warnings.append(
            f"more than {TESTED:g} times the largest fitted compute: "
            "few backtests on public sweeps have gone as far"
        )
    if factor > FAR:
        warnings.append(
            f"more than {FAR:.0e} times the largest fitted compute: "
            "check the units of params and tokens; no backtest has gone as far"
        )
    return warnings


def _notes(target: Target, factor: float, runs: pd.DataFrame) -> list[str]:
    """What else makes the target unlike the runs; empty where nothing does."""
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
    return notes


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
