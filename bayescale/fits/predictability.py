"""Whether a task can be forecast from its ladder at all: one verdict per task.

rho is Spearman's rank correlation of accuracy with -loss over the runs that the link saw, all
corpora together; rho_compute is that with compute. The 90 % interval of either is Fisher's,
z = artanh(rho) with variance 1.06 / (n - 3) (Fieller, Hartley and Pearson 1957, Biometrika 44).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from bayescale.models.inputs import AccuracyData, floors
from bayescale.models.parameters import NORMAL_95

Predictability = Literal["predictable", "weak", "no trend", "inverse", "not through this loss"]
# Rank correlation from which on a task has a trend.
TREND = 0.5


def predictability(data: AccuracyData, compute: pd.Series) -> pd.DataFrame:
    """Verdict of each task from rank correlations of its accuracy with loss and with compute.

    - predictable: the lower end of rho is 0.5 or more
    - weak: rho is 0.5 or more, its lower end is not, or weak runs lie below the stated chance
    - not through this loss: rho is below 0.5, but the lower end of rho_compute is 0.5 or more:
      accuracy follows compute, but not this loss
    - inverse: of the other tasks, rho is -0.5 or less
    - no trend: the rest

    Parameters
    ----------
    data
        Accuracies of finished runs, as the link sees them.
    compute
        Compute of each run in FLOPs, indexed by its name.

    Returns
    -------
    pandas.DataFrame
        One row per task, indexed by task: verdict, runs, rho, rho_lower, rho_compute,
        rho_compute_lower.
    """
    rows = {}
    lowest = floors(data)
    for j, task in enumerate(data.groups.names):
        series = [s for s, name in enumerate(data.groups.name) if name == j]
        seen = np.asarray(data.layout.seen)[series]
        accuracy = np.asarray(data.layout.y)[series][seen]
        loss = np.asarray(data.layout.x)[series][seen]
        flops = compute[data.runs[series][seen]].to_numpy()
        rho = _rank_correlation(accuracy, -loss)
        rho_compute = _rank_correlation(accuracy, flops)
        lower, compute_lower = (_lower(value, len(loss)) for value in (rho, rho_compute))
        verdict = _verdict(rho, lower, compute_lower)
        if verdict == "predictable" and (lowest < data.chance)[series].any():
            verdict = "weak"
        rows[task] = {
            "verdict": verdict,
            "runs": len(loss),
            "rho": rho,
            "rho_lower": lower,
            "rho_compute": rho_compute,
            "rho_compute_lower": compute_lower,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("task")


def _verdict(rho: float, rho_lower: float, compute_lower: float) -> Predictability:
    if rho >= TREND:
        return "predictable" if rho_lower >= TREND else "weak"
    if compute_lower >= TREND:
        return "not through this loss"
    return "inverse" if rho <= -TREND else "no trend"


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation; 0 where one of the two never changes."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(pd.Series(a).corr(pd.Series(b), method="spearman"))


def _lower(rho: float, runs: int) -> float:
    """Lower end of the 90 % interval of a rank correlation; -1 of three runs or fewer."""
    if runs <= 3:
        return -1.0
    z = np.arctanh(np.clip(rho, -0.999999, 0.999999))
    return float(np.tanh(z - NORMAL_95 * np.sqrt(1.06 / (runs - 3))))
