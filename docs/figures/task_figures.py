"""Says what the past of two public sweeps tells of the errors of task losses and of links.

    python docs/figures/task_figures.py FOLDER

FOLDER holds the public result files. The script prints the log evidence, relative to the best, of
each scale of the prior: of the sd between losses of tasks (percent per e-fold of compute), and of
the link's scale (logits per e-fold). The evidence is that of the past slopes of the fitted runs: a
mean over the cuts, as everywhere, with the common scale r integrated out.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sweeps import gadre_tasks

import bayescale as bs
from bayescale.extrapolation.discrepancy import OWN, Slopes

TASK_SDS = (0.0, 0.002, 0.004, 0.006, 0.009, 0.012, 0.018, 0.025)
LINK_SCALES = (0.01, 0.02, 0.03, 0.05, 0.08, 0.11, 0.16, 0.24)


def evidence(slopes: Slopes) -> float:
    """ln sum over r of p(r) p(past | r)."""
    p_r = replace(slopes, past_slopes=None, covariance=None).scales()[1]
    log_p = slopes.log_likelihoods()
    return float(log_p.max() + np.log(p_r @ np.exp(log_p - log_p.max())))


def relative(by_scale: dict[float, float]) -> str:
    """Each scale with its log evidence, less the largest."""
    best = max(by_scale.values())
    return ", ".join(f"{scale:g}: {value - best:.1f}" for scale, value in by_scale.items())


def show(group: Slopes) -> None:
    """Print the evidence for each scale of one group of series."""
    if group.stage == "accuracy":
        by_scale = {x: evidence(replace(group, by_name=x, own=OWN * x)) for x in LINK_SCALES}
        print("link's scale:", relative(by_scale))
    elif group.kind == "task":
        by_sd = {100 * x: evidence(replace(group, by_name=x)) for x in TASK_SDS}
        print("sd between tasks, %:", relative(by_sd))


def main(folder: Path) -> None:
    """Print the evidence on both sweeps, for each loss that accuracies are linked through."""
    pd.set_option("display.width", 200)
    for ladder in (bs.load_dataset("ladder2024"), gadre_tasks(folder)):
        fit = bs.fit(ladder, chains=2)
        for route in fit.components:
            slopes = route.discrepancy.to_frame().round(4)
            print(f"\n{ladder.name}, via {route.via or 'own loss'}\n{slopes.to_string()}")
            for group in route.discrepancy.slopes:
                show(group)


if __name__ == "__main__":
    bs.setup(2)
    main(Path(sys.argv[1]))
