"""Fit: the two posteriors, what they were fitted on, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from numpyro.distributions import Distribution

from bayescale import checks
from bayescale.checks import Check, Status
from bayescale.data.ladder import Ladder
from bayescale.data.names import paragraph
from bayescale.extrapolation.amplitudes import Discrepancy, make_discrepancy
from bayescale.extrapolation.discrepancy import KnownError, known_error
from bayescale.fits.archive import save_fit
from bayescale.fits.predictability import predictability
from bayescale.fits.settings import FitSettings, law_model_of, link_model_of
from bayescale.inference.diagnostics import design_checks, sampler_checks
from bayescale.inference.nuts import Sampler
from bayescale.inference.posterior import Posterior, by_cell, real_draws
from bayescale.models.discrepancy import at_runs
from bayescale.models.inputs import AccuracyData, LossData, accuracy_data, loss_data
from bayescale.models.laws import Law
from bayescale.models.links import Link
from bayescale.models.noise import Noise
from bayescale.models.pooling import PoolingMode
from bayescale.models.series import SeriesModel
from bayescale.models.stage_models import accuracy_model
from bayescale.models.stages import Stages
from bayescale.runtime import random_key
from bayescale.validation import require_kind

# A loss strays from its law where the sd of its error is twice that of the usual loss of a task.
STRAYS = 0.08
# A loss scatters too much where its noise is above the largest of the published ladders.
SCATTERS = 0.05
# Error of a link at a run, in logits, from which on the link does not fit: about the upper end of
# the 90 % interval of its sd by the prior.
BENDS = 0.5
# Largest Pareto k of a density that can be relied on (Vehtari et al. 2024, JMLR 25).
GOOD_K = 0.7


@dataclass(frozen=True, repr=False)
class Fit:
    """p(law | losses) and p(link | accuracies, losses) of one ladder.

    Parameters
    ----------
    ladder
        The runs. A fit sees only those with role ``fit``; its link sees role ``link`` too.
    settings
        What was asked for: law, link, via, pooling, discrepancy, noise, blocks, priors.
    posteriors
        Draws of the losses and of the accuracies; the latter are None where the ladder has none.
    sampler
        Chains, draws, warm-up and seed.
    members
        The fits given to `stack`. Empty for a single fit.
    weights
        One row per member: member (its index), law, link, via, weight, sd, runs (the larger runs
        that the weights rest on), k (largest Pareto k of their densities). Empty for a single fit.
    """

    ladder: Ladder
    settings: FitSettings
    posteriors: Stages[Posterior, Posterior]
    sampler: Sampler
    members: tuple[Fit, ...] = ()
    weights: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def losses(self) -> xr.DataTree:
        """ArviZ DataTree of the losses: see `bayescale.inference.posterior.Posterior.whole`.

        Groups that forecasts and checks do not need are computed when this is first read.
        """
        return self.posteriors.loss.whole

    @property
    def accuracies(self) -> xr.DataTree | None:
        """ArviZ DataTree of the accuracies; None where the ladder has none."""
        found = self.posteriors.accuracy
        return None if found is None else found.whole

    @property
    def law(self) -> Law:
        """The law; of a mixture of laws, the law of the heaviest member."""
        return self.settings.law

    @property
    def link(self) -> Link | None:
        """The link; None where the ladder has no accuracies."""
        return None if self.posteriors.accuracy is None else self.settings.link

    @property
    def via(self) -> str | None:
        """What was asked for: a loss, None for each task's own, or ``auto`` (see `route`)."""
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
    def is_mixture(self) -> bool:
        """Whether `stack` made it: a mixture of laws or links."""
        return len(self.members) > 0

    @property
    def heaviest(self) -> int:
        """Index of the component whose posteriors `losses` and `accuracies` are."""
        return int(self.weights["weight"].to_numpy().argmax()) if self.is_mixture else 0

    @cached_property
    def route(self) -> str | None:
        """The loss that `accuracies` goes through; None for each task's own loss."""
        return self.settings.route(self.ladder)

    @cached_property
    def loss_data(self) -> LossData:
        """What the law was fitted on."""
        return loss_data(self.ladder)

    @cached_property
    def accuracy_data(self) -> AccuracyData | None:
        """What the link was fitted on; None where the ladder has no accuracies."""
        return accuracy_data(self.ladder, self.route, self.blocks)

    @cached_property
    def loss_model(self) -> SeriesModel:
        """The model of the losses."""
        return law_model_of(self.settings, self.loss_data)

    @cached_property
    def accuracy_model(self) -> SeriesModel | None:
        """The model of the accuracies of finished runs; None where the ladder has none."""
        if self.accuracy_data is None or self.link is None:
            return None
        return accuracy_model(
            self.link,
            self.accuracy_data.groups,
            pooling=self.pooling,
            discrepancy=self.settings.has_discrepancy,
        )

    @cached_property
    def loss_error(self) -> KnownError | None:
        """The law's error at the fitted runs, for every draw; None where the law is true."""
        data, model = self.loss_data, self.loss_model
        real, _ = real_draws(self.posteriors.loss.draws, model, data.groups.names, "loss_name")
        return known_error(model, real, data.layout, random_key(self.sampler.seed, "law error"))

    @cached_property
    def accuracy_error(self) -> KnownError | None:
        """The link's error at the fitted runs, for every draw; None where the link is true."""
        data, found = self.accuracy_data, self.posteriors.accuracy
        if data is None or found is None:
            return None
        model = link_model_of(self.settings, data)
        real, _ = real_draws(found.draws, model, data.groups.names, "task")
        return known_error(model, real, data.layout, random_key(self.sampler.seed, "link error"))

    @cached_property
    def discrepancy(self) -> Discrepancy:
        """The sd of the errors of law and link, beside its prior."""
        models = Stages(self.loss_model, self.accuracy_model)
        draws = Stages(*(posterior.draws for _, posterior in self.posteriors.named()))
        return make_discrepancy(self.settings.discrepancy, models, draws)

    @cached_property
    def checks(self) -> list[Check]:
        """Checks of the sampler for both stages, then warnings about the data and the design."""
        rows = []
        for stage, posterior in self.posteriors.named():
            rows += sampler_checks(posterior.draws, stage)
        for i, component in enumerate(self.components):
            if i != self.heaviest:
                rows += self._checks_of(component)
        rows += self._weight_checks()
        rows += design_checks(self.loss_data, self.law, self.accuracy_data, self.link)
        return rows + self.ladder.with_role("fit", "link").checks()

    def _checks_of(self, component: Fit) -> list[Check]:
        """Checks of a component that is not the heaviest one, its name in front of each."""
        link = component.link.name if component.link else "none"
        name = f"law {component.law.name}, link {link} via {component.route or 'own loss'}"
        rows = []
        for stage, posterior in component.posteriors.named():
            if posterior is not self.posteriors.loss:
                rows += sampler_checks(posterior.draws, f"{name}: {stage}")
        return rows

    def _weight_checks(self) -> list[Check]:
        """A warning for each member whose density at some run is unreliable."""
        advice = "its weight rests on a run that its draws tell too little of: give more draws"
        return [
            Check(f"law {row.law}: Pareto k of its weight", "warn", row.k, GOOD_K, advice)
            for row in self.weights.itertuples()
            if row.k > GOOD_K
        ]

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

        A task whose loss errs from its law by an sd of 8 % or more (lower end of the 90 %
        interval), or scatters around it by 5 % or more, is ``not through this loss``. A task whose
        link errs by 0.5 logits or more at one of its runs is at most ``weak``: its accuracies bend
        where the link does not.

        Returns
        -------
        pandas.DataFrame
            One row per task: the columns of `bayescale.fits.predictability.predictability`, and
            alternative (a loss that neither strays nor scatters, or empty). Empty without a link.
        """
        # A run counts once, however many blocks of its checkpoints the link saw.
        finished = accuracy_data(self.ladder, self.route)
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
        for task in self._bent_tasks():
            if table.loc[task, "verdict"] == "predictable":
                table.loc[task, "verdict"] = "weak"
        return table

    def _bent_tasks(self) -> set[str]:
        """Tasks whose link errs by much at one of their runs."""
        data, known = self.accuracy_data, self.accuracy_error
        if data is None or known is None:
            return set()
        error = np.asarray(at_runs(jnp.asarray(data.layout.basis), jnp.asarray(known.mean.mean(0))))
        errs = (np.abs(error) >= BENDS) & np.asarray(data.layout.seen)
        return {
            task
            for (_, task), any_run in zip(data.groups.pairs, errs.any(1), strict=True)
            if any_run
        }

    def _unruly_losses(self) -> set[str]:
        """Loss names of which a series strays from its law, or scatters too much around it."""
        posterior = self.posteriors.loss.draws["posterior"]
        dims = ("chain", "draw")
        unruly = posterior["sigma"].median(dims) >= SCATTERS
        amplitude = self.loss_model.amplitude
        if amplitude is not None:
            unruly = unruly | (posterior[amplitude].quantile(0.05, dims) >= STRAYS)
        return {
            name
            for corpus, name in self.loss_data.groups.pairs
            if bool(unruly.sel(corpus=corpus, loss_name=name))
        }

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
            Where the folder is missing, or the file cannot be written whole.
        """
        save_fit(self, path)

    def __repr__(self) -> str:
        link = f", link {self.link.name} via {self.route or 'own loss'}" if self.link else ""
        if self.is_mixture:
            link = f" is the heaviest of a mixture of {len(self.members)}{link}"
        size = f"{self.sampler.chains} x {self.sampler.draws} draws"
        return (
            f"Fit({self.ladder.name!r}: law {self.law.name}{link}, pooling {self.pooling}, "
            f"discrepancy {self.settings.discrepancy}, {size}, checks: {self.status})"
        )

    def _repr_html_(self) -> str:
        return paragraph(repr(self)) + self.diagnostics().to_html(index=False)


def require_fit(fit: object) -> None:
    """Check that an argument is a `Fit`.

    Raises
    ------
    SettingError
        For anything else.
    """
    rule, way_out = "must be a result of bayescale.fit", "such as fit(ladder), or load_fit(path)"
    require_kind("fit", fit, Fit, rule=rule, way_out=way_out)


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
