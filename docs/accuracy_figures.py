"""Says how the intervals of accuracies held on the two public sweeps that have them, beside every baseline.

    python docs/accuracy_figures.py FOLDER

FOLDER holds the public result files. Prints the scores of rolling-origin backtests, averaged within cut, within sweep, then over the two: the ladder of
2024, and eight tasks of Gadre's three corpora that small runs can do, linked through C4 loss.
"""

import sys
from pathlib import Path

import pandas as pd
from sweeps import gadre_tasks

import bayescale as bs
from bayescale.backtests import LEVELS

MEASURES = ["crps", "interval_score", "absolute_error", "width_90", *(f"inside_{100 * p:.0f}" for p in LEVELS)]


def averaged(found: bs.Backtest) -> pd.DataFrame:
    """Within cut, then over cuts: one row a model."""
    cases = found.cases.query("quantity == 'accuracy'").copy()
    cases["absolute_error"] = cases["error"].abs()
    cases["width_90"] = 100 * (cases["upper_90"] - cases["lower_90"])
    for p in LEVELS:
        name = f"{100 * p:.0f}"
        cases[f"inside_{name}"] = cases["actual"].between(cases[f"lower_{name}"], cases[f"upper_{name}"]).astype(float)
    return cases.groupby(["model", "cut"], sort=False)[MEASURES].mean().groupby("model", sort=False).mean()


def main(folder: Path) -> None:
    """Print all of it."""
    pd.set_option("display.width", 200)
    found = {}
    for ladder in (bs.load_dataset("ladder2024"), gadre_tasks(folder)):
        held = bs.backtest(ladder)
        found[ladder.name] = averaged(held)
        print(f"\n{held!r}\n{found[ladder.name].round(2).to_string()}", flush=True)
    print(f"\nmean of both\n{(sum(found.values()) / len(found)).round(3).to_string()}")


if __name__ == "__main__":
    bs.setup()
    main(Path(sys.argv[1]))
