"""fit(ladder, ...) -> Fit: the two posteriors, the discrepancy, what they were fitted on, and how; save and load."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpyro.distributions import Distribution

from bayescale import checks
from bayescale.checks import Check, Status
from bayescale.diagnosing import design_checks, sampler_checks
from bayescale.discrepancy import DISCREPANCIES, Discrepancy, DiscrepancyKind
from bayescale.errors import SettingError
from bayescale.folds import Job, alike, sample_jobs
from bayescale.ladder import Ladder
from bayescale.laws import Law, get_law
from bayescale.layouts import AccuracyData, LossData, accuracy_data, loss_data
from bayescale.links import Link, get_link
from bayescale.models import WIDENING, Noise
from bayescale.posteriors import full_tree
from bayescale.preparing import Prepared, Settings
from bayescale.priors import PoolingKind
from bayescale.rolling import Fold, past_ladders
from bayescale.sampling import Sampler, require_64bit
from bayescale.verdicts import verdicts

PAST_WARMUP, PAST_DRAWS = 200, 100  # of each chain in a fit of the ladder's past, of which only mean slopes are wanted


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
    discrepancy
        The errors of law and link beyond the ladder, as a forecast draws them.
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
    blocks: int | None
    discrepancy: Discrepancy

    @cached_property
    def loss_data(self) -> LossData:
        """What the law was fitted on."""
        return loss_data(self.ladder, widening=WIDENING.name in self.losses["posterior"])

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
        found += self.discrepancy.checks
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
        rest = f"pooling {self.pooling}, discrepancy {self.discrepancy.kind}, {size}, checks: {self.status}"
        return f"Fit({self.ladder.name!r}: law {self.law.name}{link}, {rest})"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>" + self.diagnostics().to_html(index=False)


def fit(
    ladder: Ladder,
    *,
    law: str | Law | None = None,
    link: str | Link | None = None,
    via: str | None = None,
    pooling: PoolingKind = "partial",
    discrepancy: DiscrepancyKind = "calibrated",
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
    discrepancy
        What a forecast allows for beyond the ladder's compute: errors of law and link learned from the ladder's own past (``calibrated``), from
        public sweeps alone (``prior``), or ``none``: law and link are taken as true, and noise is the same at every compute.
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
        For an unknown law, link, via, pooling, discrepancy, noise or prior, or where JAX computes in 32-bit.
    DataError
        Where a series has fewer than 3 fitted runs.
    """
    require_64bit()
    sampler = Sampler(chains=chains, draws=draws, seed=seed)
    settings = make_settings(ladder, law=law, link=link, via=via, pooling=pooling, discrepancy=discrepancy, noise=noise, blocks=blocks, priors=priors)
    whole = settings.prepare(ladder, widening=settings.widens(ladder))
    past = [settings.prepare(earlier, widening=whole.widening) for earlier in past_ladders(ladder)] if discrepancy == "calibrated" else []
    short = short_sampler(sampler)
    names = list(whole.steps)
    steps = {name: alike([whole.steps[name], *(p.steps[name] for p in past if name in p.steps)]) for name in names}
    jobs = {name: [Job(step, short if i else sampler) for i, step in enumerate(steps[name])] for name in names}
    samples, seconds = sample_jobs(jobs, progress)
    folds = {name: [Fold(*f) for f in zip([p.data[name] for p in past if name in p.data], steps[name][1:], samples[name][1:], strict=True)] for name in names}
    trees = {name: full_tree(steps[name][0], samples[name][0]) for name in names}
    return make_fit(ladder, settings, whole, trees, folds, sampler, seconds)


def make_settings(
    ladder: Ladder,
    *,
    law: str | Law | None,
    link: str | Link | None,
    via: str | None,
    pooling: PoolingKind,
    discrepancy: DiscrepancyKind,
    noise: Noise,
    blocks: int | None,
    priors: Mapping[str, Distribution] | None,
) -> Settings:
    """The settings by name or by value, the ladder's own where there are none; a SettingError for an unknown one."""
    if discrepancy not in DISCREPANCIES:
        raise SettingError("discrepancy", rule=f"must be one of {', '.join(DISCREPANCIES)}", got=repr(discrepancy), way_out="mend the name")
    chosen, linked = get_law(ladder.law if law is None else law), get_link(ladder.link if link is None else link)
    return Settings(chosen, linked, via, pooling, discrepancy, noise, blocks, dict(priors or {}))


def short_sampler(sampler: Sampler) -> Sampler:
    """That of a fit of the past, of which only mean slopes are wanted."""
    return Sampler(chains=sampler.chains, draws=min(sampler.draws, PAST_DRAWS), warmup=PAST_WARMUP, seed=sampler.seed)


def make_fit(
    ladder: Ladder,
    settings: Settings,
    whole: Prepared,
    trees: Mapping[str, xr.DataTree],
    folds: Mapping[str, Sequence[Fold]],
    sampler: Sampler,
    seconds: float,
) -> Fit:
    """The fit of `ladder` from its posteriors and those of its past, by step."""
    about = {"ladder": ladder.name, "data_sha256": ladder.with_role("fit", "link").digest(), "pooling": settings.pooling, "seconds_together": seconds}
    for tree in trees.values():
        tree.attrs |= about
    trees["loss"].attrs |= {"law": settings.law.name, "noise": settings.noise}
    return Fit(
        ladder=ladder,
        law=settings.law,
        link=settings.link if "accuracy" in trees else None,
        via=settings.via,
        pooling=settings.pooling,
        noise=settings.noise,
        losses=trees["loss"],
        accuracies=trees.get("accuracy"),
        sampler=sampler,
        blocks=settings.blocks,
        discrepancy=settings.find_discrepancy(whole, folds),
    )


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
