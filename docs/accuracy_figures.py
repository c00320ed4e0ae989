"""Says how the intervals of accuracies held on the two public sweeps that have them, beside every
baseline.

    python docs/accuracy_figures.py FOLDER

FOLDER holds the public result files. Prints the scores of rolling-origin backtests
(`Backtest.scores`), and their mean over the two: the ladder of 2024, and eight tasks of Gadre's
three corpora that small runs can do, linked through C4 loss.
"""

import sys
from pathlib import Path

import pandas as pd
from sweeps import gadre_tasks

import bayescale as bs


def main(folder: Path) -> None:
    """Print all of it."""
    pd.set_option("display.width", 200)
    found = []
    for ladder in (bs.load_dataset("ladder2024"), gadre_tasks(folder)):
        held = bs.backtest(ladder)
        found.append(
            held.scores()
            .query("quantity == 'accuracy'")
            .set_index("model")
            .drop(columns="quantity")
        )
        print(f"\n{ladder.name}: {held!r}\n{found[-1].round(2).to_string()}", flush=True)
    print(f"\nmean of both\n{((found[0] + found[1]) / 2).round(3).to_string()}")


if __name__ == "__main__":
    bs.setup()
    main(Path(sys.argv[1]))
