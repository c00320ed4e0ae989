"""Says how the intervals of accuracies held on the two public sweeps that have accuracies.

    python docs/figures/accuracy_figures.py FOLDER

FOLDER holds the public result files. The script prints the scores of rolling-origin backtests
(`Backtest.scores`) beside those of every baseline, and their mean over the two sweeps. The sweeps
are the ladder of 2024, and eight tasks of Gadre's three corpora, linked through the C4 loss.
"""

import sys
from pathlib import Path

import pandas as pd
from sweeps import gadre_tasks

import bayescale as bs


def main(folder: Path) -> None:
    """Print the scores of both sweeps and their mean."""
    pd.set_option("display.width", 200)
    scores = []
    for ladder in (bs.load_dataset("ladder2024"), gadre_tasks(folder)):
        backtest = bs.backtest(ladder)
        scores.append(
            backtest.scores()
            .query("quantity == 'accuracy'")
            .set_index("model")
            .drop(columns="quantity")
        )
        print(f"\n{ladder.name}: {backtest!r}\n{scores[-1].round(2).to_string()}", flush=True)
    print(f"\nmean of both\n{((scores[0] + scores[1]) / 2).round(3).to_string()}")


if __name__ == "__main__":
    bs.setup()
    main(Path(sys.argv[1]))
