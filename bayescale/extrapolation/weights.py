"""Weights of the components of a mixture of laws or links, without fitting again.

A component weighs more the better it predicts each of the larger runs of the ladder from all other
runs; the smaller runs would reward a law for what no forecast needs. The densities are those of
leave-one-out cross-validation by Pareto-smoothed importance sampling (Vehtari, Gelman and Gabry
2017, Statistics and Computing 27).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.models.stages import Stages
from bayescale.runtime import fixed_generator

BOOTSTRAPS = 500
# Steps of the EM algorithm that finds stacking weights.
STEPS = 300


def densities(trees: Stages[xr.DataTree, xr.DataTree], compute: pd.Series) -> pd.Series:
    """ln p(outcome | all other runs): the mean over a run's outcomes, for the larger half of runs.

    Parameters
    ----------
    trees
        Posteriors of one fit, with the group ``log_likelihood``.
    compute
        Compute of each run in FLOPs, indexed by run.

    Returns
    -------
    pandas.Series
        One value per run, indexed by run.
    """
    larger = compute.index[compute >= compute.median()]
    each = []
    for _, tree in trees.named():
        cells = tree["log_likelihood"].to_dataset().to_stacked_array("cell", ("chain", "draw"))
        # The blocks of a run are called run#0, run#1, ...
        runs = np.array([str(run).split("#")[0] for run in cells["run"].values])
        known = np.isfinite(cells.transpose("chain", "draw", "cell").values).all((0, 1))
        chosen = known & np.isin(runs, larger)
        values = cells.transpose("chain", "draw", "cell").values[..., chosen]
        each.append(pd.Series(_leave_one_out(values), index=runs[chosen]))
    return pd.concat(each).groupby(level=0).mean()


def _leave_one_out(log_likelihood: np.ndarray) -> np.ndarray:
    """ln p(y_i | all other y) of each cell, from log likelihoods (chain, draw, cell)."""
    import arviz_stats as stats

    y = xr.Dataset({"y": (("chain", "draw", "cell"), log_likelihood)})
    tree = xr.DataTree.from_dict({"/posterior": y, "/log_likelihood": y})
    with warnings.catch_warnings():
        # A cell with a large Pareto k counts for little among many, and its density is too high
        # for every component alike.
        warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto")
        return np.asarray(stats.loo(tree, pointwise=True, reff=1.0).elpd_i)


def stacking_weights(tables: Sequence[pd.Series]) -> tuple[np.ndarray, np.ndarray, int]:
    """W = E argmax_w sum_r b_r ln(sum_k w_k p_kr), b of a Bayesian bootstrap over the runs r.

    Stacking of predictive distributions (Yao et al. 2018, Bayesian Analysis 13). The expectation
    over bootstraps keeps every component that a few runs more might have favoured.

    Parameters
    ----------
    tables
        `densities` of each component.

    Returns
    -------
    tuple
        Mean and sd of each weight, shape (components,), and the number of runs that count.
    """
    n = len(tables)
    lpd = pd.concat(tables, axis=1).dropna().to_numpy()
    if not len(lpd):
        return np.full(n, 1 / n), np.zeros(n), 0
    p = np.exp(lpd - lpd.max(1, keepdims=True))
    rng = fixed_generator("weights")
    times = rng.dirichlet(np.ones(len(p)), BOOTSTRAPS)
    w = np.full((BOOTSTRAPS, n), 1 / n)
    for _ in range(STEPS):
        share = w[:, None, :] * p
        share /= share.sum(2, keepdims=True)
        w = np.einsum("br,brk->bk", times, share)
    return w.mean(0), w.std(0), len(p)
