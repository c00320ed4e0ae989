"""fit(ladder, ...) -> Fit, and many fits that share compiled programs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpyro.distributions import Distribution

from bayescale.data.ladder import Ladder
from bayescale.extrapolation.amplitudes import DiscrepancyMode
from bayescale.fits.executors import Task
from bayescale.fits.mixture import stack
from bayescale.fits.record import Fit
from bayescale.fits.settings import AUTO, FitSettings, make_settings, make_stages, require_ladder
from bayescale.inference.batch import sample_stages, share_programs
from bayescale.inference.nuts import Program, Sampler
from bayescale.inference.posterior import Posterior
from bayescale.models.laws import LAWS, Law
from bayescale.models.links import Link
from bayescale.models.noise import Noise
from bayescale.models.pooling import PoolingMode
from bayescale.models.series import SeriesModel
from bayescale.models.stages import Stages
from bayescale.runtime import require_64bit
from bayescale.validation import check_progress

# The laws that law="auto" weighs.
STACKED = ("chinchilla", "gadre", "skaling", "compute")

type Progress = Callable[[str, float], None]


def fit(
    ladder: Ladder,
    *,
    law: str | Law | None = None,
    link: str | Link | None = None,
    via: str | None = AUTO,
    pooling: PoolingMode = "partial",
    discrepancy: DiscrepancyMode = "calibrated",
    noise: Noise = "normal",
    blocks: int | None = None,
    priors: Mapping[str, Distribution] | None = None,
    chains: int = 4,
    draws: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Fit:
    """p(law | losses) p(link | accuracies, losses), each sampled by NUTS.

    The joint posterior factors into these two: see the page on mathematics in the docs.

    Parameters
    ----------
    ladder
        The runs. The law sees the runs with role ``fit``; the link sees role ``link`` too.
    law
        Name of a law, or a `Law` of your own; None for the ladder's default. ``auto`` is a mixture
        of chinchilla, gadre, skaling and compute (see `stack`).
    link
        Name of a link, or a `Link` of your own; None for the ladder's default.
    via
        Name of the loss that every task is linked through; None for each task's own loss. ``auto``
        takes the first loss of running text that all tasks have, and each task's own loss where
        there is none.
    pooling
        How series share parameters: ``partial``, ``none`` or ``complete``.
    discrepancy
        ``calibrated``: law and link may err by a smooth function of size and tokens, whose sd is
        learned with the rest, and small runs may scatter more. ``none``: law and link are taken as
        true, and noise is the same at every compute.
    noise
        Noise of the losses: ``normal``; or, with discrepancy ``none``, ``student_t`` or
        ``one_sided`` (under-tuned runs lie above the law).
    blocks
        For a table with checkpoints (column ``step``): the link sees the means of this many blocks
        of the later half of each run, whose noise has a part in common. None for each run's last
        checkpoint.
    priors
        NumPyro distributions on the natural scale, by parameter (``{"alpha": LogNormal(-1.0,
        0.3)}``) or by spread between series (``sd_alpha_corpus``).
    chains, draws, seed
        Number of chains, draws kept of each chain, and seed of the sampler.
    progress
        Function that is told the stage (``loss`` or ``accuracy``) and the share of it that is done,
        from the thread of that stage.

    Returns
    -------
    Fit
        The posteriors with their checks. A fit whose checks failed is returned too, with status
        ``fail``.

    Raises
    ------
    SettingError
        For an unknown law, link, via, pooling, discrepancy, noise or prior, and where JAX computes
        in 32-bit.
    DataError
        For anything that is not a Ladder, and where a series has fewer than 3 fitted runs.

    Examples
    --------
    >>> import bayescale as bs
    >>> bs.setup(chains=2)
    >>> ladder = bs.load_dataset("ladder2024", tasks=["hellaswag"])
    >>> fit = bs.fit(ladder, law="compute", discrepancy="none", chains=2, draws=100)
    >>> fit.law.name, fit.link.name, fit.status in ("pass", "warn", "fail")
    ('compute', 'logistic', True)
    """
    require_64bit()
    require_ladder(ladder)
    check_progress(progress)
    sampler = Sampler(chains=chains, draws=draws, seed=seed)
    every_law = isinstance(law, str) and law == AUTO
    settings = make_settings(
        ladder,
        law=STACKED[0] if every_law else law,
        link=link,
        via=via,
        pooling=pooling,
        discrepancy=discrepancy,
        noise=noise,
        blocks=blocks,
        priors=priors,
    )
    if every_law:
        return _fit_laws(settings, sampler, ladder, progress)
    return next(fit_many(settings, sampler, [ladder], progress=progress))


def _fit_laws(
    settings: FitSettings, sampler: Sampler, ladder: Ladder, progress: Progress | None
) -> Fit:
    """The mixture of laws that ``law="auto"`` asks for."""
    each = [replace(settings, law=LAWS[name]) for name in STACKED]
    return stack([next(fit_many(one, sampler, [ladder], progress=progress)) for one in each])


def fit_many(
    settings: FitSettings,
    sampler: Sampler,
    ladders: Sequence[Ladder],
    *,
    only: Collection[int] | None = None,
    progress: Progress | None = None,
) -> Iterator[Fit]:
    """The fit of each ladder in turn, made when it is asked for.

    Stages of the same series share a compiled program.

    Parameters
    ----------
    settings
        What is asked of every fit.
    sampler
        Chains, draws, warm-up and seed of every fit.
    ladders
        What to fit.
    only
        Indices of the ladders to fit; None for all. Programs have the shape that serves all
        ladders, so a fit does not depend on which others are made.
    progress
        As in `fit`.
    """
    prepared = [make_stages(settings, ladder)[1] for ladder in ladders]
    shared = iter(share_programs([stage for stages in prepared for _, stage in stages.named()]))
    pairs = [
        Stages(next(shared), None if stages.accuracy is None else next(shared))
        for stages in prepared
    ]
    programs: dict[SeriesModel, Program] = {}
    for i, (ladder, stages) in enumerate(zip(ladders, pairs, strict=True)):
        if only is not None and i not in only:
            continue
        posteriors, seconds = sample_stages(stages, sampler, progress=progress, programs=programs)
        _describe(posteriors, settings, ladder, seconds)
        yield Fit(
            ladder=ladder,
            settings=settings,
            posteriors=posteriors,
            sampler=sampler,
        )


def fit_tasks(
    settings: FitSettings,
    sampler: Sampler,
    ladders: Sequence[Ladder],
    named: Mapping[int, tuple[str, Callable[[Fit], Any]]],
    *,
    here: bool,
) -> list[Task]:
    """One task for each of some ladders: its fit, and what is made of it.

    Parameters
    ----------
    settings, sampler, ladders
        As in `fit_many`. The shape that serves all ladders decides every fit.
    named
        By index of the ladders to fit, in their order: name of the task, and a function of the fit
        whose result is small. It must be one that another process finds.
    here
        Whether this process runs the tasks, one after the other; they then share a compiled
        program.
    """
    if here:
        fits = fit_many(settings, sampler, ladders, only=named)
        return [Task(name, _of_next_fit, (made_of, fits)) for name, made_of in named.values()]
    return [
        Task(name, _of_one_fit, (made_of, settings, sampler, ladders, i))
        for i, (name, made_of) in named.items()
    ]


def _of_next_fit(made_of: Callable[[Fit], Any], fits: Iterator[Fit]) -> Any:
    """What is made of the next fit."""
    return made_of(next(fits))


def _of_one_fit(
    made_of: Callable[[Fit], Any],
    settings: FitSettings,
    sampler: Sampler,
    ladders: Sequence[Ladder],
    i: int,
) -> Any:
    """What is made of the fit of the i-th ladder."""
    return made_of(next(fit_many(settings, sampler, ladders, only=[i])))


def _describe(
    posteriors: Stages[Posterior, Posterior], settings: FitSettings, ladder: Ladder, seconds: float
) -> None:
    """Write into each posterior what it was fitted on and how."""
    attributes = {
        "ladder": ladder.name,
        "data_sha256": ladder.with_role("fit", "link").digest(),
        "pooling": settings.pooling,
        "seconds_together": seconds,
    }
    for _, posterior in posteriors.named():
        posterior.draws.attrs |= attributes
    posteriors.loss.draws.attrs |= {"law": settings.law.name, "noise": settings.noise}
