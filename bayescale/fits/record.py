"""Fit: the two posteriors, the discrepancy, what they were fitted on, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpyro.distributions import Distribution

from bayescale import checks
from bayescale.checks import Check, Status
from bayescale.data.ladder import Ladder
from bayescale.data.names import paragraph
from bayescale.extrapolation.discrepancy import Discrepancy
from bayescale.fits.archive import save_fit
from bayescale.fits.predictability import predictability
from bayescale.fits.settings import AUTO, FitSettings
from bayescale.inference.diagnostics import design_checks, sampler_checks
from bayescale.inference.nuts import Sampler
from bayescale.inference.posterior import by_cell
from bayescale.models.inputs import AccuracyData, LossData, accuracy_data, loss_data
from bayescale.models.laws import Law
from bayescale.models.links import Link
from bayescale.models.noise import Noise
from bayescale.models.pooling import PoolingMode
from bayescale.models.series import SeriesModel, accuracy_model, loss_model
from bayescale.models.stages import Stages

# A loss strays from its law where its past slope per e-fold of compute is twice that of the usual
# loss of a task.
STRAYS = 0.02
# A loss scatters too much where its noise is above the largest of the published ladders.
SCATTERS = 0.05


@dataclass(frozen=True, repr=False)
class Fit:
    """p(law | losses) and p(link | accuracies, losses) of one ladder, and its discrepancy.

    Parameters
    ----------
    ladder
        The runs. A fit sees only those with role ``fit``; its link sees role ``link`` too.
    settings
        What was asked for: law, link, via, pooling, discrepancy, noise, blocks, priors.
    losses
        ArviZ DataTree of the losses: see `bayescale.inference.posterior.full_tree`.
    accuracies
        ArviZ DataTree of the accuracies; None where the ladder has none.
    sampler
        Chains, draws, warm-up and seed.
    discrepancy
        Errors of law and link beyond the ladder, as a forecast draws them.
    widening
        Whether the noise of the losses grows towards small runs.
    past
        Log predictive densities of the ladder's larger runs, forecast from its smaller ones: see
        `bayescale.extrapolation.weights.densities`. Empty without a past.
    members
        The fits of a mixture: one per route from loss to accuracy (``via="auto"``), or the fits
        given to `stack`. Empty for a single fit.
    weights
        One row per (task, member): task (empty where members are weighed as a whole), member
        (its index), law, link, via, weight, sd, cells (outcomes that the weights rest on). Empty
        for a single fit.
    """

    ladder: Ladder
    settings: FitSettings
    losses: xr.DataTree
    accuracies: xr.DataTree | None
    sampler: Sampler
    discrepancy: Discrepancy
    widening: bool
    past: pd.DataFrame = field(default_factory=pd.DataFrame)
    members: tuple[Fit, ...] = ()
    weights: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def law(self) -> Law:
        """The law; of a mixture of laws, the law of the heaviest member."""
        return self.settings.law

    @property
    def link(self) -> Link | None:
        """The link; None where the ladder has no accuracies."""
        return None if self.accuracies is None else self.settings.link

    @property
    def via(self) -> str | None:
        """The loss that was asked for: None for each task's own loss, ``auto`` for all routes."""
        return self.settings.via

    @property
    def pooling(self) -> PoolingMode:
        """How series share their parameters: ``partial``, ``none`` or ``complete``."""
        return self.settings.pooling

    @property
    def noise(self) -> Noise:
        """Noise of the losses: ``normal``, ``student_t`` or ``one_sided``."""
        return self.settings.noise

    @property
    def blocks(self) -> int | None:
        """Blocks of each run's checkpoints that the link saw; None for the last one alone."""
        return self.settings.blocks

    @property
    def priors(self) -> Mapping[str, Distribution] | None:
        """The user's own priors; None where they are unknown, because a file does not keep them."""
        return self.settings.priors

    @property
    def components(self) -> tuple[Fit, ...]:
        """The fits that a forecast draws from: the members of a mixture, or this fit alone."""
        return self.members or (self,)

    @property
    def mixes_laws(self) -> bool:
        """Whether `stack` made it: a mixture of laws or links, not of routes alone."""
        return len(self.components) > 1 and self.via != AUTO

    @property
    def heaviest(self) -> int:
        """Index of the component whose posteriors `losses` and `accuracies` are."""
        if not self.members:
            return 0
        return int(self.weights.groupby("member")["weight"].sum().idxmax())

    @property
    def linked_via(self) -> str | None:
        """The loss that `accuracies` goes through; None for each task's own loss."""
        return self.components[self.heaviest].settings.via

    @cached_property
    def loss_data(self) -> LossData:
        """What the law was fitted on."""
        return loss_data(self.ladder, widening=self.widening)

    @cached_property
    def accuracy_data(self) -> AccuracyData | None:
        """What the link was fitted on; None where the ladder has no accuracies."""
        return accuracy_data(self.ladder, self.linked_via, self.blocks)

    @cached_property
    def loss_model(self) -> SeriesModel:
        """The model of the losses, for runs that repeat no other."""
        return loss_model(
            self.law,
            self.loss_data.groups,
            pooling=self.pooling,
            noise=self.noise,
            widening=self.widening,
        )

    @cached_property
    def accuracy_model(self) -> SeriesModel | None:
        """The model of the accuracies of finished runs; None where the ladder has none."""
        if self.accuracy_data is None or self.link is None:
            return None
        return accuracy_model(self.link, self.accuracy_data.groups, pooling=self.pooling)

    @cached_property
    def checks(self) -> list[Check]:
        """Checks of the sampler for both stages, then warnings about the data and the design."""
        rows = sampler_checks(self.losses, "loss")
        if self.accuracies is not None:
            rows += sampler_checks(self.accuracies, "accuracy")
        for i, component in enumerate(self.components):
            if i != self.heaviest:
                rows += self._checks_of(component)
        rows += self.discrepancy.checks
        rows += design_checks(self.loss_data, self.law, self.accuracy_data, self.link)
        return rows + self.ladder.with_role("fit", "link").checks()

    def _checks_of(self, component: Fit) -> list[Check]:
        """Checks of a component that is not the heaviest one, its name in front of each."""
        link = component.link.name if component.link else "none"
        name = f"law {component.law.name}, link {link} via {component.via or 'own loss'}"
        trees = {"loss": component.losses, "accuracy": component.accuracies}
        rows = []
        for stage, tree in trees.items():
            shared = stage == "loss" and component.losses is self.losses
            if shared:
                continue
            if tree is not None:
                rows += sampler_checks(tree, f"{name}: {stage}")
            rows += [
                replace(check, check=f"{name}: {check.check}")
                for check in component.discrepancy.checks
                if check.check.startswith(f"{stage}: ")
            ]
        return rows

    def diagnostics(self) -> pd.DataFrame:
        """Every check of the fit.

        Returns
        -------
        pandas.DataFrame
            One row per check: check, status, value, limit, advice.
        """
        return checks.to_frame(self.checks)

    def verdicts(self) -> pd.DataFrame:
        """Whether each task can be forecast through this loss at all.

        A task whose loss strays from its law by 2 % or more per e-fold of compute in the ladder's
        past (lower end of the 90 % interval), or scatters around it by 5 % or more, is ``not
        through this loss``.

        Returns
        -------
        pandas.DataFrame
            One row per task: the columns of `bayescale.fits.predictability.predictability`, and
            alternative (a loss that neither strays nor scatters, or empty). Empty without a link.
        """
        # A run counts once, however many blocks of its checkpoints the link saw.
        finished = accuracy_data(self.ladder, self.linked_via)
        if finished is None:
            return pd.DataFrame(columns=["verdict"])
        table = predictability(finished, self.ladder.compute())
        unruly = self._unruly_losses()
        tasks = self.ladder.tasks
        others = [name for name in self.loss_data.groups.names if name not in (*tasks, *unruly)]
        pairs = zip(finished.groups.pairs, finished.via, strict=True)
        via = {task: loss_name for (_, task), loss_name in pairs}
        table["alternative"] = ""
        for task in table.index:
            if via[task] in unruly:
                table.loc[task, "verdict"] = "not through this loss"
                table.loc[task, "alternative"] = others[0] if others else ""
        return table

    def _unruly_losses(self) -> set[str]:
        """Loss names of which a series strays from its law, or scatters too much around it."""
        sigma = self.losses["posterior"]["sigma"].median(("chain", "draw"))
        unruly = set()
        for s, (corpus, name) in enumerate(self.loss_data.groups.pairs):
            scatter = float(sigma.sel(corpus=corpus, loss_name=name))
            if self.discrepancy.least_slope(s) >= STRAYS or scatter >= SCATTERS:
                unruly.add(name)
        return unruly

    @property
    def status(self) -> Status:
        """``pass``, ``warn`` or ``fail``: the gravest status of the checks."""
        return checks.worst(self.checks)

    def summary(self) -> pd.DataFrame:
        """Posterior beside prior for every parameter of the population and of each series.

        Of a mixture, the heaviest member is summarised.

        Returns
        -------
        pandas.DataFrame
            One row per number: step (``loss`` or ``accuracy``), parameter, series, mean, sd, lower
            and upper (5 % and 95 % quantiles), and the same of the prior with suffix ``_prior``.
        """
        trees = Stages(self.losses, self.accuracies)
        tables = [_summary(tree, stage) for stage, tree in trees.named()]
        return pd.concat(tables, ignore_index=True)

    def save(self, path: str | Path) -> None:
        """Write the fit to one file, whole or not at all; `load_fit` reads it back.

        Parameters
        ----------
        path
            The file; an existing one is replaced.

        Raises
        ------
        FileError
            Where the folder is missing or cannot be written to.
        """
        save_fit(self, path)

    def __repr__(self) -> str:
        link = f", link {self.link.name} via {self.via or 'own loss'}" if self.link else ""
        if self.mixes_laws:
            link = f" is the heaviest of a mixture of {len(self.members)}{link}"
        size = f"{self.sampler.chains} x {self.sampler.draws} draws"
        return (
            f"Fit({self.ladder.name!r}: law {self.law.name}{link}, pooling {self.pooling}, "
            f"discrepancy {self.discrepancy.kind}, {size}, checks: {self.status})"
        )

    def _repr_html_(self) -> str:
        return paragraph(repr(self)) + self.diagnostics().to_html(index=False)


def _summary(tree: xr.DataTree, stage: str) -> pd.DataFrame:
    key = ["step", "parameter", "series"]
    tables = []
    for group in ("posterior", "prior"):
        rows = [
            {"step": stage, "parameter": name, "series": series, **_describe(np.ravel(values))}
            for (name, series), values in by_cell(tree[group].to_dataset())
        ]
        tables.append(pd.DataFrame(rows).set_index(key))
    return tables[0].join(tables[1].add_suffix("_prior")).reset_index()


def _describe(values: np.ndarray) -> dict[str, float]:
    lower, upper = np.quantile(values, [0.05, 0.95])
    # A prior of the constant A has draws whose squares overflow.
    with np.errstate(over="ignore"):
        sd = float(values.std())
    return {"mean": float(values.mean()), "sd": sd, "lower": float(lower), "upper": float(upper)}
