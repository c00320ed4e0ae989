"""Fit: the two posteriors, the discrepancy, what they were fitted on, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from numpyro.distributions import Distribution

from bayescale import checks
from bayescale.checks import Check, Status
from bayescale.data.ladder import Ladder
from bayescale.data.names import paragraph
from bayescale.data.target import Target
from bayescale.extrapolation.discrepancy import Discrepancy
from bayescale.extrapolation.history import PastFit
from bayescale.fits.predictability import predictability
from bayescale.fits.settings import Settings
from bayescale.inference.diagnostics import design_checks, sampler_checks
from bayescale.inference.nuts import Sampler
from bayescale.inference.posterior import by_cell
from bayescale.models.inputs import AUTO, AccuracyData, LossData, accuracy_data, loss_data
from bayescale.models.laws import Law
from bayescale.models.links import Link
from bayescale.models.noise import WIDENING, Noise
from bayescale.models.pooling import PoolingMode

if TYPE_CHECKING:
    from bayescale.forecasts.update import Update


# twice what a loss of a task usually strays an e-fold, and the largest scatter of a published
# ladder
STRAYS, SCATTERS = 0.02, 0.05


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
        ArviZ DataTrees: see `bayescale.inference.posterior.full_tree`. `accuracies` is None where
        the ladder has none.
    sampler
        Chains, draws, warm-up, seed.
    blocks
        Blocks of each run's checkpoints that the link saw; None where it saw the last one only.
    discrepancy
        The errors of law and link beyond the ladder, as a forecast draws them.
    priors
        The user's own; None where they were not saved with the fit.
    past
        How the same settings forecast the ladder's dearer runs from its cheaper ones: see
        `bayescale.extrapolation.weights.densities`; empty without a past.
    members
        Fits of which this one is a mixture: one for each loss that accuracies are linked through
        (``via="auto"``), or what `stack` was given.
    weights
        Of the members: task (empty where they are weighed as a whole), member (index), law, link,
        via, weight, sd, cells (beyond earlier cuts, that it rests on); empty without them.
    """

    ladder: Ladder
    law: Law
    link: Link | None
    via: str | None
    pooling: PoolingMode
    noise: Noise
    losses: xr.DataTree
    accuracies: xr.DataTree | None
    sampler: Sampler
    blocks: int | None
    discrepancy: Discrepancy
    priors: Mapping[str, Distribution] | None = field(default_factory=dict)
    past: pd.DataFrame = field(default_factory=pd.DataFrame)
    members: tuple[Fit, ...] = ()
    weights: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def linked_via(self) -> str | None:
        """The loss that `accuracies` goes through, None for each task's own: that of the heaviest
        member, where there are several.
        """
        if self.members:
            return self.members[self.heaviest].via
        return None if self.via == AUTO else self.via

    @property
    def heaviest(self) -> int:
        """Index of the member whose posteriors `losses` and `accuracies` are."""
        return int(self.weights.groupby("member")["weight"].sum().idxmax())

    @cached_property
    def loss_data(self) -> LossData:
        """What the law was fitted on."""
        return loss_data(self.ladder, widening=WIDENING.name in self.losses["posterior"])

    @cached_property
    def accuracy_data(self) -> AccuracyData | None:
        """What the link was fitted on."""
        return accuracy_data(self.ladder, self.linked_via, self.blocks)

    @cached_property
    def checks(self) -> list[Check]:
        """The sampler's checks of both steps, then warnings about the data and the design."""
        found = sampler_checks(self.losses, "loss")
        if self.accuracies is not None:
            found += sampler_checks(self.accuracies, "accuracy")
        for member in (m for i, m in enumerate(self.members) if i != self.heaviest):
            name = f"law {member.law.name}, link {member.link.name if member.link else 'none'} via {member.via or 'own loss'}"
            steps = (
                {"accuracy": member.accuracies}
                if member.losses is self.losses
                else {"loss": member.losses, "accuracy": member.accuracies}
            )
            for step, tree in steps.items():
                found += [] if tree is None else sampler_checks(tree, f"{name}: {step}")
                found += [
                    replace(c, check=f"{name}: {c.check}")
                    for c in member.discrepancy.checks
                    if c.check.startswith(f"{step}: ")
                ]
        found += self.discrepancy.checks
        return (
            found
            + design_checks(self.loss_data, self.law, self.accuracy_data, self.link)
            + self.ladder.with_role("fit", "link").checks()
        )

    def diagnostics(self) -> pd.DataFrame:
        """One row a check: check, status, value, limit, advice."""
        return checks.to_frame(self.checks)

    def verdicts(self) -> pd.DataFrame:
        """One row a task: whether it can be forecast through this loss at all (see
        `bayescale.fits.predictability`); empty where there is no link.

        A task whose loss strayed from its law by 2 % or more an e-fold of compute in the ladder's
        own past (lower end of the 90 % interval), or scatters around it by 5 % or more, is ``not
        through this loss`` either; `alternative` then names a loss that does neither.
        """
        # a run counts once, however many blocks of its checkpoints the link saw
        finished = accuracy_data(self.ladder, self.linked_via)
        if finished is None:
            return pd.DataFrame(columns=["verdict"])
        found = predictability(finished, self.ladder.compute())
        losses = self.loss_data.groups
        sigma = self.losses["posterior"]["sigma"].median(("chain", "draw"))
        strays: dict[str, bool] = {}
        for s, (corpus, name) in enumerate(losses.pairs):
            unruly = (
                self.discrepancy.least_slope(s) >= STRAYS
                or float(sigma.sel(corpus=corpus, loss_name=name)) >= SCATTERS
            )
            strays[name] = strays.get(name, False) or unruly
        others = [
            name for name in losses.names if name not in self.ladder.tasks and not strays[name]
        ]
        through = {
            task: via for (_, task), via in zip(finished.groups.pairs, finished.via, strict=True)
        }
        found["alternative"] = ""
        for task in found.index:
            if strays.get(through[task], False):
                found.loc[task, ["verdict", "alternative"]] = [
                    "not through this loss",
                    others[0] if others else "",
                ]
        return found

    @property
    def status(self) -> Status:
        """``pass``, ``warn`` or ``fail``: the gravest of its checks."""
        return checks.worst(self.checks)

    def summary(self) -> pd.DataFrame:
        """Posterior beside prior for every parameter: mean, sd, 5 % and 95 % quantiles, of the
        population and of each series.

        Of a mixture those of its heaviest member.
        """
        trees = {"loss": self.losses, "accuracy": self.accuracies}
        return pd.concat(
            [_summary(tree, step) for step, tree in trees.items() if tree is not None],
            ignore_index=True,
        )

    def update(
        self, new_runs: pd.DataFrame, *, targets: Sequence[Target] | None = None, seed: int = 0
    ) -> Update:
        """Fit again with rows added, and how each target's interval moved: see
        `bayescale.forecasts.update.update`.
        """
        from bayescale.forecasts.update import update

        return update(self, new_runs, targets=targets, seed=seed)

    def save(self, path: str | Path) -> None:
        """Write the fit to one file, whole or not at all; `load_fit` reads it back."""
        from bayescale.fits.archive import save_fit

        save_fit(self, path)

    def __repr__(self) -> str:
        link = f", link {self.link.name} via {self.via or 'own loss'}" if self.link else ""
        if self.members and self.via != AUTO:
            link = f" is the heaviest of a mixture of {len(self.members)}{link}"
        size = f"{self.sampler.chains} x {self.sampler.draws} draws"
        rest = f"pooling {self.pooling}, discrepancy {self.discrepancy.kind}, {size}, checks: {self.status}"
        return f"Fit({self.ladder.name!r}: law {self.law.name}{link}, {rest})"

    def _repr_html_(self) -> str:
        return paragraph(repr(self)) + self.diagnostics().to_html(index=False)


def make_fit(
    ladder: Ladder,
    settings: Settings,
    data: Mapping[str, LossData | AccuracyData],
    trees: Mapping[str, xr.DataTree],
    folds: Mapping[str, Sequence[PastFit]],
    sampler: Sampler,
    seconds: float,
    past: pd.DataFrame,
) -> Fit:
    """The fit of `ladder` from its posteriors and those of its past, by step."""
    about = {
        "ladder": ladder.name,
        "data_sha256": ladder.with_role("fit", "link").digest(),
        "pooling": settings.pooling,
        "seconds_together": seconds,
    }
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
        discrepancy=settings.find_discrepancy(data, folds),
        priors=settings.priors,
        past=past,
    )


def _summary(tree: xr.DataTree, step: str) -> pd.DataFrame:
    frames = []
    for group in ("posterior", "prior"):
        rows = [
            {"step": step, "parameter": name, "series": where, **_figures(np.ravel(v))}
            for (name, where), v in by_cell(tree[group].to_dataset())
        ]
        frames.append(pd.DataFrame(rows).set_index(["step", "parameter", "series"]))
    return frames[0].join(frames[1].add_suffix("_prior")).reset_index()


def _figures(values: np.ndarray) -> dict[str, float]:
    lower, upper = np.quantile(values, [0.05, 0.95])
    with np.errstate(over="ignore"):  # a prior of A has draws whose squares no number holds
        sd = float(values.std())
    return {"mean": float(values.mean()), "sd": sd, "lower": float(lower), "upper": float(upper)}
