"""Estimates the prior of the law's drift on public sweeps, and says how the intervals held.

    python docs/figures/discrepancy_figures.py FOLDER [LAW ...]

FOLDER holds the public result files. One family of sweeps is left out at a time: the prior is
estimated on the other families, and the intervals are judged on the family left out. For each law
the script prints

- the best (drift, persistence) without each family;
- coverage, interval score, CRPS and error of rolling-origin backtests of the family left out,
  averaged within each cut, then within each sweep, then within each family, then over families;
- the same for the laws taken as true.
"""

import itertools
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sweeps import sweeps

import bayescale as bs
from bayescale.backtests.splits import default_cuts
from bayescale.extrapolation.cuts import below
from bayescale.fits.fit import fit_many
from bayescale.fits.record import Fit
from bayescale.fits.settings import make_settings
from bayescale.forecasts.scores import score
from bayescale.inference.nuts import Sampler

DRIFTS = (0.003, 0.005, 0.007, 0.009, 0.011, 0.015)
PERSISTENCES = (0.0, 0.3, 0.6)
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
# a run counts as larger than a cut where its compute exceeds the cut by more than this
SAME_COMPUTE = 1.02
BOOTSTRAPS = 500
# the fit at each cut of a ladder
CutFits = list[tuple[float, Fit]]


def fits(ladder: bs.Ladder, law: str, discrepancy: str) -> CutFits:
    """One fit per cut of the ladder."""
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
    return list(zip(cuts, fit_many(settings, sampler, ladders), strict=True))


def cases(family: str, ladder: bs.Ladder, cut: float, fit: Fit) -> pd.DataFrame:
    """One row per run that is larger than the cut: its scores and its extrapolation factor.

    The ladder's own targets are left out: they are looked at elsewhere.
    """
    compute = ladder.compute()
    larger_runs = [
        target
        for target in ladder.targets("fit", "held_out")
        if compute[target.label] > SAME_COMPUTE * cut
        and target.corpus in fit.loss_data.groups.corpora
    ]
    if not larger_runs:
        return pd.DataFrame()
    draws = bs.forecast(fit, larger_runs).components.cells(None)
    actual = ladder.frame.drop_duplicates("run").set_index("run")["loss"]
    keys = list(draws)
    # in percent of the loss
    log_loss = 100 * np.log(np.stack([draws[key] for key in keys]))
    truth = 100 * np.log(actual[[key[1] for key in keys]].to_numpy())
    scored = score(log_loss, truth)
    for p in LEVELS:
        lower, upper = np.quantile(log_loss, [(1 - p) / 2, (1 + p) / 2], axis=1)
        scored[f"inside_{100 * p:.0f}"] = ((lower <= truth) & (truth <= upper)).astype(float)
    mean, sd = log_loss.mean(1), log_loss.std(1)
    scored["log_score"] = 0.5 * ((truth - mean) / sd) ** 2 + np.log(sd)
    columns = pd.DataFrame(
        {
            "family": family,
            "series": [target.corpus for target in larger_runs],
            "cut": cut,
            "factor": [compute[target.label] / cut for target in larger_runs],
        }
    )
    scored = scored.assign(absolute_error=scored["error"].abs(), bias=scored["error"])
    return pd.concat([columns, scored], axis=1)


def all_cases(
    families: dict[str, bs.Ladder], cut_fits: Iterable[tuple[str, float, Fit]]
) -> pd.DataFrame:
    """The cases of many (family, cut, fit)."""
    return pd.concat([cases(name, families[name], cut, fit) for name, cut, fit in cut_fits])


def averaged(scored: pd.DataFrame) -> pd.DataFrame:
    """Means within each cut, then each sweep, then each family: one row per family."""
    return (
        scored.groupby(KEYS)[MEASURES]
        .mean()
        .groupby(["family", "series"])
        .mean()
        .groupby("family")
        .mean()
    )


def with_prior(fit: Fit, drift: float, persistence: float) -> Fit:
    """The same fit under another prior of the drift; the prior of small ladders stays."""
    slopes = tuple(
        group
        if group.basis.startswith("the prior of small")
        else replace(
            group, common=drift, own=group.own / group.common * drift, persistence=persistence
        )
        for group in fit.discrepancy.slopes
    )
    return replace(fit, discrepancy=replace(fit.discrepancy, slopes=slopes))


def without_discrepancy(fit: Fit) -> Fit:
    """The same posteriors, with law and link taken as true beyond the ladder."""
    return replace(fit, discrepancy=bs.Discrepancy("none"))


def main(folder: Path, laws: list[str]) -> None:
    """Print all figures of the page."""
    families = sweeps(folder)
    pd.set_option("display.width", 200)
    plain = all_cases(
        families,
        (
            (name, cut, fit)
            for name, ladder in families.items()
            for cut, fit in fits(ladder, "chinchilla", "none")
        ),
    )
    show("chinchilla, taken as true", plain, plain)
    for law in laws:
        show_law(law, families, plain)


def show_law(law: str, families: dict[str, bs.Ladder], plain: pd.DataFrame) -> None:
    """Print the best prior of the drift, and how the intervals held under several priors."""
    fits_by_family = {name: fits(ladder, law, "calibrated") for name, ladder in families.items()}
    calibrated = [
        (name, cut, fit) for name, cut_fits in fits_by_family.items() for cut, fit in cut_fits
    ]
    by_prior = {
        prior: all_cases(
            families, ((name, cut, with_prior(fit, *prior)) for name, cut, fit in calibrated)
        )
        for prior in itertools.product(DRIFTS, PERSISTENCES)
    }
    log_score = pd.DataFrame({p: averaged(scored)["log_score"] for p, scored in by_prior.items()})
    best = {name: log_score.drop(index=name).mean().idxmin() for name in families}
    print(f"\n{law}: log score by drift and persistence\n{log_score.mean().round(3).to_string()}")
    print(f"best of all: {log_score.mean().idxmin()}; without each: {best}")
    left_out = pd.concat([by_prior[p][by_prior[p]["family"] == name] for name, p in best.items()])
    show(f"{law}, each family under the prior of the others", left_out, plain)
    show(f"{law}, as shipped", all_cases(families, calibrated), plain)
    show_targets(law, families["farseer2025"], fits_by_family["farseer2025"][-1][1])
    alone = all_cases(
        families, ((name, cut, without_discrepancy(fit)) for name, cut, fit in calibrated)
    )
    show(f"{law}, without discrepancy", alone, plain)
    interval_score = hindsight(families["muennighoff2023"], law)
    print(f"Muennighoff's runs, {law} in hindsight: interval score {interval_score:.1f}")


def hindsight(ladder: bs.Ladder, law: str) -> float:
    """Nearly the smallest interval score that is possible with this law.

    The law has seen every run, and the interval at each cut is that of the errors beyond the cut.
    """
    fit = bs.fit(ladder, law=law, discrepancy="none")
    draws = bs.forecast(fit, ladder.targets("fit")).components.cells(None)
    actual = ladder.frame.set_index("run")["loss"]
    compute = ladder.compute()
    error = pd.Series(
        {
            run: 100 * float(np.log(actual[run]) - np.median(np.log(x)))
            for (_, run, _), x in draws.items()
        }
    )
    scores = []
    for cut in default_cuts(ladder):
        beyond = error[compute[error.index] > SAME_COMPUTE * cut]
        lower, upper = beyond.quantile([0.05, 0.95])
        outside = np.maximum(lower - beyond, 0) + np.maximum(beyond - upper, 0)
        scores.append(upper - lower + 20 * outside.mean())
    return float(np.mean(scores))


def show_targets(law: str, ladder: bs.Ladder, whole: Fit) -> None:
    """Print how the intervals of Farseer's own targets held, from all of its runs."""
    actual = ladder.frame.set_index("run")["loss"]
    for name, fit in (
        ("as shipped", whole),
        ("without discrepancy", without_discrepancy(whole)),
    ):
        forecast = bs.forecast(fit, ladder.targets("target"))
        labels = [target.label for target in forecast.targets]
        loss = (
            forecast.draws["loss"]
            .stack(sample=("chain", "draw"))
            .isel(task=0)
            .sel(target=labels)
            .to_numpy()
        )
        truth = actual[labels].to_numpy()
        for p in (0.9, 0.95):
            lower, upper = np.quantile(loss, [(1 - p) / 2, (1 + p) / 2], axis=1)
            inside = int(((lower <= truth) & (truth <= upper)).sum())
            width = 100 * (upper - lower) / truth
            print(
                f"Farseer's targets, {law} {name}, {100 * p:.0f} %: {inside} of 7 inside, "
                f"{width.mean():.1f} % wide on average, {width.max():.1f} at most"
            )


def show(title: str, scored: pd.DataFrame, plain: pd.DataFrame) -> None:
    """Print averages over families, their ratios to `plain`, and coverage by factor.

    `plain` holds the cases of chinchilla taken as true. Coverage by extrapolation factor has the
    90 % interval of a bootstrap over (sweep, cut).
    """
    by_family = averaged(scored)
    mean = by_family.mean()
    base = averaged(plain).mean()
    ratios = {k: round(float(mean[k] / base[k]), 3) for k in ("interval_score", "crps")}
    print(f"\n{title}: ratios to chinchilla taken as true {ratios}")
    print(pd.concat([by_family, mean.rename("mean").to_frame().T]).round(3).to_string())
    rng = np.random.default_rng(0)
    for factor, rows in scored.groupby(pd.cut(scored["factor"], BINS), observed=True):
        clusters = rows.groupby(KEYS)[["inside_80", "inside_90"]].mean()
        resampled = np.array(
            [
                clusters.iloc[rng.integers(0, len(clusters), len(clusters))].mean()
                for _ in range(BOOTSTRAPS)
            ]
        )
        lower, upper = np.quantile(resampled, [0.05, 0.95], axis=0)
        coverage = "; ".join(
            f"{k[7:]} %: {clusters[k].mean():.2f} ({lower[i]:.2f} to {upper[i]:.2f})"
            for i, k in enumerate(clusters)
        )
        print(f"  factor {factor}: {len(rows)} cases, {coverage}")


if __name__ == "__main__":
    bs.setup(2)
    main(Path(sys.argv[1]), sys.argv[2:] or ["skaling", "chinchilla"])
