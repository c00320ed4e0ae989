"""Checks on a posterior: R-hat, effective sample sizes, divergences, E-BFMI, tree depth. Each a row with status, value, limit, advice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from bayescale.checks import Check
from bayescale.sampling import TREE_DEPTH

RHAT, ESS, BFMI = 1.01, 400.0, 0.3  # Vehtari et al. 2021; Betancourt 2016
LONGER = "run longer (draws, warmup), or drop what the runs cannot tell apart"


def sampler_checks(tree: xr.DataTree, step: str) -> list[Check]:
    """The checks of one step's posterior, its name in front of each."""
    import arviz_stats as stats

    posterior, sample_stats = _varying(tree["posterior"].to_dataset()), tree["sample_stats"].to_dataset()
    chains = posterior.sizes["chain"]
    found = []
    if chains > 1:
        found.append(_limit(f"{step}: R-hat", _extreme(stats.rhat(posterior), np.nanmax), RHAT, below=True, advice=f"chains disagree: {LONGER}"))
    else:
        found.append(Check(f"{step}: R-hat", "not run", float("nan"), RHAT, "one chain cannot be compared with another: sample with chains=4"))
    for kind in ("bulk", "tail"):
        value = _extreme(stats.ess(posterior, method=kind), np.nanmin)
        found.append(_limit(f"{step}: {kind} ESS", value, ESS, below=False, advice=f"too few effective draws: {LONGER}"))
    divergences = float(sample_stats["diverging"].sum())
    found.append(
        _limit(
            f"{step}: divergences", divergences, 0.0, below=True, advice="the sampler missed a corner: more data or a tighter prior; the forecast may be off"
        )
    )
    energy = np.asarray(sample_stats["energy"])
    bfmi = np.square(np.diff(energy, axis=1)).mean(1) / energy.var(1)
    found.append(_limit(f"{step}: E-BFMI", float(bfmi.min()), BFMI, below=False, advice="heavy tails: a tighter prior, or another parametrisation"))
    deepest = float((sample_stats["tree_depth"] >= TREE_DEPTH).sum())
    found.append(
        _limit(
            f"{step}: draws at the tree limit", deepest, 0.0, below=True, advice="trajectories were cut short: a tighter prior, or a law with fewer parameters"
        )
    )
    return found


def _limit(name: str, value: float, limit: float, *, below: bool, advice: str) -> Check:
    """One row; a value that cannot be computed is a check that did not run."""
    if not np.isfinite(value):
        return Check(name, "not run", value, limit, "could not be computed: the draws hold values that are not finite, or too few of them")
    good = value <= limit if below else value > limit
    return Check(name, "pass" if good else "fail", value, limit, "" if good else advice)


def _varying(posterior: xr.Dataset) -> xr.Dataset:
    """One variable a sampled number, cells that the ladder lacks left out."""
    flat = {}
    for name, v in posterior.data_vars.items():
        values = np.asarray(v).reshape(*v.shape[:2], -1)
        keep = ~np.isnan(values).all((0, 1))
        flat[str(name)] = (("chain", "draw", f"{name}_cell"), values[:, :, keep])
    return xr.Dataset(flat)


def _extreme(values: xr.Dataset, which: Callable[[np.ndarray], float]) -> float:
    numbers = np.concatenate(
        [np.ravel(v) for v in values.to_dataset().data_vars.values()] if isinstance(values, xr.DataTree) else [np.ravel(v) for v in values.data_vars.values()]
    )
    return float("nan") if np.isnan(numbers).any() else float(which(numbers))
