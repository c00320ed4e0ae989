"""fit(ladder, ...) -> Fit: the two posteriors, what they were fitted on, and how; save and load."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpyro.distributions import Distribution

from bayescale import checks
from bayescale.checks import Check, Status
from bayescale.diagnosing import sampler_checks
from bayescale.ladder import Ladder
from bayescale.laws import R_STAR_D, Law, get_law
from bayescale.layouts import AccuracyData, LossData, accuracy_data, link_model, loss_data
from bayescale.links import Link, get_link
from bayescale.models import Layout, Noise, every_prior_used, loss_model
from bayescale.posteriors import accuracy_step, loss_step, sample_posteriors
from bayescale.priors import PoolingKind
from bayescale.sampling import Sampler, require_64bit
from bayescale.verdicts import verdicts

ONE_RATIO = 0.05  # sd of ln(D/N) over the runs below which N and D move together


@dataclass(frozen=True, repr=False)
class Fit:
    """The posterior of a law on the losses and of a link on the accuracies of one ladder.

    Parameters
    ----------
    ladder
        As given; a fit sees only the runs whose role is ``fit`` (and ``link``, for the link).
    law, link, via, pooling, noise
        As chosen; `link` is None where the ladder has no accuracies.
    losses, accuracies
        ArviZ DataTrees: see `bayescale.posteriors.sample_posterior`. `accuracies` is None where the ladder has none.
    sampler
        Chains, draws, warm-up, seed.
    blocks
        Blocks of each run's checkpoints that the link saw; None where it saw the last one only.
    """

    ladder: Ladder
    law: Law
    link: Link | None
    via: str | None
    pooling: PoolingKind
    noise: Noise
    losses: xr.DataTree
    accuracies: xr.DataTree | None
    sampler: Sampler
    blocks: int | None = None

    @cached_property
    def loss_data(self) -> LossData:
        """What the law was fitted on."""
        return loss_data(self.ladder)

    @cached_property
    def accuracy_data(self) -> AccuracyData | None:
        """What the link was fitted on."""
        return accuracy_data(self.ladder, self.via, self.blocks)

    @cached_property
    def checks(self) -> list[Check]:
        """The sampler's checks of both steps, then warnings about the data and the design."""
        found = sampler_checks(self.losses, "loss")
        if self.accuracies is not None:
            found += sampler_checks(self.accuracies, "accuracy")
        return found + design_checks(self.loss_data, self.law, self.accuracy_data, self.link) + self.ladder.with_role("fit", "link").checks()

    def diagnostics(self) -> pd.DataFrame:
        """One row a check: check, status, value, limit, advice."""
        return checks.to_frame(self.checks)

    def verdicts(self) -> pd.DataFrame:
        """One row a task: whether it can be forecast through this loss at all (see `bayescale.verdicts`); empty where there is no link."""
        finished = accuracy_data(self.ladder, self.via)  # a run counts once, however many blocks of its checkpoints the link saw
        return pd.DataFrame(columns=["verdict"]) if finished is None else verdicts(finished, self.ladder.compute())

    @property
    def status(self) -> Status:
        """``pass``, ``warn`` or ``fail``: the gravest of its checks."""
        return checks.worst(self.checks)

    def summary(self) -> pd.DataFrame:
        """Posterior beside prior for every parameter: mean, sd, 5 % and 95 % quantiles, of the population and of each series."""
        trees = {"loss": self.losses, "accuracy": self.accuracies}
        return pd.concat([_summary(tree, step) for step, tree in trees.items() if tree is not None], ignore_index=True)

    def save(self, path: str | Path) -> None:
        """Write the fit to one file, whole or not at all; `load_fit` reads it back."""
        from bayescale.saving import save_fit

        save_fit(self, path)

    def __repr__(self) -> str:
        link = f", link {self.link.name} via {self.via or 'own loss'}" if self.link else ""
        size = f"{self.sampler.chains} x {self.sampler.draws} draws"
        return f"Fit({self.ladder.name!r}: law {self.law.name}{link}, pooling {self.pooling}, {size}, checks: {self.status})"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>" + self.diagnostics().to_html(index=False)


def fit(
    ladder: Ladder,
    *,
    law: str | Law | None = None,
    link: str | Link | None = None,
    via: str | None = None,
    pooling: PoolingKind = "partial",
    noise: Noise = "normal",
    blocks: int | None = None,
    priors: Mapping[str, Distribution] | None = None,
    chains: int = 4,
    draws: int = 1000,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> Fit:
    """p(law | losses) p(link | accuracies, losses), each sampled by NUTS; the joint posterior factors (docs: mathematics).

    Parameters
    ----------
    ladder
        The runs; only those with role ``fit`` are seen, and ``link`` by the link.
    law, link
        Names or values of your own; None for the ladder's default.
    via
        Loss name that every task is linked through; None for each task's own.
    pooling
        ``partial``, ``none`` or ``complete``.
    noise
        Of the losses: ``normal``, ``student_t``, or ``one_sided`` (under-tuned runs sit above the law).
    blocks
        For a table with checkpoints (column ``step``): the link sees the means of this many blocks of the later half of each run, whose noise
        has a part in common; None: each run's last checkpoint.
    priors
        NumPyro distributions on the natural scale, by parameter (``{"alpha": LogNormal(-1.0, 0.3)}``) or by spread (``sd_alpha_corpus``).
    chains, draws, seed
        Of the sampler.
    progress
        Told the step (``loss``, ``accuracy``) and the share of it done, from the thread of that step.

    Raises
    ------
    SettingError
        For an unknown law, link, via, pooling, noise or prior, or where JAX computes in 32-bit.
    DataError
        Where a series has fewer than 3 fitted runs.
    """
    require_64bit()
    sampler = Sampler(chains=chains, draws=draws, seed=seed)
    chosen, mine = get_law(ladder.law if law is None else law), dict(priors or {})
    losses = loss_data(ladder)
    model = loss_model(chosen, losses.factors, pooling=pooling, noise=noise, priors=mine, grouped=losses.layout.first is not None)
    accuracies = accuracy_data(ladder, via, blocks)
    linked = get_link(ladder.link if link is None else link) if accuracies is not None else None
    second = link_model(linked, accuracies, pooling, mine) if linked is not None and accuracies is not None else None
    every_prior_used(mine, [m for m in (model, second) if m is not None])
    steps = {"loss": loss_step(chosen, losses, model)}
    if linked is not None and accuracies is not None and second is not None:
        steps["accuracy"] = accuracy_step(linked, accuracies, second)
    trees, seconds = sample_posteriors(steps, sampler, progress)
    about = {"ladder": ladder.name, "data_sha256": ladder.with_role("fit", "link").digest(), "pooling": pooling, "seconds_together": seconds}
    for tree in trees.values():
        tree.attrs |= about
    trees["loss"].attrs |= {"law": chosen.name, "noise": noise}
    return Fit(ladder, chosen, linked, via, pooling, noise, trees["loss"], trees.get("accuracy"), sampler, blocks)


def design_checks(data: LossData, law: Law, accuracies: AccuracyData | None, link: Link | None) -> list[Check]:
    """Warnings of a design that cannot answer: fewer runs than parameters, one token multiplier for all, no repetition for a law of repeated data."""
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
    fewest = min(len(set(row[there])) for row, there in zip(layout.groups, np.asarray(layout.seen), strict=True))  # cells of one group count once
    if fewest >= needed:
        return []
    advice = f"a series has {fewest} runs for the {needed} parameters of {curve}: the prior decides what the runs cannot"
    return [Check(f"runs for each parameter of {curve}", "warn", fewest, needed, advice)]


def _summary(tree: xr.DataTree, step: str) -> pd.DataFrame:
    frames = []
    for group in ("posterior", "prior"):
        draws = tree[group].to_dataset()
        rows = []
        for name, v in draws.data_vars.items():
            dims = [d for d in v.dims if d not in ("chain", "draw")]
            for where in itertools.product(*(v[d].values for d in dims)):
                values = np.ravel(v.sel(dict(zip(dims, where, strict=True))))
                if not np.isnan(values).all():
                    rows.append({"step": step, "parameter": name, "series": ", ".join(map(str, where)), **_figures(values)})
        frames.append(pd.DataFrame(rows).set_index(["step", "parameter", "series"]))
    return frames[0].join(frames[1].add_suffix("_prior")).reset_index()


def _figures(values: np.ndarray) -> dict[str, float]:
    lower, upper = np.quantile(values, [0.05, 0.95])
    with np.errstate(over="ignore"):  # a prior of A has draws whose squares no number holds
        sd = float(values.std())
    return {"mean": float(values.mean()), "sd": sd, "lower": float(lower), "upper": float(upper)}
