"""FitSettings: what a fit was asked for, and what it makes of a ladder.

Settings and a ladder give data, models and stages to sample. Settings and the fits of a ladder's
past give the discrepancy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from numpyro.distributions import Distribution

from bayescale.data.ladder import Ladder
from bayescale.errors import DataError, SettingError
from bayescale.extrapolation.discrepancy import (
    DISCREPANCY_MODES,
    Discrepancy,
    DiscrepancyMode,
    link_slopes,
    loss_slopes,
    small_ladder,
)
from bayescale.extrapolation.history import History, history_checks, learned, too_small
from bayescale.inference.posterior import Stage, accuracy_stage, loss_stage
from bayescale.models.inputs import AccuracyData, LossData, accuracy_data, link_model, loss_data
from bayescale.models.laws import Law, get_law
from bayescale.models.links import Link, get_link
from bayescale.models.noise import Noise
from bayescale.models.pooling import PoolingMode
from bayescale.models.series import every_prior_used, loss_model
from bayescale.models.stages import Stages
from bayescale.validation import require_choice

AUTO = (
    "auto"  # every route from loss to accuracy, or every law; a loss name that no ladder may have
)
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
        every route.
    pooling
        ``partial``, ``none`` or ``complete``.
    discrepancy
        ``calibrated``, ``prior`` or ``none``.
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
        For an unknown law, link or discrepancy.
    """
    require_choice("discrepancy", discrepancy, DISCREPANCY_MODES)
    return FitSettings(
        law=get_law(ladder.law if law is None else law),
        link=get_link(ladder.link if link is None else link),
        via=via,
        pooling=pooling,
        discrepancy=discrepancy,
        noise=noise,
        blocks=blocks,
        priors=dict(priors or {}),
    )


def noise_widens(settings: FitSettings, ladder: Ladder) -> bool:
    """Whether noise may grow towards small runs.

    It may where law and noise are not taken as true, and where the ladder has runs enough to tell.
    """
    if settings.discrepancy == "none":
        return False
    losses = loss_data(ladder)
    return not too_small(losses, range(losses.groups.series))


def make_stages(
    settings: FitSettings, ladder: Ladder, *, widening: bool, early: bool = False
) -> tuple[FitData, Stages[Stage, Stage]]:
    """Data of a ladder, and the stages to sample.

    Parameters
    ----------
    settings
        What was asked for.
    ladder
        The runs.
    widening
        Whether noise grows towards small runs.
    early
        True for an earlier part of a ladder: it may have too few accuracies for a link, and then
        has no such stage.

    Raises
    ------
    SettingError
        For a prior of no parameter, and an unknown pooling, noise or `via`.
    DataError
        Where a series has too few runs.
    """
    priors = settings.priors or {}
    losses = loss_data(ladder, widening=widening)
    law_model = loss_model(
        settings.law,
        losses.groups,
        pooling=settings.pooling,
        noise=settings.noise,
        priors=priors,
        grouped=losses.layout.first is not None,
        widening=widening,
    )
    loss = loss_stage(settings.law, losses, law_model)
    scores = _early_accuracies(settings, ladder) if early else _accuracies(settings, ladder)
    accuracy = None
    if scores is not None:
        model = link_model(settings.link, scores, settings.pooling, priors)
        accuracy = accuracy_stage(settings.link, scores, model)
    stages = Stages(loss, accuracy)
    if not early:
        every_prior_used(priors, [stage.model for _, stage in stages.named()])
    return Stages(losses, scores), stages


def _accuracies(settings: FitSettings, ladder: Ladder) -> AccuracyData | None:
    return accuracy_data(ladder, settings.via, settings.blocks)


def _early_accuracies(settings: FitSettings, ladder: Ladder) -> AccuracyData | None:
    try:
        return _accuracies(settings, ladder)
    except (DataError, SettingError):
        return None


def find_discrepancy(settings: FitSettings, data: FitData, history: History) -> Discrepancy:
    """The discrepancy that was asked for.

    Parameters
    ----------
    settings
        What was asked for.
    data
        Data of the whole ladder.
    history
        Fits of its past, one pair of stages per cut; empty where it has none.
    """
    if settings.discrepancy == "none":
        return Discrepancy("none")
    of_losses = loss_slopes(data.loss.groups, settings.law.drift)
    of_link = [] if data.accuracy is None else [link_slopes(data.accuracy.groups)]
    if settings.discrepancy == "prior":
        small = [too_small(data.loss, prior.series) for prior in of_losses]
        if data.accuracy is not None:
            small += [too_small(data.accuracy, prior.series) for prior in of_link]
        pairs = zip([*of_losses, *of_link], small, strict=True)
        slopes = tuple(small_ladder(prior, reason) if reason else prior for prior, reason in pairs)
        return Discrepancy("prior", slopes)
    losses = [past.loss for past in history]
    of_losses = [learned(prior, data.loss, losses) for prior in of_losses]
    checks = history_checks(losses, data.loss, of_losses)
    if data.accuracy is not None:
        accuracies = [past.accuracy for past in history if past.accuracy is not None]
        of_link = [learned(prior, data.accuracy, accuracies) for prior in of_link]
        checks += history_checks(accuracies, data.accuracy, of_link)
    return Discrepancy("calibrated", (*of_losses, *of_link), tuple(checks))
