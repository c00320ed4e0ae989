"""Checks on a posterior: R-hat, effective sample sizes, divergences, E-BFMI, tree depth. Each a row
with status, value, limit, advice.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from bayescale.checks import Check
from bayescale.inference.nuts import TREE_DEPTH
from bayescale.models.inputs import AccuracyData, LossData
from bayescale.models.laws import R_STAR_D, Law
from bayescale.models.layout import Layout
from bayescale.models.links import Link

RHAT, ESS, BFMI = 1.01, 400.0, 0.3  # Vehtari et al. 2021; Betancourt 2016
ONE_RATIO = 0.05  # sd of ln(D/N) over the runs below which N and D move together
LONGER = "run longer (draws), or drop what the runs cannot tell apart"


def sampler_checks(tree: xr.DataTree, step: str) -> list[Check]:
    """The checks of one step's posterior, its name in front of each."""
    import arviz_stats as stats

    posterior, sample_stats = (
        _varying(tree["posterior"].to_dataset()),
        tree["sample_stats"].to_dataset(),
    )
    chains = posterior.sizes["chain"]
    found = []
    if chains > 1:
        found.append(
            _limit(
                f"{step}: R-hat",
                _extreme(stats.rhat(posterior), np.nanmax),
                RHAT,
                below=True,
                advice=f"chains disagree: {LONGER}",
            )
        )
    else:
        found.append(
            Check(
                f"{step}: R-hat",
                "not run",
                float("nan"),
                RHAT,
                "one chain cannot be compared with another: sample with chains=4",
            )
        )
    for kind in ("bulk", "tail"):
        value = _extreme(stats.ess(posterior, method=kind), np.nanmin)
        found.append(
            _limit(
                f"{step}: {kind} ESS",
                value,
                ESS,
                below=False,
                advice=f"too few effective draws: {LONGER}",
            )
        )
    divergences = float(sample_stats["diverging"].sum())
    found.append(
        _limit(
            f"{step}: divergences",
            divergences,
            0.0,
            below=True,
            advice="the sampler missed a corner: more data or a tighter prior; the forecast may be off",
        )
    )
    energy = np.asarray(sample_stats["energy"])
    bfmi = np.square(np.diff(energy, axis=1)).mean(1) / energy.var(1)
    found.append(
        _limit(
            f"{step}: E-BFMI",
            float(bfmi.min()),
            BFMI,
            below=False,
            advice="heavy tails: a tighter prior, or another parametrisation",
        )
    )
    deepest = float((sample_stats["tree_depth"] >= TREE_DEPTH).sum())
    found.append(
        _limit(
            f"{step}: draws at the tree limit",
            deepest,
            0.0,
            below=True,
            advice="trajectories were cut short: a tighter prior, or a law with fewer parameters",
        )
    )
    return found


def design_checks(
    data: LossData, law: Law, accuracies: AccuracyData | None, link: Link | None
) -> list[Check]:
    """Warnings of a design that cannot answer: fewer runs than parameters, one token multiplier for
    all, no repetition for a law of repeated data.
    """
    found = _enough_runs(data.layout, len(law.parameters) + 1, f"law {law.name}")
    if accuracies is not None and link is not None:
        found += _enough_runs(accuracies.layout, len(link.parameters), f"link {link.name}")
    ratio = np.where(data.layout.seen, data.layout.x.d - data.layout.x.n, np.nan)
    spread = float(np.nanstd(ratio))
    if spread < ONE_RATIO and len(law.parameters) > 2:
        advice = "all runs have one token multiplier D/N, so the effects of N and D cannot be told apart: add runs at another"
        found.append(Check("spread of ln(D/N)", "warn", spread, ONE_RATIO, advice))
    repeating = int((data.layout.seen & (data.layout.x.u < data.layout.x.d)).sum())
    if not repeating and any(p.name == R_STAR_D.name for p in law.parameters):
        advice = f"no fitted run repeats data, so what law {law.name} says of repetition is its prior: give unique_tokens, or take another law"
        found.append(Check("runs that repeat data", "warn", repeating, 1, advice))
    return found


def _enough_runs(layout: Layout, needed: int, curve: str) -> list[Check]:
    # cells of one group count once
    fewest = min(
        len(set(row[there]))
        for row, there in zip(layout.group_of_cell, np.asarray(layout.seen), strict=True)
    )
    if fewest >= needed:
        return []
    advice = f"a series has {fewest} runs for the {needed} parameters of {curve}: the prior decides what the runs cannot"
    return [Check(f"runs for each parameter of {curve}", "warn", fewest, needed, advice)]


def _limit(name: str, value: float, limit: float, *, below: bool, advice: str) -> Check:
    """One row; a value that cannot be computed is a check that did not run."""
    if not np.isfinite(value):
        return Check(
            name,
            "not run",
            value,
            limit,
            "could not be computed: the draws hold values that are not finite, or too few of them",
        )
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
        [np.ravel(v) for v in values.to_dataset().data_vars.values()]
        if isinstance(values, xr.DataTree)
        else [np.ravel(v) for v in values.data_vars.values()]
    )
    return float("nan") if np.isnan(numbers).any() else float(which(numbers))
