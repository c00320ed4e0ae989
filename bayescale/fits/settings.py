"""FitSettings: what a fit was asked for, and the data, models and stages it makes of a ladder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from numpyro.distributions import Distribution

from bayescale.data.ladder import Ladder
from bayescale.data.target import COMPUTE_ONLY
from bayescale.errors import DataError, SettingError
from bayescale.extrapolation.amplitudes import DISCREPANCY_MODES, DiscrepancyMode
from bayescale.inference.stage import Stage, accuracy_stage, loss_stage
from bayescale.models.inputs import (
    AccuracyData,
    LossData,
    accuracy_data,
    link_model,
    loss_data,
    routes,
)
from bayescale.models.laws import Law, get_law
from bayescale.models.links import Link, get_link
from bayescale.models.noise import Noise
from bayescale.models.pooling import POOLING_MODES, PoolingMode
from bayescale.models.series import SeriesModel
from bayescale.models.stage_models import every_prior_used, loss_model
from bayescale.models.stages import Stages
from bayescale.validation import require_choice, require_kind, require_whole, shown

# The route that the ladder has, or every law; a loss name that no ladder may have.
AUTO = "auto"
type FitData = Stages[LossData, AccuracyData]


@dataclass(frozen=True)
class FitSettings:
    """What a fit was asked for: see `bayescale.fits.fit.fit`.

    Parameters
    ----------
    law, link
        The law and the link, as values. A ladder without accuracies leaves the link unused.
    via
        Loss name that every task is linked through; None for each task's own loss; ``auto`` for
        the first loss of running text that all tasks have (see `route`).
    pooling
        ``partial``, ``none`` or ``complete``.
    discrepancy
        ``calibrated`` or ``none``.
    noise
        Noise of the losses: ``normal``, ``student_t`` or ``one_sided``.
    blocks
        Blocks of each run's checkpoints that the link sees; None for the last checkpoint alone.
    priors
        The user's own priors by name; None where they are unknown, because a file does not keep
        them.
    """

    law: Law
    link: Link
    via: str | None
    pooling: PoolingMode
    discrepancy: DiscrepancyMode
    noise: Noise
    blocks: int | None
    priors: Mapping[str, Distribution] | None

    @property
    def has_discrepancy(self) -> bool:
        """Whether law and link may err."""
        return self.discrepancy != "none"

    def route(self, ladder: Ladder) -> str | None:
        """The loss that every task of a ladder is linked through; None for each task's own.

        Through a loss of running text, accuracies of public sweeps were forecast better than
        through the tasks' own losses, on every sweep that has both.
        """
        if self.via != AUTO:
            return self.via
        return next(iter(routes(ladder)), None)

    def require_priors(self) -> None:
        """A SettingError where the fit cannot be made again, because its priors are unknown."""
        if self.priors is None:
            raise SettingError(
                "priors of the fit",
                rule="must be known to fit again",
                got="your own, which are not saved",
                way_out="fit anew with priors=",
            )


def make_settings(
    ladder: Ladder,
    *,
    law: str | Law | None,
    link: str | Link | None,
    via: str | None,
    pooling: PoolingMode,
    discrepancy: DiscrepancyMode,
    noise: Noise,
    blocks: int | None,
    priors: Mapping[str, Distribution] | None,
) -> FitSettings:
    """The settings with law and link as values; None is the ladder's own default.

    Raises
    ------
    SettingError
        For an unknown law, link, pooling, noise or discrepancy, and for `via`, `blocks` and
        `priors` of another type.
    """
    require_choice("pooling", pooling, POOLING_MODES)
    require_choice("noise", noise, get_args(Noise))
    require_kind(
        "via",
        via,
        str | None,
        rule="must be the name of a loss, or None",
        way_out="via='auto' leaves the choice to the ladder",
    )
    if blocks is not None:
        require_whole("blocks", blocks, 1, way_out="such as blocks=5, or None for the last one")
    way_out = "calibrated learns the errors of law and link with the rest; none takes both as true"
    require_choice("discrepancy", discrepancy, DISCREPANCY_MODES, way_out)
    chosen = get_law(ladder.law if law is None else law)
    if ladder.conventions.params == COMPUTE_ONLY and chosen.name != "compute":
        raise SettingError(
            f"law {chosen.name!r}",
            rule="needs the params and tokens of each run",
            got="a ladder of which only the compute is known",
            way_out="fit law compute",
        )
    return FitSettings(
        law=chosen,
        link=get_link(ladder.link if link is None else link),
        via=via,
        pooling=pooling,
        discrepancy=discrepancy,
        noise=noise,
        blocks=blocks,
        priors=check_priors(priors),
    )


def require_ladder(ladder: object) -> None:
    """Check that an argument is a `Ladder`.

    Raises
    ------
    DataError
        For anything else.
    """
    require_kind(
        "ladder",
        ladder,
        Ladder,
        rule="must be a Ladder",
        way_out="Ladder.from_frame(...), read_csv(...) or load_dataset(...)",
        error=DataError,
    )


def check_priors(priors: object) -> dict[str, Distribution]:
    """The user's own priors; empty for None.

    Parameters
    ----------
    priors
        What the user gave.

    Raises
    ------
    SettingError
        For anything but a mapping from names to NumPyro distributions.
    """
    given = {} if priors is None else priors
    if not isinstance(given, Mapping) or not all(
        isinstance(name, str) and isinstance(prior, Distribution) for name, prior in given.items()
    ):
        raise SettingError(
            "priors",
            rule="must be a mapping from names of parameters to NumPyro distributions",
            got=shown(priors),
            way_out="such as priors={'alpha': LogNormal(-1.0, 0.3)}",
        )
    return dict(given)


def make_stages(settings: FitSettings, ladder: Ladder) -> tuple[FitData, Stages[Stage, Stage]]:
    """Data of a ladder, and the stages to sample.

    Parameters
    ----------
    settings
        What was asked for.
    ladder
        The runs.

    Raises
    ------
    SettingError
        For a prior of no parameter, and an unknown pooling, noise or `via`.
    DataError
        Where a series has too few runs.
    """
    losses = loss_data(ladder)
    loss = loss_stage(settings.law, losses, law_model_of(settings, losses))
    scores = accuracy_data(ladder, settings.route(ladder), settings.blocks)
    accuracy = None
    if scores is not None:
        accuracy = accuracy_stage(settings.link, scores, link_model_of(settings, scores))
    stages = Stages(loss, accuracy)
    every_prior_used(settings.priors or {}, [stage.model for _, stage in stages.named()])
    return Stages(losses, scores), stages


def law_model_of(settings: FitSettings, data: LossData) -> SeriesModel:
    """The model of the losses, as it is fitted."""
    return loss_model(
        settings.law,
        data.groups,
        pooling=settings.pooling,
        noise=settings.noise,
        priors=settings.priors,
        grouped=data.layout.first is not None,
        discrepancy=settings.has_discrepancy,
    )


def link_model_of(settings: FitSettings, data: AccuracyData) -> SeriesModel:
    """The model of the accuracies, as it is fitted."""
    return link_model(
        settings.link,
        data,
        settings.pooling,
        settings.priors or {},
        discrepancy=settings.has_discrepancy,
    )
