"""Whether a task can be forecast from its ladder at all: one verdict a task, from the runs that its
link saw.

rho is Spearman's rank correlation of accuracy with -loss over those runs, all corpora together;
rho_compute the same with compute. The 90 % interval of either is Fisher's, z = artanh(rho) with
variance 1.06 / (n - 3) (Fieller, Hartley and Pearson 1957, Biometrika 44).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from bayescale.models.inputs import AccuracyData
from bayescale.models.parameters import NORMAL_95

Predictability = Literal["predictable", "weak", "no trend", "inverse", "not through this loss"]
TREND = 0.5  # rank correlation from which on a task has a trend


def predictability(data: AccuracyData, compute: pd.Series) -> pd.DataFrame:
    """One row a task: verdict, runs, rho and rho_compute, each with its lower end.

    predictable            lower end of rho >= 0.5
    weak                   rho >= 0.5, its lower end below
    not through this loss  rho < 0.5, though the lower end of rho_compute >= 0.5: accuracy follows compute, but not this loss
    inverse                rho <= -0.5, of the rest
    no trend               the rest

    Parameters
    ----------
    data
        What the link was fitted on.
    compute
        Of each run, indexed by its name.
    """
    rows = {}
    for j, task in enumerate(data.groups.names):
        members = [s for s, name in enumerate(data.groups.name) if name == j]
        seen = np.asarray(data.layout.seen)[members]
        accuracy, loss = (
            np.asarray(data.layout.y)[members][seen],
            np.asarray(data.layout.x)[members][seen],
        )
        flops = compute[data.runs[members][seen]].to_numpy()
        figures: dict[str, float] = {}
        for name, other in (("rho", -loss), ("rho_compute", flops)):
            figures[name] = _rank_correlation(accuracy, other)
            figures[f"{name}_lower"] = _lower(figures[name], len(loss))
        rows[task] = {
            "verdict": _reading(figures["rho"], figures["rho_lower"], figures["rho_compute_lower"]),
            "runs": len(loss),
            **figures,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("task")


def _reading(rho: float, rho_lower: float, compute_lower: float) -> Predictability:
    if rho >= TREND:
        return "predictable" if rho_lower >= TREND else "weak"
    if compute_lower >= TREND:
        return "not through this loss"
    return "inverse" if rho <= -TREND else "no trend"


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Nil where one of the two never changes: there is no trend to see."""
    return (
        0.0
        if np.ptp(a) == 0 or np.ptp(b) == 0
        else float(pd.Series(a).corr(pd.Series(b), method="spearman"))
    )


def _lower(rho: float, runs: int) -> float:
    if runs <= 3:
        return -1.0
    return float(
        np.tanh(
            np.arctanh(np.clip(rho, -0.999999, 0.999999)) - NORMAL_95 * np.sqrt(1.06 / (runs - 3))
        )
    )
