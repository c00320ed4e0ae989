"""What a fit was asked for, and a ladder made ready for it: data, models, steps to sample, and what
its past says of errors to come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from numpyro.distributions import Distribution

from bayescale.data.ladder import Ladder
from bayescale.errors import DataError, SettingError
from bayescale.extrapolation.discrepancy import (
    Discrepancy,
    DiscrepancyMode,
    link_slopes,
    loss_slopes,
    small_ladder,
)
from bayescale.extrapolation.history import PastFit, history_checks, learned, too_small
from bayescale.inference.posterior import Stage, accuracy_stage, loss_stage
from bayescale.models.inputs import AccuracyData, LossData, accuracy_data, link_model, loss_data
from bayescale.models.laws import Law
from bayescale.models.links import Link
from bayescale.models.noise import Noise
from bayescale.models.pooling import PoolingMode
from bayescale.models.series import every_prior_used, loss_model


@dataclass(frozen=True)
class Prepared:
    """A ladder's data and steps by name, ``loss`` and, where it has accuracies, ``accuracy``."""

    data: Mapping[str, LossData | AccuracyData]
    steps: Mapping[str, Stage]


@dataclass(frozen=True)
class Settings:
    """What a fit was asked for; turns a ladder into steps to sample, and the ladder's past into a
    discrepancy.
    """

    law: Law
    link: Link
    via: str | None
    pooling: PoolingMode
    discrepancy: DiscrepancyMode
    noise: Noise
    blocks: int | None
    priors: Mapping[str, Distribution]

    def widens(self, ladder: Ladder) -> bool:
        """Whether small runs may lose weight: where law and noise are not taken as true, and there
        are runs enough to tell.
        """
        losses = loss_data(ladder)
        return self.discrepancy != "none" and not too_small(losses, range(losses.groups.series))

    def prepare(self, ladder: Ladder, *, widening: bool, early: bool = False) -> Prepared:
        """Data, models and steps; every prior must be one of theirs. An `early` part of a ladder
        may have too few accuracies for a link: then it has none.
        """
        losses = loss_data(ladder, widening=widening)
        grouped = losses.layout.first is not None
        model = loss_model(
            self.law,
            losses.groups,
            pooling=self.pooling,
            noise=self.noise,
            priors=self.priors,
            grouped=grouped,
            widening=widening,
        )
        data: dict[str, LossData | AccuracyData] = {"loss": losses}
        steps = {"loss": loss_stage(self.law, losses, model)}
        accuracies = (
            self._early_accuracies(ladder)
            if early
            else accuracy_data(ladder, self.via, self.blocks)
        )
        if accuracies is not None:
            data["accuracy"] = accuracies
            steps["accuracy"] = accuracy_stage(
                self.link, accuracies, link_model(self.link, accuracies, self.pooling, self.priors)
            )
        if not early:
            every_prior_used(self.priors, [step.model for step in steps.values()])
        return Prepared(data, steps)

    def _early_accuracies(self, ladder: Ladder) -> AccuracyData | None:
        try:
            return accuracy_data(ladder, self.via, self.blocks)
        except (DataError, SettingError):
            return None

    def find_discrepancy(
        self, data: Mapping[str, LossData | AccuracyData], folds: Mapping[str, Sequence[PastFit]]
    ) -> Discrepancy:
        """The discrepancy asked for, from the folds of the ladder's past by step."""
        if self.discrepancy == "none":
            return Discrepancy("none")
        priors = [(p, "loss") for p in loss_slopes(data["loss"].groups, self.law.drift)]
        priors += [
            (link_slopes(d.groups), "accuracy") for name, d in data.items() if name == "accuracy"
        ]
        if self.discrepancy == "prior":
            small = [too_small(data[name], prior.members) for prior, name in priors]
            return Discrepancy(
                "prior",
                tuple(
                    small_ladder(prior, why) if why else prior
                    for (prior, _), why in zip(priors, small, strict=True)
                ),
            )
        slopes = tuple(learned(prior, data[name], folds[name]) for prior, name in priors)
        checks = [
            c
            for name, mine in folds.items()
            for c in history_checks(mine, data[name], [s for s in slopes if s.step == name])
        ]
        return Discrepancy("calibrated", slopes, tuple(checks))
