"""backtest(ladder, ...) -> Backtest: fit the smaller runs, forecast the larger ones, per cut."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd
from numpyro.distributions import Distribution

from bayescale.backtests.baselines import largest_run_draws, point_fit_draws
from bayescale.backtests.cache import Cache, Fold
from bayescale.backtests.record import (
    LARGEST_RUN,
    LEVELS,
    NO_DISCREPANCY,
    OURS,
    POINT_FITS,
    UNPOOLED,
    Backtest,
)
from bayescale.backtests.splits import By, Split, check_cuts, default_cuts, size_of
from bayescale.data.ladder import Ladder
from bayescale.data.outcomes import outcomes
from bayescale.data.target import Target
from bayescale.errors import SettingError
from bayescale.extrapolation.amplitudes import DiscrepancyMode
from bayescale.fits.executors import Executor, check_executor, run_tasks
from bayescale.fits.fit import fit_tasks
from bayescale.fits.record import Fit
from bayescale.fits.settings import AUTO, FitSettings, make_settings, require_ladder
from bayescale.forecasts.components import Cell
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.scores import score
from bayescale.inference.nuts import Sampler
from bayescale.models.inputs import accuracy_data
from bayescale.models.laws import Law
from bayescale.models.links import Link
from bayescale.models.noise import Noise
from bayescale.models.pooling import PoolingMode
from bayescale.runtime import random_generator, require_64bit
from bayescale.validation import check_progress, require_choice


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
    executor: Executor | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Backtest:
    """For every cut: fit the runs up to it, forecast all larger ones; no fit sees beyond its cut.

    Held-out runs and targets are forecast too. Interrupted, a backtest keeps the cuts that are
    finished in the user's cache folder. It takes them up when it is called again with the same
    ladder and settings.

    Parameters
    ----------
    ladder
        The runs with role ``fit`` are cut. Every finished run beyond a cut is a case.
    by
        What the cuts are of: ``flops``, ``params`` or ``tokens``.
    cuts
        Runs with at most so many FLOPs, parameters or tokens are fitted. None for up to 8 cuts,
        from 8 runs of every series up to the whole ladder.
    law, link, via, pooling, discrepancy, noise, priors
        As in `fit`.
    baselines
        Whether the same splits are also forecast without discrepancy, without pooling, by the
        papers' point fits with a residual bootstrap, and by the figures of the largest run.
    chains, draws, seed
        Number of chains, draws kept of each chain, and seed of the sampler, for every fit.
    executor
        What runs the fits side by side: anything with `submit` in the manner of
        `concurrent.futures`, such as a ``dask.distributed.Client``. The figures are the same. None
        for this process.
    progress
        Function that is told the model and the cut, and the share of all work that is done.

    Returns
    -------
    Backtest
        Every case with its intervals and scores.

    Raises
    ------
    SettingError
        For an unknown `by`, a cut that leaves nothing to fit or nothing to forecast, and whatever
        `fit` refuses.
    DataError
        Where the ladder is too small for a single cut.
    TaskError
        Where an executor's fit failed. The others are finished and kept.

    Examples
    --------
    >>> import bayescale as bs
    >>> bs.setup(chains=2)
    >>> ladder = bs.load_dataset("ladder2024", tasks=["hellaswag"])
    >>> settings = {"law": "compute", "discrepancy": "none", "chains": 2, "draws": 100}
    >>> backtest = bs.backtest(ladder, cuts=[1e21], baselines=False, **settings)
    >>> sorted(set(backtest.cases["quantity"]))
    ['accuracy', 'loss']
    >>> backtest.coverage().columns[:4].tolist()
    ['quantity', 'factor', 'prob', 'cases']
    """
    require_64bit()
    require_ladder(ladder)
    require_choice("by", by, get_args(By))
    check_progress(progress)
    check_executor(executor)
    if isinstance(law, str) and law == AUTO:
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
    size = size_of(ladder, by)
    chosen = default_cuts(ladder, by) if cuts is None else check_cuts(ladder, size, by, cuts)
    splits = [Split(ladder, by, cut, size, seed) for cut in chosen]
    sampler = Sampler(chains=chains, draws=draws, seed=seed)
    cache = Cache(ladder, settings, sampler, by=by, baselines=baselines)
    models = {OURS: settings}
    if baselines:
        models[NO_DISCREPANCY] = replace(settings, discrepancy="none")
        models[UNPOOLED] = replace(settings, pooling="none")
    kinds = [_Model(name, asked, baselines and name == OURS) for name, asked in models.items()]
    folds = _folds(kinds, splits, sampler, cache, executor=executor, progress=progress)
    cache.clear()
    return Backtest(
        cases=pd.concat([fold.cases for fold in folds], ignore_index=True),
        folds=pd.concat([fold.fits for fold in folds], ignore_index=True),
        by=by,
    )


class _Model(NamedTuple):
    """One kind of fit: its name, its settings, and whether its folds hold the baselines too."""

    name: str
    settings: FitSettings
    with_baselines: bool


def _folds(
    models: Sequence[_Model],
    splits: Sequence[Split],
    sampler: Sampler,
    cache: Cache,
    *,
    executor: Executor | None,
    progress: Callable[[str, float], None] | None,
) -> list[Fold]:
    """The fold of every model and cut: from the cache, or from a fit, which is then kept."""
    places = [(model, split) for model in models for split in splits]
    folds = [cache.load(model.name, split.cut) for model, split in places]
    missing = [place for place, fold in enumerate(folds) if fold is None]
    tasks = []
    for m, model in enumerate(models):
        named = {
            i: (
                f"{model.name}, {split.by} up to {split.cut:.3g}",
                partial(_make_fold, split, model.name, model.with_baselines),
            )
            for i, split in enumerate(splits)
            if folds[m * len(splits) + i] is None
        }
        ladders = [split.fitted for split in splits]
        tasks += fit_tasks(model.settings, sampler, ladders, named, here=executor is None)

    def tell(finished: int) -> None:
        if progress is not None and finished < len(tasks):
            share = (len(places) - len(tasks) + finished) / len(places)
            progress(tasks[finished].name, share)

    finished = itertools.count(1)

    def keep(task: int, fold: Fold) -> None:
        model, split = places[missing[task]]
        cache.save(model.name, split.cut, fold)
        folds[missing[task]] = fold
        tell(next(finished))

    tell(0)
    run_tasks(tasks, executor, keep)
    return [fold for fold in folds if fold is not None]


def _make_fold(split: Split, model: str, with_baselines: bool, fit: Fit) -> Fold:
    """The cases of one cut by one model, and by the baselines where they are asked for."""
    targets = split.targets(fit)
    made = forecast(fit, targets, seed=split.seed)
    factor = made.extrapolation.set_index("target")["extrapolation_factor"]
    cases = _cases(split, model, made.components.cells(None), factor)
    failed = [check for check in fit.checks if check.status in ("fail", "not run")]
    row = {
        "model": model,
        "cut": split.cut,
        "runs": len(fit.ladder.with_role("fit").runs),
        # A draw of the forecast that is not finite fails the fold, and its case is left out.
        "status": made.status,
        "failed": "; ".join(f"{check.check} {check.value:.3g}" for check in failed),
    }
    fold = Fold(cases, pd.DataFrame([row]))
    return _with_baselines(fold, split, fit, targets) if with_baselines else fold


class _Baseline(NamedTuple):
    """Draws of one baseline by (quantity, run, name)."""

    model: str
    draws: Mapping[Cell, np.ndarray]


def _with_baselines(fold: Fold, split: Split, fit: Fit, targets: Sequence[Target]) -> Fold:
    """The fold with the cases of the baselines on the same split."""
    corpora = [str(target.corpus) for target in targets]
    factor = fold.cases.drop_duplicates("run").set_index("run")["extrapolation_factor"]
    scores = accuracy_data(fit.ladder, fit.route)
    rng = random_generator(split.seed, "point fits")
    points, failed = point_fit_draws(fit.law.name, fit.loss_data, scores, targets, corpora, rng=rng)
    baselines = [
        _Baseline(POINT_FITS, points),
        _Baseline(LARGEST_RUN, largest_run_draws(fit.loss_data, scores, targets, corpora)),
    ]
    cases = [_cases(split, baseline.model, baseline.draws, factor) for baseline in baselines]
    reason = "no convergence: " + ", ".join(failed) if failed else ""
    fits = pd.DataFrame(
        {
            "model": [POINT_FITS, LARGEST_RUN],
            "cut": split.cut,
            "failed": [reason, ""],
            "status": ["warn" if reason else "pass", "pass"],
            "runs": fold.fits["runs"].iloc[0],
        }
    )
    return Fold(
        cases=pd.concat([fold.cases, *cases], ignore_index=True),
        fits=pd.concat([fold.fits, fits], ignore_index=True),
    )


def _cases(
    split: Split, model: str, drawn: Mapping[Cell, np.ndarray], factor: pd.Series
) -> pd.DataFrame:
    """One row per finished cell, from draws by (quantity, run, name)."""
    actual = _actual(split.ladder)
    keys = [key for key in drawn if key in actual.index and not np.isnan(drawn[key]).any()]
    if not keys:
        return pd.DataFrame()
    draws = np.stack([drawn[key] for key in keys])
    truth = actual[keys].to_numpy()
    quantity, run, name = (np.array(column) for column in zip(*keys, strict=True))
    runs = split.ladder.runs.loc[run]
    columns: dict[str, Any] = {
        "model": model,
        "cut": split.cut,
        "run": run,
        "corpus": runs["corpus"].to_numpy(),
        "quantity": quantity,
        "name": name,
        "role": runs["role"].to_numpy(),
        "extrapolation_factor": factor[run].to_numpy(),
        "actual": truth,
        "mean": draws.mean(1),
        "median": np.median(draws, 1),
        "sd": draws.std(1),
    }
    for prob in LEVELS:
        lower, upper = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2], axis=1)
        columns[f"lower_{100 * prob:.0f}"] = lower
        columns[f"upper_{100 * prob:.0f}"] = upper
    scores = _scores(draws, truth, quantity == "loss")
    for score_name in ("error", "crps", "interval_score"):
        columns[score_name] = scores[score_name].to_numpy()
    return pd.DataFrame(columns)


def _scores(draws: np.ndarray, truth: np.ndarray, is_loss: np.ndarray) -> pd.DataFrame:
    """Scores in percent of a loss, by its logarithm, and in points of an accuracy."""
    column = is_loss[:, None]
    log_draws = 100 * np.log(np.where(column, draws, 1.0))
    return score(
        np.where(column, log_draws, 100 * draws),
        np.where(is_loss, 100 * np.log(truth), 100 * truth),
    )


def _actual(ladder: Ladder) -> pd.Series:
    """Outcomes by (quantity, run, name)."""
    known = outcomes(ladder).reset_index()
    known["loss_name"] = known["task"].map(ladder.loss_name_of)
    losses = known.drop_duplicates(["run", "loss_name"]).assign(quantity="loss")
    scores = known[known["accuracy"].notna()].assign(quantity="accuracy")
    return pd.concat(
        [
            losses.set_index(["quantity", "run", "loss_name"])["loss"],
            scores.set_index(["quantity", "run", "task"])["accuracy"],
        ]
    )
