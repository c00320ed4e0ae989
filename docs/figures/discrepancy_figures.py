"""Says how the intervals of validation losses held on five families of public sweeps.

    python docs/figures/discrepancy_figures.py FOLDER [LAW ...]

FOLDER holds the public result files. For each law the script prints, from rolling-origin backtests
with the errors of the law learned, and with the law taken as true,

- CRPS, interval score, errors, width and coverage by family: averaged within each cut, then within
  each sweep, then within each family;
- the ratios of the scores to those of the same law taken as true, and their geometric mean over
  families;
- coverage of the 90 % intervals by extrapolation factor, with a bootstrap over (sweep, cut);
- the intervals of differences of losses between Gadre's corpora at one configuration;
- the intervals of the targets of the ladder and of Farseer, from all of their runs.

At the end it prints the scores of the first law relative to those of every other law.
"""

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sweeps import sweeps

import bayescale as bs
from bayescale.backtests.cuts import below
from bayescale.backtests.splits import default_cuts
from bayescale.fits.fit import fit_many
from bayescale.fits.record import Fit
from bayescale.fits.settings import make_settings
from bayescale.forecasts.scores import score
from bayescale.inference.nuts import Sampler

BINS = [1, 3, 10, 30, 100, np.inf]
LEVELS = (0.5, 0.8, 0.9, 0.95)
INSIDE = [f"inside_{100 * p:.0f}" for p in LEVELS]
KEYS = ["family", "series", "cut"]
SCORES = ["crps", "interval_score"]
MEASURES = [*SCORES, "absolute_error", "bias", "log_score", "width_90", *INSIDE]
# a run counts as larger than a cut where its compute exceeds the cut by more than this
SAME_COMPUTE = 1.02
BOOTSTRAPS = 500


class Larger(NamedTuple):
    """Forecasts of the losses of the runs that are larger than one cut.

    `runs` has one row per run and loss: run, loss_name, series (the corpus), params, tokens, factor
    (the extrapolation factor). `draws` (losses, draws) and `truth` (losses,) are 100 times the
    logarithm of the loss.
    """

    runs: pd.DataFrame
    draws: np.ndarray
    truth: np.ndarray


def fits(ladder: bs.Ladder, law: str, discrepancy: str) -> Iterator[tuple[float, Fit]]:
    """Each cut of the ladder with the fit below it."""
    settings = make_settings(
        ladder,
        law=law,
        link=None,
        via=None,
        pooling="partial",
        discrepancy=discrepancy,
        noise="normal",
        blocks=None,
        priors=None,
    )
    cuts = default_cuts(ladder)
    ladders = [below(ladder.with_role("fit"), cut) for cut in cuts]
    sampler = Sampler(chains=2, draws=500)
    return zip(cuts, fit_many(settings, sampler, ladders), strict=True)


def larger_runs(ladder: bs.Ladder, cut: float, fit: Fit) -> Larger | None:
    """Forecasts of the runs beyond a cut; None where there are none.

    The ladder's own targets are left out: they are looked at elsewhere.
    """
    compute = ladder.compute()
    targets = [
        target
        for target in ladder.targets("fit", "held_out")
        if compute[target.label] > SAME_COMPUTE * cut
        and target.corpus in fit.loss_data.groups.corpora
    ]
    if not targets:
        return None
    cells = bs.forecast(fit, targets).components.cells(None)
    target_of = {target.label: target for target in targets}
    chosen = [target_of[label] for _, label, _ in cells]
    runs = pd.DataFrame(
        {
            "run": [label for _, label, _ in cells],
            "loss_name": [name for _, _, name in cells],
            "series": [target.corpus for target in chosen],
            "params": [target.params for target in chosen],
            "tokens": [target.tokens for target in chosen],
            "factor": [compute[target.label] / cut for target in chosen],
        }
    )
    return Larger(
        runs=runs,
        draws=100 * np.log(np.stack(list(cells.values()))),
        truth=100 * np.log(_measured(ladder, cells)),
    )


def _measured(ladder: bs.Ladder, cells: Iterable[tuple[str, str, str]]) -> np.ndarray:
    """The measured loss of each (quantity, run, loss name)."""
    key = ["run", "loss_name"]
    losses = ladder.frame.drop_duplicates(key).set_index(key)["loss"]
    return losses[[(run, name) for _, run, name in cells]].to_numpy()


def scored(family: str, cut: float, larger: Larger) -> pd.DataFrame:
    """One row per loss of a run beyond the cut: its scores and its extrapolation factor."""
    draws, truth = larger.draws, larger.truth
    scores = score(draws, truth)
    for name, p in zip(INSIDE, LEVELS, strict=True):
        lower, upper = np.quantile(draws, [(1 - p) / 2, (1 + p) / 2], axis=1)
        scores[name] = ((lower <= truth) & (truth <= upper)).astype(float)
    mean, sd = draws.mean(1), draws.std(1)
    scores = scores.assign(
        log_score=0.5 * ((truth - mean) / sd) ** 2 + np.log(sd),
        width_90=scores["upper"] - scores["lower"],
        absolute_error=scores["error"].abs(),
        bias=scores["error"],
    )
    columns = larger.runs[["series", "factor"]].assign(family=family, cut=cut)
    return pd.concat([columns, scores], axis=1)


def cases(family: str, ladder: bs.Ladder, cut: float, fit: Fit) -> pd.DataFrame:
    """The scores of every run that is larger than the cut; empty where there is none."""
    larger = larger_runs(ladder, cut, fit)
    return pd.DataFrame() if larger is None else scored(family, cut, larger)


def averaged(rows: pd.DataFrame) -> pd.DataFrame:
    """Means within each cut, then each sweep, then each family: one row per family."""
    of_cut = rows.groupby(KEYS, sort=False)[MEASURES].mean()
    of_sweep = of_cut.groupby(["family", "series"], sort=False).mean()
    return of_sweep.groupby("family", sort=False).mean()


def by_factor(rows: pd.DataFrame) -> pd.DataFrame:
    """Coverage of the 90 % intervals by extrapolation factor, with its bootstrap."""
    rng = np.random.default_rng(0)
    table = []
    for factor, of_factor in rows.groupby(pd.cut(rows["factor"], BINS), observed=True):
        clusters = of_factor.groupby(KEYS)["inside_90"].mean().to_numpy()
        again = rng.choice(clusters, (BOOTSTRAPS, len(clusters))).mean(1)
        lower, upper = np.quantile(again, [0.05, 0.95])
        table.append(
            {
                "factor": str(factor),
                "cases": len(of_factor),
                "cuts": len(clusters),
                "inside_90": clusters.mean(),
                "lower": lower,
                "upper": upper,
            }
        )
    return pd.DataFrame(table)


def differences(cut: float, larger: Larger) -> pd.DataFrame:
    """One row per two runs of one configuration on different corpora: their difference of ln loss.

    Columns pair, cut, inside_90, width_90 and bias (median less truth, in percent).
    """
    log_size = np.log(larger.runs[["params", "tokens"]]).round(1)
    rows = []
    for _, at in larger.runs.groupby([log_size["params"], log_size["tokens"]]):
        for i, j in itertools.combinations(at.sort_values("series").index, 2):
            pair = larger.runs["series"][i], larger.runs["series"][j]
            if pair[0] == pair[1]:
                continue
            truth = larger.truth[i] - larger.truth[j]
            lower, median, upper = np.quantile(larger.draws[i] - larger.draws[j], [0.05, 0.5, 0.95])
            rows.append(
                {
                    "pair": " - ".join(pair),
                    "cut": cut,
                    "inside_90": float(lower <= truth <= upper),
                    "width_90": upper - lower,
                    "bias": median - truth,
                }
            )
    return pd.DataFrame(rows)


def show_law(law: str, families: dict[str, bs.Ladder]) -> pd.DataFrame:
    """Print all figures of one law; the scores by family, with the errors of the law learned."""
    learned = show_fits(f"{law}, errors learned", families, law, "calibrated")
    true = show_fits(f"{law}, taken as true", families, law, "none")
    show_ratios(f"{law}: errors learned / taken as true", learned, true)
    return learned


def show_fits(
    title: str, families: dict[str, bs.Ladder], law: str, discrepancy: str
) -> pd.DataFrame:
    """Print the figures of one law with or without its errors; the scores by family."""
    rows, of_corpora, failed = [], [], []
    for family, ladder in families.items():
        for cut, fit in fits(ladder, law, discrepancy):
            if fit.status == "fail":
                failed.append(f"{family} {cut:.2g}")
            larger = larger_runs(ladder, cut, fit)
            if larger is None:
                continue
            rows.append(scored(family, cut, larger))
            of_corpora.append(differences(cut, larger))
        if ladder.targets("target"):
            # The last cut is above all runs that may be fitted.
            show_targets(title, ladder, fit)
    of_family = averaged(pd.concat(rows))
    show(title, of_family, pd.concat(rows), pd.concat(of_corpora))
    print(f"checks that failed: {', '.join(failed) or 'none'}", flush=True)
    return of_family


def show(title: str, of_family: pd.DataFrame, rows: pd.DataFrame, of_corpora: pd.DataFrame) -> None:
    """Print the scores by family, coverage by factor, and the differences between corpora."""
    mean = of_family.mean().rename("mean").to_frame().T
    print(f"\n{title}\n{pd.concat([of_family, mean]).round(3).to_string()}")
    print(f"\n{by_factor(rows).round(3).to_string(index=False)}")
    of_cut = of_corpora.groupby(["pair", "cut"]).mean()
    print(f"\ndifferences between corpora\n{of_cut.groupby('pair').mean().round(3).to_string()}")
    print(f"all pairs: {of_cut.mean().round(3).to_dict()}")


def show_ratios(title: str, scores: pd.DataFrame, base: pd.DataFrame) -> None:
    """Print ratios of the scores by family to those of a base, and their geometric mean."""
    ratios = scores[SCORES] / base[SCORES]
    geometric = np.exp(np.log(ratios).mean()).rename("geometric mean").to_frame().T
    print(f"\n{title}\n{pd.concat([ratios, geometric]).round(3).to_string()}", flush=True)


def show_targets(title: str, ladder: bs.Ladder, whole: Fit) -> None:
    """Print how the intervals of the ladder's own targets held, from all of its runs."""
    cells = bs.forecast(whole, ladder.targets("target")).components.cells(None)
    truth = _measured(ladder, cells)
    loss = np.stack(list(cells.values()))
    for p in (0.9, 0.95):
        lower, upper = np.quantile(loss, [(1 - p) / 2, (1 + p) / 2], axis=1)
        inside = int(((lower <= truth) & (truth <= upper)).sum())
        width = 100 * (upper - lower) / truth
        print(
            f"{ladder.name}'s targets, {title}, {100 * p:.0f} %: {inside} of {len(truth)} inside, "
            f"{width.mean():.2f} % wide on average, {width.max():.2f} at most"
        )


def main(folder: Path, laws: Sequence[str]) -> None:
    """Print all figures, and the scores of the first law relative to those of the others."""
    pd.set_option("display.width", 200)
    families = sweeps(folder)
    by_law = {law: show_law(law, families) for law in laws}
    first = laws[0]
    for law in laws[1:]:
        show_ratios(f"{first} / {law}, errors learned", by_law[first], by_law[law])


if __name__ == "__main__":
    bs.setup(2)
    main(Path(sys.argv[1]), sys.argv[2:] or ["skaling", "chinchilla"])
