"""Fit: the two posteriors, the discrepancy, what they were fitted on, and how."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bayescale import checks
from bayescale.checks import Check, Status
from bayescale.diagnosing import design_checks, sampler_checks
from bayescale.discrepancy import Discrepancy
from bayescale.ladder import Ladder
from bayescale.laws import Law
from bayescale.layouts import AUTO, AccuracyData, LossData, accuracy_data, loss_data
from bayescale.links import Link
from bayescale.models import WIDENING, Noise
from bayescale.preparing import Settings
from bayescale.priors import PoolingKind
from bayescale.rolling import Fold
from bayescale.sampling import Sampler
from bayescale.stacking import weigh
from bayescale.verdicts import verdicts


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
    routes
        Where `via` is ``auto`` and there is more than one: a fit for each loss that the accuracies are linked through, the losses the same in all.
    weights
        Of the routes: task, route (index), via, weight, sd, runs (beyond earlier cuts, that it rests on); empty without them.
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
    routes: tuple[Fit, ...] = ()
    weights: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def linked_via(self) -> str | None:
        """The loss that `accuracies` goes through, None for each task's own: the heaviest route's, where there are several."""
        if self.routes:
            return self.routes[int(self.weights.groupby("route")["weight"].sum().idxmax())].via
        return None if self.via == AUTO else self.via

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
        for route in self.routes:
            if route.accuracies is not None and route.via != self.linked_via:
                found += sampler_checks(route.accuracies, f"accuracy via {route.via or 'own loss'}")
        found += self.discrepancy.checks
        return found + design_checks(self.loss_data, self.law, self.accuracy_data, self.link) + self.ladder.with_role("fit", "link").checks()

    def diagnostics(self) -> pd.DataFrame:
        """One row a check: check, status, value, limit, advice."""
        return checks.to_frame(self.checks)

    def verdicts(self) -> pd.DataFrame:
        """One row a task: whether it can be forecast through this loss at all (see `bayescale.verdicts`); empty where there is no link."""
        finished = accuracy_data(self.ladder, self.linked_via)  # a run counts once, however many blocks of its checkpoints the link saw
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


def make_fit(
    ladder: Ladder,
    settings: Settings,
    data: Mapping[str, LossData | AccuracyData],
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
        discrepancy=settings.find_discrepancy(data, folds),
    )


def stacked(members: Sequence[Fit], densities: Sequence[pd.DataFrame]) -> Fit:
    """One fit of several routes, its own link that of the heaviest."""
    weights = weigh(densities, members[0].ladder.with_role("fit", "link").tasks)
    weights.insert(2, "via", [members[r].via or "own loss" for r in weights["route"]])
    heaviest = members[int(weights.groupby("route")["weight"].sum().idxmax())]
    return replace(heaviest, via=AUTO, routes=tuple(members), weights=weights)


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
