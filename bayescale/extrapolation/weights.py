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
from scipy.special import softmax

from bayescale.models.stages import Stages
from bayescale.runtime import fixed_generator

BOOTSTRAPS = 1000


def densities(trees: Stages[xr.DataTree, xr.DataTree], compute: pd.Series) -> pd.DataFrame:
    """ln p(outcome | all other runs): the mean over a run's outcomes, for the larger half of runs.

    Parameters
    ----------
    trees
        Posteriors of one fit, with the group ``log_likelihood``.
    compute
        Compute of each run in FLOPs, indexed by run.

    Returns
    -------
    pandas.DataFrame
        One row per run, indexed by run: lpd, and k (the largest Pareto k of its outcomes).
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
        each.append(leave_one_out(values).set_index(runs[chosen]))
    return pd.concat(each).groupby(level=0).agg({"lpd": "mean", "k": "max"})


def leave_one_out(log_likelihood: np.ndarray) -> pd.DataFrame:
    """ln p(y_i | all other y) and Pareto k of each cell.

    Parameters
    ----------
    log_likelihood
        ln p(y_i | parameters) of each draw, shape (chain, draw, cell), all finite.

    Returns
    -------
    DataFrame
        One row per cell: lpd, k.
    """
    import arviz_stats as stats

    y = xr.Dataset({"y": (("chain", "draw", "cell"), log_likelihood)})
    tree = xr.DataTree.from_dict({"/posterior": y, "/log_likelihood": y})
    with warnings.catch_warnings():
        # A large Pareto k goes into the table and from there into the checks.
        warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto")
        loo = stats.loo(tree, pointwise=True, reff=1.0)
    return pd.DataFrame({"lpd": np.ravel(loo.elpd_i), "k": np.ravel(loo.pareto_k)})


def weigh(tables: Sequence[pd.Series]) -> tuple[np.ndarray, np.ndarray, int]:
    """W = E softmax(n sum_r b_r lpd_r), b of a Bayesian bootstrap over the n runs.

    Pseudo-BMA+ (Yao et al. 2018, Bayesian Analysis 13). Stacking would give all the weight to a
    component that is a little better on every one of a few runs. A run counts once, whatever its
    outcomes, because their errors have one cause.

    Parameters
    ----------
    tables
        lpd of each component's `densities`.

    Returns
    -------
    tuple
        Mean and sd of each weight, shape (components,), and the number of runs that count.
    """
    lpd = pd.concat(tables, axis=1).dropna().to_numpy()
    n = len(lpd)
    if not n:
        return np.full(len(tables), 1 / len(tables)), np.zeros(len(tables)), 0
    times = fixed_generator().dirichlet(np.ones(n), BOOTSTRAPS)
    weights = softmax(n * times @ lpd, axis=1)
    return weights.mean(0), weights.std(0), n
