"""Estimates the prior of the law's drift on public sweeps, one family left out at a time, and says
how the intervals held on the family left out.

    python docs/discrepancy_figures.py FOLDER [LAW ...]

FOLDER holds the public result files. Prints, for each law: the best (drift, persistence) without
each family; coverage, interval score, CRPS and error of rolling-origin backtests of the family left
out, averaged within cut, within sweep, within family, then over families; and the same of the laws
taken as true.
"""

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sweeps import sweeps

import bayescale as bs
from bayescale.backtests.backtest import default_cuts
from bayescale.extrapolation.cuts import below
from bayescale.fits.fit import Fitter, make_settings
from bayescale.fits.record import Fit
from bayescale.forecasts.scores import score
from bayescale.inference.nuts import Sampler

DRIFTS, PERSISTENCES = (0.003, 0.005, 0.007, 0.009, 0.011, 0.015), (0.0, 0.3, 0.6)
BINS = [1, 3, 10, 30, 100, np.inf]
LEVELS = (0.5, 0.8, 0.9, 0.95)
KEYS = ["family", "series", "cut"]
MEASURES = [
    "crps",
    "interval_score",
    "absolute_error",
    "bias",
    "log_score",
    *(f"inside_{100 * p:.0f}" for p in LEVELS),
]


def fits(ladder: bs.Ladder, law: str, discrepancy: str) -> list[tuple[float, Fit]]:
    """One fit a cut."""
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
    )  # type: ignore[arg-type]
    chosen = default_cuts(ladder)
    fitter = Fitter(
        settings,
        Sampler(chains=2, draws=500),
        [below(ladder.with_role("fit"), cut) for cut in chosen],
    )
    return [(cut, fitter.fit(i)) for i, cut in enumerate(chosen)]


def cases(family: str, ladder: bs.Ladder, cut: float, fit: Fit) -> pd.DataFrame:
    """Every dearer run that came out, the ladder's own targets excepted: they are looked at
    elsewhere.
    """
    compute = ladder.compute()
    ahead = [
        t
        for t in ladder.targets("fit", "held_out")
        if compute[t.label] > 1.02 * cut and t.corpus in fit.loss_data.groups.corpora
    ]
    if not ahead:
        return pd.DataFrame()
    draws = bs.forecast(fit, ahead).parts.cells(None)
    actual = ladder.frame.drop_duplicates("run").set_index("run")["loss"]
    keys = list(draws)
    x, truth = (
        100 * np.log(np.stack([draws[k] for k in keys])),
        100 * np.log(actual[[k[1] for k in keys]].to_numpy()),
    )
    scored = score(x, truth)
    for p in LEVELS:
        lower, upper = np.quantile(x, [(1 - p) / 2, (1 + p) / 2], axis=1)
        scored[f"inside_{100 * p:.0f}"] = ((lower <= truth) & (truth <= upper)).astype(float)
    scored["log_score"] = 0.5 * ((truth - x.mean(1)) / x.std(1)) ** 2 + np.log(x.std(1))
    about = pd.DataFrame(
        {
            "family": family,
            "series": [t.corpus for t in ahead],
            "cut": cut,
            "factor": [compute[t.label] / cut for t in ahead],
        }
    )
    return pd.concat(
        [about, scored.assign(absolute_error=scored["error"].abs(), bias=scored["error"])], axis=1
    )


def averaged(found: pd.DataFrame) -> pd.DataFrame:
    """Within cut, within sweep, within family: one row a family."""
    return (
        found.groupby(KEYS)[MEASURES]
        .mean()
        .groupby(["family", "series"])
        .mean()
        .groupby("family")
        .mean()
    )


def with_prior(fit: Fit, drift: float, persistence: float) -> Fit:
    """The same fit under another prior of the drift; that of a small ladder stays."""
    slopes = tuple(
        s
        if s.basis.startswith("the prior of small")
        else replace(s, common=drift, own=s.own / s.common * drift, persistence=persistence)
        for s in fit.discrepancy.slopes
    )
    return replace(fit, discrepancy=replace(fit.discrepancy, slopes=slopes))


def main(folder: Path, laws: list[str]) -> None:
    """Print all of it."""
    families = sweeps(folder)
    pd.set_option("display.width", 200)
    plain = pd.concat(
        [
            cases(name, ladder, cut, fit)
            for name, ladder in families.items()
            for cut, fit in fits(ladder, "chinchilla", "none")
        ]
    )
    show("chinchilla, taken as true", plain, plain)
    for law in laws:
        found = {name: fits(ladder, law, "calibrated") for name, ladder in families.items()}
        grid = list(itertools.product(DRIFTS, PERSISTENCES))
        tried = {
            p: pd.concat(
                [
                    cases(n, families[n], cut, with_prior(fit, *p))
                    for n, of in found.items()
                    for cut, fit in of
                ]
            )
            for p in grid
        }
        by_family = pd.DataFrame({p: averaged(t)["log_score"] for p, t in tried.items()})
        best = {name: by_family.drop(index=name).mean().idxmin() for name in families}
        print(
            f"\n{law}: log score by drift and persistence\n{by_family.mean().round(3).to_string()}"
        )
        print(f"best of all: {by_family.mean().idxmin()}; without each: {best}")
        left_out = pd.concat([tried[p][tried[p]["family"] == name] for name, p in best.items()])
        show(f"{law}, each family under the prior of the others", left_out, plain)
        show(
            f"{law}, as shipped",
            pd.concat(
                [cases(n, families[n], cut, fit) for n, of in found.items() for cut, fit in of]
            ),
            plain,
        )
        show_targets(law, families["farseer2025"], found["farseer2025"][-1][1])
        alone = [
            cases(n, families[n], cut, replace(fit, discrepancy=bs.Discrepancy("none")))
            for n, of in found.items()
            for cut, fit in of
        ]
        show(f"{law}, without discrepancy", pd.concat(alone), plain)
        print(
            f"Muennighoff's runs, {law} in hindsight: interval score {hindsight(families['muennighoff2023'], law):.1f}"
        )


def hindsight(ladder: bs.Ladder, law: str) -> float:
    """Interval score where the law has seen every run and the interval at each cut is that of the
    errors beyond it: nearly the least that there is.
    """
    fit = bs.fit(ladder, law=law, discrepancy="none")
    drawn = bs.forecast(fit, ladder.targets("fit")).parts.cells(None)
    actual, compute = ladder.frame.set_index("run")["loss"], ladder.compute()
    error = pd.Series(
        {
            run: 100 * float(np.log(actual[run]) - np.median(np.log(x)))
            for (_, run, _), x in drawn.items()
        }
    )
    found = []
    for cut in default_cuts(ladder):
        beyond = error[compute[error.index] > 1.02 * cut]
        lower, upper = beyond.quantile([0.05, 0.95])
        found.append(
            upper
            - lower
            + 20 * (np.maximum(lower - beyond, 0) + np.maximum(beyond - upper, 0)).mean()
        )
    return float(np.mean(found))


def show_targets(law: str, ladder: bs.Ladder, whole: Fit) -> None:
    """Farseer's own targets, from all of its runs."""
    actual = ladder.frame.set_index("run")["loss"]
    for name, fit in (
        ("as shipped", whole),
        ("without discrepancy", replace(whole, discrepancy=bs.Discrepancy("none"))),
    ):
        made = bs.forecast(fit, ladder.targets("target"))
        names = [t.label for t in made.targets]
        x, truth = (
            made.draws["loss"]
            .stack(sample=("chain", "draw"))
            .isel(task=0)
            .sel(target=names)
            .to_numpy(),
            actual[names].to_numpy(),
        )
        for p in (0.9, 0.95):
            lower, upper = np.quantile(x, [(1 - p) / 2, (1 + p) / 2], axis=1)
            held, width = (
                int(((lower <= truth) & (truth <= upper)).sum()),
                100 * (upper - lower) / truth,
            )
            print(
                f"Farseer's targets, {law} {name}, {100 * p:.0f} %: {held} of 7 inside, {width.mean():.1f} % wide on average, {width.max():.1f} at most"
            )


def show(title: str, found: pd.DataFrame, plain: pd.DataFrame) -> None:
    """The averages over families, their ratio to chinchilla taken as true, and coverage by factor
    with a bootstrap over (sweep, cut).
    """
    mine, base = averaged(found).mean(), averaged(plain).mean()
    ratios = {k: round(float(mine[k] / base[k]), 3) for k in ("interval_score", "crps")}
    print(f"\n{title}: ratios to chinchilla taken as true {ratios}")
    print(pd.concat([averaged(found), mine.rename("mean").to_frame().T]).round(3).to_string())
    rng = np.random.default_rng(0)
    for factor, of in found.groupby(pd.cut(found["factor"], BINS), observed=True):
        clusters = of.groupby(KEYS)[["inside_80", "inside_90"]].mean()
        again = np.array(
            [
                clusters.iloc[rng.integers(0, len(clusters), len(clusters))].mean()
                for _ in range(500)
            ]
        )
        lower, upper = np.quantile(again, [0.05, 0.95], axis=0)
        held = "; ".join(
            f"{k[7:]} %: {clusters[k].mean():.2f} ({lower[i]:.2f} to {upper[i]:.2f})"
            for i, k in enumerate(clusters)
        )
        print(f"  factor {factor}: {len(of)} cases, {held}")


if __name__ == "__main__":
    bs.setup(2)
    main(Path(sys.argv[1]), sys.argv[2:] or ["skaling", "chinchilla"])
