"""off_law: runs whose losses all the other runs make improbable."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd

from bayescale.extrapolation.weights import leave_one_out
from bayescale.fits.record import Fit, require_fit
from bayescale.inference.nuts import require_draws

# A sound ladder names a run with this probability, whatever the number of its losses.
FALSE_ALARM = 0.01
# Above this Pareto k an estimate cannot be trusted (Vehtari et al. 2024, JMLR 25).
MAX_K = 0.7
# Small runs scatter more, by a factor of up to about e: their densities are lower by that much.
OWN_SCALE = 1.0
# Pareto-smoothed importance sampling fits a tail of at least 5 draws.
MIN_DRAWS = 50


def off_law(fit: Fit) -> pd.DataFrame:
    """ln p(y_i | all other y): log density of each loss, the least probable first.

    A normal loss that lies z standard deviations from its prediction has a density z^2 / 2 below
    the largest one. The densities come from the one posterior, by Pareto-smoothed importance
    sampling (Vehtari, Gelman and Gabry 2017, Statistics and Computing 27).

    Parameters
    ----------
    fit
        A fit of one law or a mixture; the losses of its runs are looked at.

    Returns
    -------
    DataFrame
        One row per loss of a fitted run: ``run``, ``corpus``, ``loss_name``, ``lpd``, ``below``
        (the median of its series less ``lpd``), ``k`` (Pareto k), ``off`` (whether ``below`` is
        beyond what one loss in the ladder reaches with probability 0.01), ``unknown`` (not ``off``,
        but k is above 0.7: the loss moves the fit so much that the density is uncertain, and mostly
        too high). `bayescale.without` fits again without such runs.

    Raises
    ------
    SettingError
        For anything that is not a Fit.

    Examples
    --------
    >>> import bayescale as bs
    >>> bs.setup(chains=2)
    >>> ladder = bs.load_dataset("ladder2024", tasks=["hellaswag"])
    >>> fit = bs.fit(ladder, law="compute", discrepancy="none", chains=2, draws=100)
    >>> list(bs.off_law(fit).columns)
    ['run', 'corpus', 'loss_name', 'lpd', 'below', 'k', 'off', 'unknown']
    """
    require_fit(fit)
    require_draws(fit.sampler, MIN_DRAWS, "leaving one out")
    cells = fit.losses["log_likelihood"].to_dataset().to_stacked_array("cell", ("chain", "draw"))
    cells = cells.transpose("chain", "draw", "cell")
    known = np.isfinite(cells.values).all((0, 1))
    table = leave_one_out(cells.values[..., known])
    for name in ("loss_name", "run"):
        table[name] = cells[name].values[known]
    table["corpus"] = table["run"].map(fit.ladder.runs["corpus"])
    of_series = table.groupby(["corpus", "loss_name"])["lpd"]
    table["below"] = of_series.transform("median") - table["lpd"]
    furthest = NormalDist().inv_cdf(1 - FALSE_ALARM / len(table) / 2)
    limit = furthest**2 / 2 + OWN_SCALE
    table["off"] = table["below"] > limit
    table["unknown"] = ~table["off"] & ~(table["k"] <= MAX_K)
    table = table.sort_values("below", ascending=False, ignore_index=True)
    return table[["run", "corpus", "loss_name", "lpd", "below", "k", "off", "unknown"]]
