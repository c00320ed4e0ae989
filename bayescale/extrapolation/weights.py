"""Weights of the components of a mixture: laws, links, or routes to accuracy.

A component weighs more the better it forecasts the larger runs of the ladder from the smaller ones.
Leave the largest runs out: at every earlier cut, the log predictive density of the runs beyond it
counts. Ordinary leave-one-out would reward interpolation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import softmax

from bayescale.data.ladder import Ladder
from bayescale.data.outcomes import outcomes
from bayescale.extrapolation.cuts import SAME_COST, one_measure
from bayescale.extrapolation.discrepancy import Discrepancy, link_slopes, loss_slopes
from bayescale.extrapolation.history import History, PastAccuracies, PastLosses
from bayescale.extrapolation.predictive import AccuracyComponents, predict_losses, series_through
from bayescale.models.inputs import AccuracyData, LossData, largest_compute, point
from bayescale.models.laws import Law
from bayescale.models.links import Link
from bayescale.models.pooling import Groups
from bayescale.models.series import accuracy_model
from bayescale.models.stages import Stages
from bayescale.runtime import fixed_generator, fixed_key

BOOTSTRAPS = 1000
COLUMNS = ["cut", "quantity", "name", "run", "lpd"]


def densities(law: Law, link: Link, history: History, ladder: Ladder) -> pd.DataFrame:
    """ln Normal(y; mean, sd) of every ln loss and accuracy y beyond a cut, from draws of the past.

    Only runs that a fit may see count. The discrepancy is its prior: at its own cuts, what the past
    teaches is not known yet.

    Parameters
    ----------
    law, link
        Law and link of the fits of the past.
    history
        Fits of the past, one pair of stages per cut.
    ladder
        The whole ladder, with the outcomes.

    Returns
    -------
    pandas.DataFrame
        One row per (cut, quantity, name, run): columns cut, quantity, name, run, lpd.
    """
    runs = ladder.with_role("fit").runs
    compute = one_measure(ladder).compute()[runs.index]
    known = outcomes(ladder)
    known["loss_name"] = known.index.get_level_values("task").map(ladder.loss_name_of)
    losses = known.reset_index().drop_duplicates(["run", "loss_name"])
    log_loss = np.log(losses.set_index(["run", "loss_name"])["loss"])
    tables = []
    for past in history:
        cut = past.loss.data.largest_flops
        beyond = runs[(compute > cut * SAME_COST).to_numpy()]
        drawn = _forecast(law, link, past, beyond, compute[beyond.index].to_numpy())
        rows = _log_densities(drawn.loss, past.loss.data.groups, beyond, log_loss)
        tables.append(rows.assign(cut=cut, quantity="loss"))
        if drawn.accuracy is not None and past.accuracy is not None:
            groups = past.accuracy.data.groups
            rows = _log_densities(drawn.accuracy, groups, beyond, known["accuracy"])
            tables.append(rows.assign(cut=cut, quantity="accuracy"))
    full = [table[COLUMNS] for table in tables if len(table)]
    return pd.concat([pd.DataFrame(columns=COLUMNS), *full])


def _log_densities(
    drawn: np.ndarray, groups: Groups, runs: pd.DataFrame, actual: pd.Series
) -> pd.DataFrame:
    """Log density of each outcome under a normal of the mean and sd of its draws."""
    rows = []
    for s, (corpus, name) in enumerate(groups.pairs):
        for i, run in enumerate(runs.index):
            y = actual.get((run, name), np.nan)
            draws = drawn[:, s, i]
            of_corpus = runs["corpus"].iloc[i] == corpus
            if of_corpus and np.isfinite(y) and np.isfinite(draws).all():
                lpd = -0.5 * ((y - draws.mean()) / draws.std()) ** 2 - np.log(draws.std())
                rows.append({"name": name, "run": run, "lpd": float(lpd)})
    return pd.DataFrame(rows)


def _forecast(
    law: Law,
    link: Link,
    past: Stages[PastLosses, PastAccuracies],
    runs: pd.DataFrame,
    compute: np.ndarray,
) -> Stages[np.ndarray, np.ndarray]:
    """Draws of ln losses and of accuracies of some runs, as fits of the past forecast them.

    Shape (draws, series, runs) each.
    """
    rng = fixed_generator("weights")
    groups = past.loss.data.groups
    shape = (groups.series, len(runs))
    params, tokens, unique = (
        runs[name].to_numpy() for name in ("params", "tokens", "unique_tokens")
    )
    x = point(params, tokens, compute, past.loss.data.reference, unique)
    real, tail = past.loss.real, past.loss.tail
    draws = len(next(iter(real.values())))
    prior = Discrepancy("prior", tuple(loss_slopes(groups, law.drift)))
    log_loss = predict_losses(
        past.loss.stage.model,
        real if tail is None else real | {"tail": tail},
        type(x)(*(np.broadcast_to(v, shape) for v in x)),
        _log_factor(past.loss.data, compute),
        widening=False,
        slope=prior.draw("loss", groups.series, rng, draws),
        noise_key=fixed_key("past forecasts"),
    ).log_loss()
    if past.accuracy is None:
        return Stages(log_loss)
    data = past.accuracy.data
    link_prior = Discrepancy("prior", (link_slopes(data.groups),))
    scores = AccuracyComponents(
        # of a finished run, whatever blocks of checkpoints the link was fitted on
        model=accuracy_model(link, data.groups, pooling=past.accuracy.stage.model.pooling.mode),
        real=past.accuracy.real,
        data=data,
        via=series_through(groups, data),
        slope=link_prior.draw("accuracy", data.groups.series, rng, draws),
        efolds=np.maximum(_log_factor(data, compute), 0.0),
        noise=rng.standard_normal((draws, data.groups.series, len(runs))),
    )
    return Stages(log_loss, scores.accuracy(log_loss))


def _log_factor(data: LossData | AccuracyData, compute: np.ndarray) -> np.ndarray:
    """ln(C / Cmax), Cmax the largest compute of each series: shape (series, runs)."""
    return np.log(compute / largest_compute(data)[:, None])


def weigh(tables: Sequence[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray, int]:
    """W = E softmax(sum over blocks of the mean lpd), for each component of a mixture.

    A block holds the outcomes between one cut and the next, as forecast at the first of the two.
    Every outcome counts once, though several cuts have forecast it. The sum over blocks is in the
    spirit of forecasting one after another (Dawid 1984, JRSS A 147). The mean within a block is
    taken because its errors have one cause. The expectation is over Bayesian bootstraps of the
    blocks and of the outcomes in each block (pseudo-BMA+, Yao et al. 2018, Bayesian Analysis 13).

    An outcome counts where all components forecast it, and not all alike: links of one law are not
    weighed by its losses. The weights are equal where no outcome counts.

    Parameters
    ----------
    tables
        One table of `densities` per component.

    Returns
    -------
    tuple
        Mean and sd of each weight, shape (components,), and the number of outcomes that count.
    """
    n = len(tables)
    key = ["cut", "quantity", "name", "run"]
    columns = [table.set_index(key)["lpd"].astype(float) for table in tables]
    lpd = pd.concat(columns, axis=1).dropna()
    if len(lpd):
        lpd = lpd[np.ptp(lpd.to_numpy(), axis=1) > 0]
    if lpd.empty:
        return np.full(n, 1 / n), np.zeros(n), 0
    lpd = lpd.sort_index(level="cut")
    latest = ~lpd.index.droplevel("cut").duplicated(keep="last")
    blocks = [block.to_numpy() for _, block in lpd[latest].groupby(level="cut")]
    rng = fixed_generator("weights")
    total = np.zeros((BOOTSTRAPS, n))
    times_of_block = len(blocks) * rng.dirichlet(np.ones(len(blocks)), BOOTSTRAPS).T
    for block, times in zip(blocks, times_of_block, strict=True):
        total += times[:, None] * (rng.dirichlet(np.ones(len(block)), BOOTSTRAPS) @ block)
    weights = softmax(total, axis=1)
    return weights.mean(0), weights.std(0), sum(map(len, blocks))
