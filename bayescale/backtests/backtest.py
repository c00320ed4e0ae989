"""backtest(ladder, ...) -> Backtest: fit on the cheap runs, forecast the dear ones, again and
again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpyro.distributions import Distribution

from bayescale.backtests.baselines import largest_run, point_fits
from bayescale.backtests.cache import Keep
from bayescale.backtests.record import (
    LARGEST_RUN,
    LEVELS,
    NO_DISCREPANCY,
    OURS,
    POINT_FITS,
    UNPOOLED,
    Backtest,
)
from bayescale.data.ladder import Ladder
from bayescale.data.outcomes import outcomes
from bayescale.data.target import Target, six_nd
from bayescale.errors import DataError, SettingError
from bayescale.extrapolation.cuts import SAME_COST, enough_runs, one_measure
from bayescale.extrapolation.cuts import cuts as cuts_of
from bayescale.extrapolation.discrepancy import Discrepancy, DiscrepancyMode
from bayescale.fits.fit import Fitter, make_settings
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.scores import score
from bayescale.inference.nuts import Sampler
from bayescale.models.inputs import AUTO, accuracy_data
from bayescale.models.laws import Law
from bayescale.models.links import Link
from bayescale.models.noise import Noise
from bayescale.models.pooling import PoolingMode
from bayescale.runtime import require_64bit

CASES = ("fit", "held_out", "target")  # runs that are finished: what only a link may see is none
By = Literal["flops", "params", "tokens"]
# of the default cuts: runs of every series below the first, steps of compute, and how many
FIRST_RUNS, MIN_RATIO, MAX_CUTS = 8, 1.5, 8


def backtest(
    ladder: Ladder,
    *,
    by: By = "flops",
    cuts: Sequence[float] | None = None,
    law: str | Law | None = None,
    link: str | Link | None = None,
    via: str | None = AUTO,
    pooling: PoolingMode = "partial",
    discrepancy: DiscrepancyMode = "calibrated",
    noise: Noise = "normal",
    priors: Mapping[str, Distribution] | None = None,
    baselines: bool = True,
    chains: int = 4,
    draws: int = 1000,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> Backtest:
    """For every cut: fit(runs up to the cut), forecast of all dearer ones, held-out runs and
    targets included; nothing beyond a cut is seen by its fit.

    Parameters
    ----------
    ladder
        Its fitted runs are cut; whatever lies beyond a cut and has come out is a case.
    by, cuts
        Runs with at most so many FLOPs, parameters or tokens are fitted. None: up to 8 cuts, from 8
        runs of every series up to the whole ladder.
    law, link, via, pooling, discrepancy, noise, priors
        As in `fit`. A calibration uses only runs up to its own cut.
    baselines
        Whether the same splits are also forecast without discrepancy, without pooling, by the
        papers' point fits with a residual bootstrap, and by the figure of the largest run.
    chains, draws, seed
        Of the sampler, for each fit.
    progress
        Told the model and the cut, and the share of all done.

    Interrupted, it keeps the cuts that are done, in the user's cache folder, and takes them up when
    it is called again with the same ladder and settings.

    Raises
    ------
    SettingError
        For an unknown `by`, a cut that leaves nothing to fit or nothing to forecast, and whatever
        `fit` refuses.
    DataError
        Where the ladder is too small for a single cut.
    """
    require_64bit()
    if by not in get_args(By):
        raise SettingError(
            "by",
            rule=f"must be one of {', '.join(get_args(By))}",
            got=repr(by),
            way_out="mend the name",
        )
    if law == AUTO:
        raise SettingError(
            "law",
            rule="must be one law, whose forecasts are tested",
            got="'auto'",
            way_out="backtest each law, and compare their scores",
        )
    settings = make_settings(
        ladder,
        law=law,
        link=link,
        via=via,
        pooling=pooling,
        discrepancy=discrepancy,
        noise=noise,
        blocks=None,
        priors=priors,
    )
    places = _places(ladder, by)
    chosen = default_cuts(ladder, by) if cuts is None else _check_cuts(ladder, places, by, cuts)
    sampler = Sampler(chains=chains, draws=draws, seed=seed)
    keep = Keep(ladder, settings, sampler, by, baselines)
    models = {OURS: settings}
    if baselines:
        models |= {UNPOOLED: replace(settings, pooling="none")}
    cases, folds = [], []
    for i, (model, mine) in enumerate(models.items()):
        fitter = Fitter(mine, sampler, [_up_to(ladder, by, cut) for cut in chosen])
        for j, cut in enumerate(chosen):
            if progress is not None:
                progress(f"{model}, {by} up to {cut:.3g}", (i + j / len(chosen)) / len(models))
            found = keep.load(model, cut)
            if found is None:
                found = _fold(ladder, fitter.fit(j), model, cut, places, seed)
                if model == OURS and baselines:
                    found = _with_baselines(found, ladder, fitter.fit(j), cut, places, seed)
                keep.save(model, cut, *found)
            cases.append(found[0])
            folds.append(found[1])
    keep.forget()
    return Backtest(pd.concat(cases, ignore_index=True), pd.concat(folds, ignore_index=True), by)


def default_cuts(ladder: Ladder, by: By = "flops") -> list[float]:
    """From 8 runs of every series, at least 1.5 times apart, the whole ladder last where dearer
    runs have come out.
    """
    seen = ladder.with_role("fit")
    places = _places(ladder, by)[seen.runs.index]
    first = enough_runs(seen, FIRST_RUNS, places)
    last = float(places.max())
    ratio = max(MIN_RATIO if by == "flops" else SAME_COST, (last / first) ** (1 / (MAX_CUTS - 1)))
    found = cuts_of(places, first=first, ratio=ratio)
    if (_places(ladder.with_role(*CASES), by) > last * SAME_COST).any():
        found.append(last)
    if not found:
        rule = f"must have {FIRST_RUNS} fitted runs of every series and dearer ones that came out"
        raise DataError(
            "ladder to backtest", rule=rule, got="fewer", way_out="give cuts=, or add runs"
        )
    return found


def _places(ladder: Ladder, by: str) -> pd.Series:
    """What the cuts are of, by run."""
    runs = ladder.runs
    return (
        ladder.compute().fillna(six_nd(runs["params"], runs["tokens"]))
        if by == "flops"
        else runs[by]
    )


def _up_to(ladder: Ladder, by: str, cut: float) -> Ladder:
    """The fitted runs (and the link's) up to a cut."""
    return one_measure(ladder).up_to(**{by: cut * SAME_COST})


def _check_cuts(ladder: Ladder, places: pd.Series, by: str, given: Sequence[float]) -> list[float]:
    """The cuts in order; of those that leave the same runs below, the lowest."""
    listed = isinstance(given, Sequence | np.ndarray) and len(given) > 0
    if not listed or not all(isinstance(cut, int | float | np.number) for cut in given):
        raise SettingError(
            "cuts",
            rule="must be a list of numbers",
            got=repr(given),
            way_out="such as cuts=[1e20, 1e21]",
        )
    fitted = places[ladder.runs["role"].isin(["fit"])]
    for cut in given:
        if not (fitted <= cut * SAME_COST).any() or not (places > cut * SAME_COST).any():
            within = f"between {fitted.min():.3g} and {places.max():.3g}"
            raise SettingError(
                "cuts",
                rule=f"must leave runs on both sides of {by}",
                got=f"{cut:g}",
                way_out=within,
            )
    below_it = {
        int((fitted <= cut * SAME_COST).sum()): float(cut) for cut in sorted(given, reverse=True)
    }
    return sorted(below_it.values())


def _ahead(ladder: Ladder, fit: Fit, cut: float, places: pd.Series) -> list[Target]:
    """The runs beyond a cut whose corpus the fit knows."""
    beyond = set(places.index[places > cut * SAME_COST])
    return [
        t
        for t in ladder.targets(*CASES)
        if t.label in beyond and t.corpus in fit.loss_data.groups.corpora
    ]


def _fold(
    ladder: Ladder, fit: Fit, model: str, cut: float, places: pd.Series, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    targets = _ahead(ladder, fit, cut, places)
    made = forecast(fit, targets, seed=seed)
    drawn = made.parts.cells(None)
    failed = "; ".join(
        f"{c.check} {c.value:.3g}" for c in fit.checks if c.status in ("fail", "not run")
    )
    about = {
        "model": model,
        "cut": cut,
        "runs": len(fit.ladder.with_role("fit").runs),
        "status": fit.status,
        "failed": failed,
    }
    return _cases(ladder, model, cut, drawn, made.extrapolation), pd.DataFrame([about])


def _with_baselines(
    found: tuple[pd.DataFrame, pd.DataFrame],
    ladder: Ladder,
    fit: Fit,
    cut: float,
    places: pd.Series,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    targets = _ahead(ladder, fit, cut, places)
    corpora = [str(t.corpus) for t in targets]
    far = found[0].drop_duplicates("run").rename(columns={"run": "target"})
    own = accuracy_data(fit.ladder, None if fit.via == AUTO else fit.via)
    points, failed = point_fits(
        fit.law.name, fit.loss_data, own, targets, corpora, np.random.default_rng([seed, 1])
    )
    alone = forecast(_as_true(fit), targets, seed=seed).parts.cells(None)
    cases = [found[0]]
    for model, drawn in (
        (NO_DISCREPANCY, alone),
        (POINT_FITS, points),
        (LARGEST_RUN, largest_run(fit.loss_data, own, targets, corpora)),
    ):
        cases.append(_cases(ladder, model, cut, drawn, far))
    why = "no convergence: " + ", ".join(failed) if failed else ""
    about = found[1].assign(model=NO_DISCREPANCY)
    more = pd.DataFrame(
        {
            "model": [POINT_FITS, LARGEST_RUN],
            "cut": cut,
            "failed": [why, ""],
            "status": "pass",
            "runs": found[1]["runs"].iloc[0],
        }
    )
    more.loc[more["failed"] != "", "status"] = "warn"
    more = pd.concat([about, more])
    return pd.concat(cases, ignore_index=True), pd.concat([found[1], more], ignore_index=True)


def _as_true(fit: Fit) -> Fit:
    """The same posteriors and weights, law and link taken as true beyond the ladder."""
    return replace(
        fit,
        discrepancy=Discrepancy("none"),
        members=tuple(replace(m, discrepancy=Discrepancy("none")) for m in fit.members),
    )


def _cases(
    ladder: Ladder,
    model: str,
    cut: float,
    drawn: Mapping[tuple[str, str, str], np.ndarray],
    far: pd.DataFrame,
) -> pd.DataFrame:
    """One row a cell that came out, from draws by (quantity, run, name)."""
    actual = _actual(ladder)
    keys = [key for key in drawn if key in actual.index and not np.isnan(drawn[key]).any()]
    if not keys:
        return pd.DataFrame()
    draws, truth = np.stack([drawn[key] for key in keys]), actual[keys].to_numpy()
    quantity, run, name = (np.array(column) for column in zip(*keys, strict=True))
    is_loss = (quantity == "loss")[:, None]
    scored = score(
        np.where(is_loss, 100 * np.log(np.where(is_loss, draws, 1.0)), 100 * draws),
        np.where(is_loss[:, 0], 100 * np.log(truth), 100 * truth),
    )
    runs = ladder.runs.loc[run]
    factor = far.set_index("target")["extrapolation_factor"]
    columns: dict[str, Any] = {
        "model": model,
        "cut": cut,
        "run": run,
        "corpus": runs["corpus"].to_numpy(),
        "quantity": quantity,
        "name": name,
    }
    columns |= {
        "role": runs["role"].to_numpy(),
        "extrapolation_factor": factor[run].to_numpy(),
        "actual": truth,
    }
    columns |= {"mean": draws.mean(1), "median": np.median(draws, 1), "sd": draws.std(1)}
    for prob in LEVELS:
        ends = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2], axis=1)
        columns |= {
            f"{end}_{100 * prob:.0f}": values
            for end, values in zip(("lower", "upper"), ends, strict=True)
        }
    return pd.DataFrame(
        columns | {k: scored[k].to_numpy() for k in ("error", "crps", "interval_score")}
    )


def _actual(ladder: Ladder) -> pd.Series:
    """What came out, by (quantity, run, name)."""
    known = outcomes(ladder).reset_index()
    known["loss_name"] = known["task"].map(ladder.loss_name_of)
    losses = (
        known.drop_duplicates(["run", "loss_name"])
        .assign(quantity="loss")
        .set_index(["quantity", "run", "loss_name"])["loss"]
    )
    scores = (
        known[known["accuracy"].notna()]
        .assign(quantity="accuracy")
        .set_index(["quantity", "run", "task"])["accuracy"]
    )
    return pd.concat([losses, scores])
