"""fit(ladder, ...) -> Fit, and many fits that share compiled programs and fits of the past."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import xarray as xr
from numpyro.distributions import Distribution

from bayescale.data.ladder import Ladder
from bayescale.errors import DataError, SettingError
from bayescale.extrapolation.discrepancy import MAX_PAST_DIVERGENT, DiscrepancyMode
from bayescale.extrapolation.history import PastAccuracies, PastLosses, past_ladders
from bayescale.extrapolation.weights import densities
from bayescale.fits.mixture import mix_routes, stack
from bayescale.fits.record import Fit
from bayescale.fits.settings import (
    AUTO,
    FitSettings,
    find_discrepancy,
    make_settings,
    make_stages,
    noise_widens,
)
from bayescale.inference.batch import Job, sample_jobs, share_programs
from bayescale.inference.nuts import Program, Sample, Sampler
from bayescale.inference.posterior import Stage, full_tree, short_tree
from bayescale.models.inputs import AccuracyData, LossData, routes
from bayescale.models.laws import LAWS, Law
from bayescale.models.links import Link
from bayescale.models.noise import Noise
from bayescale.models.pooling import PoolingMode
from bayescale.models.series import SeriesModel
from bayescale.models.stages import StageName, Stages
from bayescale.runtime import require_64bit

# The laws that law="auto" weighs.
STACKED = ("chinchilla", "gadre", "skaling", "compute")
# Warm-up and draws of each chain in a fit of the past, of which only mean slopes are needed.
PAST_WARMUP = 200
PAST_DRAWS = 100

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
        of chinchilla, gadre, skaling and compute (see `stack`); it takes one route to accuracy,
        which is each task's own loss where `via` is ``auto``.
    link
        Name of a link, or a `Link` of your own; None for the ladder's default.
    via
        Name of the loss that every task is linked through; None for each task's own loss. ``auto``
        weighs each task's own loss and every other loss that all tasks have, by how well each
        route forecast the ladder's larger runs from its smaller ones. Without a calibrated
        discrepancy nothing is known of that, and ``auto`` takes each task's own loss.
    pooling
        How series share parameters: ``partial``, ``none`` or ``complete``.
    discrepancy
        What a forecast allows for beyond the ladder's compute. ``calibrated``: errors of law and
        link learned from the ladder's own past. ``prior``: errors known from public sweeps alone.
        ``none``: law and link are taken as true, and noise is the same at every compute.
    noise
        Noise of the losses: ``normal``, ``student_t``, or ``one_sided`` (under-tuned runs lie above
        the law).
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
    if not isinstance(ladder, Ladder):
        raise DataError(
            "ladder",
            rule="must be a Ladder",
            got=type(ladder).__name__,
            way_out="Ladder.from_frame(...), read_csv(...) or load_dataset(...)",
        )
    sampler = Sampler(chains=chains, draws=draws, seed=seed)
    settings = make_settings(
        ladder,
        law=STACKED[0] if law == AUTO else law,
        link=link,
        via=via,
        pooling=pooling,
        discrepancy=discrepancy,
        noise=noise,
        blocks=blocks,
        priors=priors,
    )
    if law == AUTO:
        return _fit_laws(settings, sampler, ladder, progress)
    return next(fit_many(settings, sampler, [ladder], full=True, progress=progress))


def _fit_laws(
    settings: FitSettings, sampler: Sampler, ladder: Ladder, progress: Progress | None
) -> Fit:
    """The mixture of laws that ``law="auto"`` asks for."""
    if settings.discrepancy != "calibrated":
        raise SettingError(
            "law 'auto'",
            rule="needs a calibrated discrepancy, whose past is what laws are weighed by",
            got=f"discrepancy {settings.discrepancy!r}",
            way_out="name a law",
        )
    via = None if settings.via == AUTO else settings.via
    each = [replace(settings, law=LAWS[name], via=via) for name in STACKED]
    return stack(
        [next(fit_many(one, sampler, [ladder], full=True, progress=progress)) for one in each]
    )


def fit_many(
    settings: FitSettings,
    sampler: Sampler,
    ladders: Sequence[Ladder],
    *,
    only: Collection[int] | None = None,
    full: bool = False,
    progress: Progress | None = None,
) -> Iterator[Fit]:
    """The fit of each ladder in turn, each with a past of its own, made when it is asked for.

    Stages of the same series share a compiled program, and no stage is sampled twice.

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
    full
        Whether posteriors hold prior, predictive draws and log likelihood.
    progress
        As in `fit`.
    """
    plans = [_make_plan(settings, ladder) for ladder in ladders]
    cache = _Cache()
    for plan in plans:
        cache.prepare(plan)
    cache.share_programs()
    for i, plan in enumerate(plans):
        if only is None or i in only:
            yield _fit_one(plan, sampler, cache, full=full, progress=progress)


def short_sampler(sampler: Sampler) -> Sampler:
    """The sampler of a fit of the past, of which only mean slopes are needed."""
    draws = min(sampler.draws, PAST_DRAWS)
    return Sampler(chains=sampler.chains, draws=draws, warmup=PAST_WARMUP, seed=sampler.seed)


class _Part(NamedTuple):
    """A ladder, or an earlier part of it, and the digest of the figures that a fit sees."""

    ladder: Ladder
    digest: str


class _Plan(NamedTuple):
    """What the fit of one ladder takes: its routes, its past, and whether its noise widens."""

    whole: _Part
    earlier: list[_Part]
    routes: list[FitSettings]
    widening: bool


class _Key(NamedTuple):
    """One stage of one part: what tells it from every other stage."""

    digest: str
    widening: bool
    stage: StageName
    via: str | None


type _Keys = Stages[_Key, _Key]


def _make_plan(settings: FitSettings, ladder: Ladder) -> _Plan:
    """The past where the discrepancy is calibrated on it, and then every route of ``auto``.

    Without a past no route can be weighed, and ``auto`` is each task's own loss.
    """
    calibrated = settings.discrepancy == "calibrated"
    earlier = past_ladders(ladder) if calibrated else []
    via: list[str | None] = [settings.via]
    if settings.via == AUTO:
        via = routes(ladder) if calibrated else [None]
    return _Plan(
        whole=_part(ladder),
        earlier=[_part(part) for part in earlier],
        routes=[replace(settings, via=route) for route in via],
        widening=noise_widens(settings, ladder),
    )


def _part(ladder: Ladder) -> _Part:
    return _Part(ladder, ladder.with_role("fit", "link").digest())


@dataclass
class _Cache:
    """Data, stages, programs and draws of the past, each made once."""

    losses: dict[_Key, LossData] = field(default_factory=dict)
    accuracies: dict[_Key, AccuracyData] = field(default_factory=dict)
    stages: dict[_Key, Stage] = field(default_factory=dict)
    past: dict[_Key, Sample] = field(default_factory=dict)
    programs: dict[SeriesModel, Program] = field(default_factory=dict)

    def prepare(self, plan: _Plan) -> None:
        """Make the data and stages that a plan needs."""
        for settings in plan.routes:
            for part in (plan.whole, *plan.earlier):
                early = part is not plan.whole
                data, stages = make_stages(
                    settings, part.ladder, widening=plan.widening, early=early
                )
                loss = _Key(part.digest, plan.widening, "loss", None)
                self.stages.setdefault(loss, stages.loss)
                self.losses.setdefault(loss, data.loss)
                if stages.accuracy is not None and data.accuracy is not None:
                    accuracy = _Key(part.digest, plan.widening, "accuracy", settings.via)
                    self.stages.setdefault(accuracy, stages.accuracy)
                    self.accuracies.setdefault(accuracy, data.accuracy)

    def share_programs(self) -> None:
        """Give stages of the same series one model and one width."""
        self.stages = dict(
            zip(self.stages, share_programs(list(self.stages.values())), strict=True)
        )

    def keys(self, plan: _Plan, part: _Part, settings: FitSettings) -> _Keys:
        """The keys of both stages; None for an accuracy stage that the part does not have."""
        loss = _Key(part.digest, plan.widening, "loss", None)
        accuracy = _Key(part.digest, plan.widening, "accuracy", settings.via)
        return Stages(loss, accuracy if accuracy in self.stages else None)

    def past_fits(self, keys: _Keys) -> Stages[PastLosses, PastAccuracies]:
        """Both stages of a part of the past, as they were fitted."""
        loss = PastLosses(self.losses[keys.loss], self.stages[keys.loss], self.past[keys.loss])
        if keys.accuracy is None:
            return Stages(loss)
        key = keys.accuracy
        accuracy = PastAccuracies(self.accuracies[key], self.stages[key], self.past[key])
        return Stages(loss, accuracy)


def _fit_one(
    plan: _Plan, sampler: Sampler, cache: _Cache, *, full: bool, progress: Progress | None
) -> Fit:
    """The fit of one ladder: its discrepancy and the weights of its routes rest on its past."""
    own = [cache.keys(plan, plan.whole, route) for route in plan.routes]
    past = [[cache.keys(plan, part, route) for part in plan.earlier] for route in plan.routes]
    whole = _unique(own)
    missing = [key for key in _unique(k for keys in past for k in keys) if key not in cache.past]
    samples, seconds = _sample(whole, missing, sampler, cache, progress)
    cache.past |= {key: samples[key] for key in missing}
    make_tree = full_tree if full else short_tree
    trees = {key: make_tree(cache.stages[key], samples[key]) for key in whole}
    fits = []
    for settings, keys, past_keys in zip(plan.routes, own, past, strict=True):
        history = [cache.past_fits(each) for each in past_keys]
        data = Stages(
            cache.losses[keys.loss],
            None if keys.accuracy is None else cache.accuracies[keys.accuracy],
        )
        pair = Stages(trees[keys.loss], None if keys.accuracy is None else trees[keys.accuracy])
        _describe(pair, settings, plan.whole.ladder, seconds)
        fits.append(
            Fit(
                ladder=plan.whole.ladder,
                settings=settings,
                losses=pair.loss,
                accuracies=pair.accuracy,
                sampler=sampler,
                discrepancy=find_discrepancy(settings, data, history),
                widening=plan.widening,
                past=densities(settings.law, settings.link, history, plan.whole.ladder),
            )
        )
    return fits[0] if len(fits) == 1 else mix_routes(fits)


def _unique(keys: Iterator[_Keys] | Sequence[_Keys]) -> list[_Key]:
    return list(dict.fromkeys(key for pair in keys for _, key in pair.named()))


def _sample(
    whole: Sequence[_Key],
    past: Sequence[_Key],
    sampler: Sampler,
    cache: _Cache,
    progress: Progress | None,
) -> tuple[dict[_Key, Sample], float]:
    """Draws of stages of the whole ladder and of its past, and the seconds that they took."""
    short = short_sampler(sampler)

    def job(key: _Key) -> Job:
        if key in whole:
            return Job(cache.stages[key], sampler)
        return Job(cache.stages[key], short, MAX_PAST_DIVERGENT)

    queues: dict[StageName, list[_Key]] = {}
    for key in (*whole, *past):
        queues.setdefault(key.stage, []).append(key)
    jobs = {stage: [job(key) for key in queue] for stage, queue in queues.items()}
    samples, seconds = sample_jobs(jobs, progress, cache.programs)
    pairs = [
        pair for stage, queue in queues.items() for pair in zip(queue, samples[stage], strict=True)
    ]
    return dict(pairs), seconds


def _describe(
    trees: Stages[xr.DataTree, xr.DataTree], settings: FitSettings, ladder: Ladder, seconds: float
) -> None:
    """Write into each tree what it was fitted on and how."""
    attributes = {
        "ladder": ladder.name,
        "data_sha256": ladder.with_role("fit", "link").digest(),
        "pooling": settings.pooling,
        "seconds_together": seconds,
    }
    for _, tree in trees.named():
        tree.attrs |= attributes
    trees.loss.attrs |= {"law": settings.law.name, "noise": settings.noise}
