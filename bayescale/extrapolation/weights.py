"""Weights over the members of a mixture (laws, links, routes to accuracy), by how well each
forecast the ladder's dearest runs from its cheaper ones.

Leave-the-largest-runs-out: at every earlier cut, the log predictive density of what lies beyond it.
Ordinary leave-one-out would reward interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import numpy as np
import pandas as pd
from scipy.special import softmax

from bayescale.data.ladder import Ladder
from bayescale.data.outcomes import outcomes
from bayescale.extrapolation.cuts import SAME_COST, one_measure
from bayescale.extrapolation.discrepancy import Discrepancy, link_slopes, loss_slopes
from bayescale.extrapolation.history import PastFit
from bayescale.extrapolation.predictive import AccuracyComponents, LossComponents, series_through
from bayescale.models.inputs import AccuracyData, LossData, largest_compute, point
from bayescale.models.laws import Law
from bayescale.models.links import Link
from bayescale.models.pooling import Groups
from bayescale.models.prediction import expected, standard_noise
from bayescale.models.series import accuracy_model

BOOTSTRAPS = 1000


def densities(
    law: Law,
    link: Link,
    losses: Sequence[PastFit],
    accuracies: Mapping[int, PastFit],
    ladder: Ladder,
) -> pd.DataFrame:
    """Log predictive density of every loss and accuracy beyond a cut, by a normal of the draws'
    mean and sd: columns cut, quantity, name, run, lpd.

    Of ln L for a loss. Only runs that a fit may see are looked at. The discrepancy is its prior:
    what the past says of it is not known at its own cuts.

    Parameters
    ----------
    law, link
        Of the fits.
    losses, accuracies
        The folds of the past; those of the link by the index of the fold of the losses that they go
        with.
    ladder
        What came out.
    """
    runs = ladder.with_role("fit").runs
    compute = one_measure(ladder).compute()[runs.index]
    known = outcomes(ladder)
    known["loss_name"] = known.index.get_level_values("task").map(ladder.loss_name_of)
    log_loss = np.log(
        known.reset_index()
        .drop_duplicates(["run", "loss_name"])
        .set_index(["run", "loss_name"])["loss"]
    )
    found = []
    for k, loss in enumerate(losses):
        assert isinstance(loss.data, LossData)
        cut = loss.data.largest_flops
        ahead = runs[(compute > cut * SAME_COST).to_numpy()]
        drawn = _chain(law, link, loss, accuracies.get(k), ahead, compute[ahead.index].to_numpy())
        found.append(_of_cells("loss", cut, drawn[0], loss.data.groups, ahead, log_loss))
        if drawn[1] is not None:
            found.append(
                _of_cells(
                    "accuracy", cut, drawn[1], accuracies[k].data.groups, ahead, known["accuracy"]
                )
            )
    columns = ["cut", "quantity", "name", "run", "lpd"]
    return (
        pd.concat([pd.DataFrame(columns=columns), *(f for f in found if len(f))])
        if any(map(len, found))
        else pd.DataFrame(columns=columns)
    )


def _of_cells(
    quantity: str, cut: float, drawn: np.ndarray, f: Groups, runs: pd.DataFrame, actual: pd.Series
) -> pd.DataFrame:
    rows = []
    for s, (corpus, name) in enumerate(f.pairs):
        for i, run in enumerate(runs.index):
            came_out = actual.get((run, name), np.nan)
            if (
                runs["corpus"].iloc[i] == corpus
                and np.isfinite(came_out)
                and np.isfinite(drawn[:, s, i]).all()
            ):
                middle, sd = drawn[:, s, i].mean(), drawn[:, s, i].std()
                lpd = -0.5 * ((came_out - middle) / sd) ** 2 - np.log(sd)
                rows.append(
                    {"cut": cut, "quantity": quantity, "name": name, "run": run, "lpd": float(lpd)}
                )
    return pd.DataFrame(rows)


def _chain(
    law: Law,
    link: Link,
    loss: PastFit,
    accuracy: PastFit | None,
    runs: pd.DataFrame,
    compute: np.ndarray,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Draws of log losses, and of accuracies chained through them, of some runs: shape (draws,
    series, runs) each, from fits of the past.
    """
    assert isinstance(loss.data, LossData)
    rng, f = np.random.default_rng(0), loss.data.groups
    x = point(
        runs["params"].to_numpy(),
        runs["tokens"].to_numpy(),
        compute,
        loss.data.reference,
        runs["unique_tokens"].to_numpy(),
    )
    mean, sd = expected(
        loss.step.model,
        loss.real,
        type(x)(*(np.broadcast_to(v, (f.series, len(runs))) for v in x)),
        np.ones((f.series, len(runs))),
    )
    drift = Discrepancy("prior", tuple(loss_slopes(f, law.drift))).draw(
        "loss", f.series, rng, len(mean)
    )
    noise = standard_noise(loss.step.model, loss.tail, mean.shape, jax.random.key(1))
    log_loss = LossComponents(
        mean, sd, drift, _efolds(loss.data, compute), noise, np.zeros((len(mean), len(runs)))
    ).log_loss()
    if accuracy is None:
        return log_loss, None
    assert isinstance(accuracy.data, AccuracyData)
    g = accuracy.data.groups
    via = series_through(f, accuracy.data)
    bend = Discrepancy("prior", (link_slopes(g),)).draw("accuracy", g.series, rng, len(mean))
    noise = rng.standard_normal((len(mean), g.series, len(runs)))
    # of a finished run, whatever blocks the fold was fitted on
    linked = accuracy_model(link, g, pooling=accuracy.step.model.pooling.kind)
    return log_loss, AccuracyComponents(
        linked, accuracy.real, accuracy.data, via, bend, _efolds(accuracy.data, compute), noise
    ).accuracy(log_loss)


def _efolds(data: LossData | AccuracyData, compute: np.ndarray) -> np.ndarray:
    return np.maximum(np.log(compute / largest_compute(data)[:, None]), 0.0)


def weigh(tables: Sequence[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray, int]:
    """W = E softmax(sum over blocks of the mean lpd): mean and sd of the weight of each member, and
    the cells that they rest on.

    A block is what came out between one cut and the next, as forecast at the first: every cell
    counts once, though several cuts have forecast it. A sum over blocks, in the spirit of
    forecasting one after another (Dawid 1984, JRSS A 147); a mean within a block, because its
    errors have one cause. The expectation is over Bayesian bootstraps of the blocks and of the
    cells in each (pseudo-BMA+, Yao et al. 2018, Bayesian Analysis 13). Cells count that all members
    forecast, and not all alike: links of one law are not weighed by its losses. Equal weights where
    no cut tells of any.

    Parameters
    ----------
    tables
        One of each member, as `densities` gives them.
    """
    n = len(tables)
    cells = pd.concat(
        [t.set_index(["cut", "quantity", "name", "run"])["lpd"].astype(float) for t in tables],
        axis=1,
    ).dropna()
    cells = cells[np.ptp(cells.to_numpy(), axis=1) > 0] if len(cells) else cells
    if cells.empty:
        return np.full(n, 1 / n), np.zeros(n), 0
    latest = ~cells.sort_index(level="cut").index.droplevel("cut").duplicated(keep="last")
    blocks = [of.to_numpy() for _, of in cells.sort_index(level="cut")[latest].groupby(level="cut")]
    rng = np.random.default_rng(0)
    total = np.zeros((BOOTSTRAPS, n))
    for block, times in zip(
        blocks, len(blocks) * rng.dirichlet(np.ones(len(blocks)), BOOTSTRAPS).T, strict=True
    ):
        total += times[:, None] * (rng.dirichlet(np.ones(len(block)), BOOTSTRAPS) @ block)
    weights = softmax(total, axis=1)
    return weights.mean(0), weights.std(0), sum(map(len, blocks))
