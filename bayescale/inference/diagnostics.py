"""Checks of a posterior and of the design of its data: rows with status, value, limit and advice.

The draws are checked by R-hat, effective sample sizes, divergences, E-BFMI and tree depth.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from bayescale.checks import Check
from bayescale.inference.nuts import TREE_DEPTH
from bayescale.models.inputs import AccuracyData, LossData, floors
from bayescale.models.laws import R_STAR_D, Law
from bayescale.models.layout import Layout
from bayescale.models.links import Link

# Limits of R-hat and of effective sample sizes: Vehtari et al. 2021. Of E-BFMI: Betancourt 2016.
RHAT = 1.01
ESS = 400.0
BFMI = 0.3
# Standard deviation of ln(D/N) over the runs below which N and D move together.
ONE_RATIO = 0.05
SAMPLE_LONGER = "give more draws, or leave out the parameters that the runs cannot tell apart"


def sampler_checks(tree: xr.DataTree, stage: str) -> list[Check]:
    """R-hat, bulk and tail ESS, divergences, E-BFMI and tree depth of one posterior.

    Parameters
    ----------
    tree
        A posterior with groups ``posterior`` and ``sample_stats``, dimensions chain and draw first.
    stage
        What the name of each check begins with, such as ``loss`` or ``accuracy``.

    Returns
    -------
    list of Check
        One row per check. A check that cannot be computed has status ``not run``.
    """
    # ArviZ takes a second to load, so it is loaded only where draws are checked.
    import arviz_stats as stats

    posterior = _varying(tree["posterior"].to_dataset())
    statistics = tree["sample_stats"].to_dataset()
    rows = [_rhat_check(posterior, stage), *_finite_check(posterior, stage)]
    for kind in ("bulk", "tail"):
        rows.append(
            _limit_check(
                f"{stage}: {kind} ESS",
                _extreme(stats.ess(posterior, method=kind), np.nanmin),
                ESS,
                below=False,
                advice=f"too few effective draws: {SAMPLE_LONGER}",
            )
        )
    rows.append(
        _limit_check(
            f"{stage}: divergences",
            float(statistics["diverging"].sum()),
            0.0,
            below=True,
            advice="the sampler did not reach a part of the posterior, so the forecast may be off: "
            "add runs, or give a tighter prior",
        )
    )
    rows.append(
        _limit_check(
            f"{stage}: E-BFMI",
            float(_bfmi(np.asarray(statistics["energy"])).min()),
            BFMI,
            below=False,
            advice="the posterior has heavy tails: give a tighter prior, or write the law with "
            "other parameters",
        )
    )
    rows.append(
        _limit_check(
            f"{stage}: draws at the tree limit",
            float((statistics["tree_depth"] >= TREE_DEPTH).sum()),
            0.0,
            below=True,
            advice="trajectories of the sampler were cut short: give a tighter prior, or take a "
            "law with fewer parameters",
        )
    )
    return rows


def design_checks(
    data: LossData, law: Law, accuracies: AccuracyData | None, link: Link | None
) -> list[Check]:
    """Warnings of runs that cannot determine the parameters of a law and a link.

    They are: fewer runs than parameters, one token multiplier for all runs, and no repetition for a
    law of repeated data.

    Parameters
    ----------
    data
        Losses of the fitted runs.
    law
        The law that is fitted to them.
    accuracies, link
        Accuracies of the runs and the link that is fitted to them; None where no link is fitted.

    Returns
    -------
    list of Check
        One row per warning; empty where there is nothing to warn of.
    """
    rows = _enough_runs(data.layout, len(law.parameters) + 1, f"law {law.name}")
    if accuracies is not None and link is not None:
        rows += _enough_runs(accuracies.layout, len(link.parameters), f"link {link.name}")
        rows += _below_chance(accuracies)
    layout = data.layout
    spread = float(np.nanstd(np.where(layout.seen, layout.x.d - layout.x.n, np.nan)))
    if spread < ONE_RATIO and len(law.parameters) > 2:
        advice = (
            "all runs have one token multiplier D/N, so the effects of N and D cannot be told "
            "apart: add runs at another token multiplier"
        )
        rows.append(Check("spread of ln(D/N)", "warn", spread, ONE_RATIO, advice))
    repeating = int((layout.seen & (layout.x.u < layout.x.d)).sum())
    if not repeating and any(p.name == R_STAR_D.name for p in law.parameters):
        advice = (
            f"no fitted run repeats data, so what law {law.name} says of repetition is its prior: "
            "give unique_tokens, or take another law"
        )
        rows.append(Check("runs that repeat data", "warn", repeating, 1, advice))
    return rows


def _below_chance(data: AccuracyData) -> list[Check]:
    """A warning for each series whose weak runs lie below the stated chance of its task."""
    rows = []
    pairs = zip(data.groups.pairs, data.chance, floors(data), strict=True)
    for (corpus, task), chance, lowest in pairs:
        if lowest < chance:
            advice = (
                f"weak runs score {lowest:.3g} where guessing scores {chance:.3g}: give the chance "
                "of the metric that was measured; until then the link starts from these runs"
            )
            name = f"chance of {task}, {corpus}"
            rows.append(Check(name, "warn", float(lowest), float(chance), advice))
    return rows


def _enough_runs(layout: Layout, needed: int, curve: str) -> list[Check]:
    """A warning where a series has fewer runs than the curve has parameters."""
    # Cells of one group are replicates of one expectation, so they count once.
    fewest = min(
        len(set(groups[seen]))
        for groups, seen in zip(layout.group_of_cell, np.asarray(layout.seen), strict=True)
    )
    if fewest >= needed:
        return []
    advice = (
        f"a series has {fewest} runs for the {needed} parameters of {curve}: the prior decides "
        "what the runs cannot"
    )
    return [Check(f"runs for each parameter of {curve}", "warn", fewest, needed, advice)]


def _finite_check(posterior: xr.Dataset, stage: str) -> list[Check]:
    """A failure where draws are no numbers, which no other check tells from too few draws."""
    lost = [str(name) for name, v in posterior.data_vars.items() if not np.isfinite(v).all()]
    if not lost:
        return []
    advice = f"no number in draws of {', '.join(lost)}: give a tighter prior, or another law"
    return [Check(f"{stage}: draws that are not finite", "fail", len(lost), 0, advice)]


def _rhat_check(posterior: xr.Dataset, stage: str) -> Check:
    """The largest R-hat, which needs two chains."""
    import arviz_stats as stats

    name = f"{stage}: R-hat"
    if posterior.sizes["chain"] == 1:
        advice = "one chain cannot be compared with another: sample with chains=4"
        return Check(name, "not run", float("nan"), RHAT, advice)
    return _limit_check(
        name,
        _extreme(stats.rhat(posterior), np.nanmax),
        RHAT,
        below=True,
        advice=f"chains disagree: {SAMPLE_LONGER}",
    )


def _bfmi(energy: np.ndarray) -> np.ndarray:
    """E-BFMI of each chain from energies (chain, draw): mean (E_n - E_(n-1))^2 / var(E).

    `arviz_stats.bfmi` divides the variance by draws - 1, here it is divided by draws: with 1000
    draws its value is 0.1 % smaller. Ours is kept, so that checks of fits already made stay the
    same.
    """
    return np.square(np.diff(energy, axis=1)).mean(1) / energy.var(1)


def _limit_check(name: str, value: float, limit: float, *, below: bool, advice: str) -> Check:
    """One row: a pass where the value is at most the limit (`below`), or where it is above it."""
    if not np.isfinite(value):
        advice = "could not be computed: the draws hold values that are not finite, or are too few"
        return Check(name, "not run", value, limit, advice)
    passes = value <= limit if below else value > limit
    return Check(name, "pass" if passes else "fail", value, limit, "" if passes else advice)


def _varying(posterior: xr.Dataset) -> xr.Dataset:
    """The draws with one cell dimension per variable, cells that the ladder lacks left out."""
    flat = {}
    for name, draws in posterior.data_vars.items():
        values = np.asarray(draws).reshape(*draws.shape[:2], -1)
        known = ~np.isnan(values).all((0, 1))
        flat[str(name)] = (("chain", "draw", f"{name}_cell"), values[:, :, known])
    return xr.Dataset(flat)


def _extreme(values: xr.Dataset | xr.DataTree, pick: Callable[[np.ndarray], float]) -> float:
    """The smallest or largest number of all variables; nan where one is nan."""
    dataset = values.to_dataset() if isinstance(values, xr.DataTree) else values
    numbers = np.concatenate([np.ravel(v) for v in dataset.data_vars.values()])
    return float("nan") if np.isnan(numbers).any() else float(pick(numbers))
