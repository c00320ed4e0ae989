"""Weights over rival routes from loss to accuracy, by how well each forecast the ladder's own dearest runs from its cheaper ones.

Leave-the-largest-runs-out: at every earlier cut, the log predictive density of each accuracy beyond it. Ordinary leave-one-out would reward interpolation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import softmax

from bayescale.discrepancy import Discrepancy, link_slopes, loss_slopes
from bayescale.folds import SAME_COST
from bayescale.ladder import Ladder
from bayescale.laws import Law
from bayescale.layouts import AccuracyData, LossData, measured, point
from bayescale.predicting import AccuracyParts, LossParts, expected
from bayescale.rolling import Fold

BOOTSTRAPS = 1000
UNKNOWN = np.nan


def accuracy_densities(law: Law, losses: Sequence[Fold], accuracies: Sequence[Fold], ladder: Ladder) -> pd.DataFrame:
    """One row a (cut, task, run) beyond a cut: log predictive density of its accuracy, by a normal of the draws' mean and sd; columns cut, task, run, lpd.

    Only runs that a fit may see are looked at. The discrepancy is its prior: what the past says of it is not yet known at its own cuts.
    """
    runs = ladder.with_role("fit").runs
    compute = ladder.with_role("fit", "link").compute()[runs.index]
    actual = measured(ladder)["accuracy"]
    rows = []
    for loss, accuracy in zip(losses, accuracies, strict=True):
        assert isinstance(loss.data, LossData)
        assert isinstance(accuracy.data, AccuracyData)
        cut = loss.data.largest_flops
        ahead = runs[(compute > cut * SAME_COST).to_numpy()]
        drawn = _chain(law, loss, accuracy, ahead, compute[ahead.index].to_numpy())
        f = accuracy.data.factors
        for s, (c, j) in enumerate(zip(f.corpus, f.name, strict=True)):
            for i, run in enumerate(ahead.index):
                known = actual.get((run, f.names[j]), UNKNOWN)
                if ahead["corpus"].iloc[i] == f.corpora[c] and np.isfinite(known) and np.isfinite(drawn[:, s, i]).all():
                    middle, sd = drawn[:, s, i].mean(), drawn[:, s, i].std()
                    lpd = -0.5 * ((known - middle) / sd) ** 2 - np.log(sd)
                    rows.append({"cut": cut, "task": f.names[j], "run": run, "lpd": float(lpd)})
    return pd.DataFrame(rows, columns=["cut", "task", "run", "lpd"])


def _chain(law: Law, loss: Fold, accuracy: Fold, runs: pd.DataFrame, compute: np.ndarray) -> np.ndarray:
    """Draws of the accuracies of some runs, shape (draws, series, runs), chained through the losses, from two fits of the past."""
    assert isinstance(loss.data, LossData)
    assert isinstance(accuracy.data, AccuracyData)
    rng, f, g = np.random.default_rng(0), loss.data.factors, accuracy.data.factors
    x = point(runs["params"].to_numpy(), runs["tokens"].to_numpy(), compute, loss.data.reference, runs["unique_tokens"].to_numpy())
    mean, sd = expected(loss.step.model, loss.real, type(x)(*(np.broadcast_to(v, (f.series, len(runs))) for v in x)), np.ones((f.series, len(runs))))
    prior = Discrepancy("prior", (*loss_slopes(f, law.drift), link_slopes(g)))
    draws, still = len(mean), np.zeros((len(mean), len(runs)))
    efolds = [np.maximum(np.log(compute / d.largest_flops), 0.0) for d in (loss.data, accuracy.data)]
    losses = LossParts(mean, sd, prior.draw("loss", f.series, rng, draws), efolds[0], rng.standard_normal(mean.shape), still)
    at = {(f.corpora[c], f.names[j]): s for s, (c, j) in enumerate(zip(f.corpus, f.name, strict=True))}
    via = np.array([at.get((g.corpora[c], v), -1) for c, v in zip(g.corpus, accuracy.data.via, strict=True)])
    noise = rng.standard_normal((draws, g.series, len(runs)))
    parts = AccuracyParts(accuracy.step.model, accuracy.real, accuracy.data, via, prior.draw("accuracy", g.series, rng, draws), efolds[1], noise)
    return parts.accuracy(losses.log_loss())


def weigh(densities: Sequence[pd.DataFrame], tasks: Sequence[str]) -> pd.DataFrame:
    """W = E softmax(sum over cuts of the mean lpd): one row a (task, route), columns task, route, weight, sd, runs.

    The expectation is over Bayesian bootstraps of the (cut, run) cells (pseudo-BMA+, Yao et al. 2018, Bayesian Analysis 13). A mean and not a sum over the
    runs beyond a cut, because their errors have one cause. Equal weights for a task that no cut tells of.

    Parameters
    ----------
    densities
        Of each route, as `accuracy_densities` gives them.
    tasks
        To weigh for.
    """
    rng, rows = np.random.default_rng(0), []
    for task in tasks:
        tables = [d[d["task"] == task].set_index(["cut", "run"])["lpd"] for d in densities]
        cells = pd.concat(tables, axis=1).dropna()
        if cells.empty:
            weights = np.full((1, len(densities)), 1 / len(densities))
        else:
            share = rng.dirichlet(np.ones(len(cells)), BOOTSTRAPS)
            cut = pd.factorize(cells.index.get_level_values("cut"))[0]
            member = np.eye(cut.max() + 1)[cut]
            mean = ((share[:, :, None] * cells.to_numpy()).transpose(0, 2, 1) @ member) / np.maximum(share @ member, 1e-300)[:, None, :]
            weights = softmax(mean.sum(2), axis=1)
        rows += [
            {"task": task, "route": r, "weight": float(weights[:, r].mean()), "sd": float(weights[:, r].std()), "runs": len(cells)}
            for r in range(len(densities))
        ]
    return pd.DataFrame(rows)
