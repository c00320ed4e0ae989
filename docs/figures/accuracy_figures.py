"""Says how the intervals of accuracies held on the two public sweeps that have accuracies.

    python docs/figures/accuracy_figures.py FOLDER

FOLDER holds the public result files. The sweeps are the ladder of 2024, and eight tasks of Gadre's
three corpora, linked through the C4 loss. For each sweep the script prints

- the scores of rolling-origin backtests (`Backtest.scores`) of the losses and of the accuracies,
  beside those of every baseline;
- how the intervals of the mean accuracy over tasks held: averaged within each (corpus, cut), then
  within each corpus. A backtest keeps no joint draws, so each cut is fitted once more for this.

At the end it prints the mean over the two sweeps.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sweeps import gadre_tasks

import bayescale as bs
from bayescale.backtests.splits import Split, default_cuts, size_of
from bayescale.fits.fit import fit_many
from bayescale.fits.record import Fit
from bayescale.fits.settings import AUTO, make_settings
from bayescale.forecasts.scores import score
from bayescale.inference.nuts import Sampler

LEVELS = (0.5, 0.8, 0.9, 0.95)
CHAINS, DRAWS = 2, 500
DISCREPANCIES = ("calibrated", "none")


def main(folder: Path) -> None:
    """Print the scores of both sweeps and their mean."""
    pd.set_option("display.width", 200)
    scores, means = [], []
    for ladder in (bs.load_dataset("ladder2024"), gadre_tasks(folder)):
        backtest = bs.backtest(ladder, chains=CHAINS, draws=DRAWS)
        table = backtest.scores().set_index(["quantity", "model"]).drop(columns="cases")
        print(f"\n{ladder.name}: {backtest!r}\n{table.round(2).to_string()}", flush=True)
        scores.append(table.loc["accuracy"])
        means.append(pd.DataFrame({name: mean_over_tasks(ladder, name) for name in DISCREPANCIES}))
        print(f"\nmean over tasks, by discrepancy\n{means[-1].round(3).to_string()}", flush=True)
    print(f"\naccuracies, mean of both\n{(sum(scores) / 2).round(3).to_string()}")
    print(f"\nmean over tasks, mean of both\n{(sum(means) / 2).round(3).to_string()}")


def mean_over_tasks(ladder: bs.Ladder, discrepancy: str) -> pd.Series:
    """Scores in points and coverage of the mean accuracy over tasks of every larger run."""
    known = ladder.frame.pivot_table(index="run", columns="task", values="accuracy")
    accuracy = known.reindex(index=ladder.runs.index, columns=ladder.tasks)
    cases = [cases_of(split, fit, accuracy) for split, fit in fits(ladder, discrepancy)]
    of_cut = pd.concat(cases).groupby(["corpus", "cut"]).mean()
    return of_cut.groupby("corpus").mean().mean()


def fits(ladder: bs.Ladder, discrepancy: str) -> Iterator[tuple[Split, Fit]]:
    """Every default cut of a ladder, and the fit below it."""
    settings = make_settings(
        ladder,
        law=None,
        link=None,
        via=AUTO,
        pooling="partial",
        discrepancy=discrepancy,
        noise="normal",
        blocks=None,
        priors=None,
    )
    size = size_of(ladder, "flops")
    splits = [Split(ladder, "flops", cut, size, 0) for cut in default_cuts(ladder)]
    ladders = [split.fitted for split in splits]
    return zip(
        splits, fit_many(settings, Sampler(chains=CHAINS, draws=DRAWS), ladders), strict=True
    )


def cases_of(split: Split, fit: Fit, accuracy: pd.DataFrame) -> pd.DataFrame:
    """One row per larger run that has all tasks."""
    targets = [t for t in split.targets(fit) if accuracy.loc[t.label].notna().all()]
    if not targets:
        return pd.DataFrame()
    drawn = bs.forecast(fit, targets, seed=split.seed).draws["accuracy"]
    mean = drawn.sel(task=list(accuracy.columns)).mean("task", skipna=False)
    draws = 100 * mean.transpose("target", "chain", "draw").to_numpy().reshape(len(targets), -1)
    truth = 100 * accuracy.loc[[t.label for t in targets]].mean(axis=1).to_numpy()
    scores = score(draws, truth)
    rows = scores[["crps", "interval_score"]].assign(
        corpus=[t.corpus for t in targets],
        cut=split.cut,
        bias=scores["error"],
        absolute_error=scores["error"].abs(),
        width_90=scores["upper"] - scores["lower"],
    )
    for p in LEVELS:
        lower, upper = np.quantile(draws, [(1 - p) / 2, (1 + p) / 2], axis=1)
        rows[f"inside_{100 * p:.0f}"] = ((lower <= truth) & (truth <= upper)).astype(float)
    return rows


if __name__ == "__main__":
    bs.setup()
    main(Path(sys.argv[1]))
