"""fit(ladder, ...) -> Fit, and many fits of one kind that share their compiled programs and their
past.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import xarray as xr
from numpyro.distributions import Distribution

from bayescale.data.ladder import Ladder
from bayescale.errors import DataError, SettingError
from bayescale.extrapolation.discrepancy import (
    DISCREPANCY_MODES,
    MAX_PAST_DIVERGENT,
    DiscrepancyMode,
)
from bayescale.extrapolation.history import PastFit, past_ladders
from bayescale.extrapolation.weights import densities
from bayescale.fits.mixture import mix_routes, stack
from bayescale.fits.record import Fit, make_fit
from bayescale.fits.settings import Settings
from bayescale.inference.batch import Job, sample_jobs, share_programs
from bayescale.inference.nuts import Program, Sample, Sampler
from bayescale.inference.posterior import Stage, full_tree, short_tree
from bayescale.models.inputs import AUTO, AccuracyData, LossData, routes
from bayescale.models.laws import LAWS, Law, get_law
from bayescale.models.links import Link, get_link
from bayescale.models.noise import Noise
from bayescale.models.pooling import PoolingMode
from bayescale.models.series import SeriesModel
from bayescale.runtime import require_64bit

STACKED = ("chinchilla", "gadre", "skaling", "compute")  # what law="auto" weighs
# of each chain in a fit of the ladder's past, of which only mean slopes are wanted
PAST_WARMUP, PAST_DRAWS = 200, 100


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
    progress: Callable[[str, float], None] | None = None,
) -> Fit:
    """p(law | losses) p(link | accuracies, losses), each sampled by NUTS; the joint posterior
    factors (docs: mathematics).

    Parameters
    ----------
    ladder
        The runs; only those with role ``fit`` are seen, and ``link`` by the link.
    law, link
        Names or values of your own; None for the ladder's default; law ``auto`` for a mixture of
        chinchilla, gadre, skaling and compute (`stack`), which takes one route to accuracy: with
        ``via="auto"`` each task's own loss.
    via
        Loss name that every task is linked through; None for each task's own; ``auto`` for both and
        every other loss that all tasks have, weighed by how well each forecast the ladder's dearer
        runs from its cheaper ones (without a calibrated discrepancy nothing is known of that: each
        task's own).
    pooling
        ``partial``, ``none`` or ``complete``.
    discrepancy
        What a forecast allows for beyond the ladder's compute: errors of law and link learned from
        the ladder's own past (``calibrated``), from public sweeps alone (``prior``), or ``none``:
        law and link are taken as true, and noise is the same at every compute.
    noise
        Of the losses: ``normal``, ``student_t``, or ``one_sided`` (under-tuned runs sit above the
        law).
    blocks
        For a table with checkpoints (column ``step``): the link sees the means of this many blocks
        of the later half of each run, whose noise has a part in common; None: each run's last
        checkpoint.
    priors
        NumPyro distributions on the natural scale, by parameter (``{"alpha": LogNormal(-1.0,
        0.3)}``) or by spread (``sd_alpha_corpus``).
    chains, draws, seed
        Of the sampler.
    progress
        Told the step (``loss``, ``accuracy``) and the share of it done, from the thread of that
        step.

    Raises
    ------
    SettingError
        For an unknown law, link, via, pooling, discrepancy, noise or prior, or where JAX computes
        in 32-bit.
    DataError
        For what is no Ladder, and where a series has fewer than 3 fitted runs.
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
    named = STACKED[0] if law == AUTO else law
    settings = make_settings(
        ladder,
        law=named,
        link=link,
        via=via,
        pooling=pooling,
        discrepancy=discrepancy,
        noise=noise,
        blocks=blocks,
        priors=priors,
    )
    if law == AUTO:
        if discrepancy != "calibrated":
            got = f"discrepancy {discrepancy!r}"
            raise SettingError(
                "law 'auto'",
                rule="needs a calibrated discrepancy, whose past is what laws are weighed by",
                got=got,
                way_out="name a law",
            )
        one_route = None if via == AUTO else via
        return stack(
            [
                Fitter(
                    replace(settings, law=LAWS[name], via=one_route), sampler, [ladder], full=True
                ).fit(0, progress)
                for name in STACKED
            ]
        )
    return Fitter(settings, sampler, [ladder], full=True).fit(0, progress)


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
) -> Settings:
    """The settings by name or by value, the ladder's own where there are none; a SettingError for
    an unknown one.
    """
    if discrepancy not in DISCREPANCY_MODES:
        raise SettingError(
            "discrepancy",
            rule=f"must be one of {', '.join(DISCREPANCY_MODES)}",
            got=repr(discrepancy),
            way_out="mend the name",
        )
    chosen, linked = (
        get_law(ladder.law if law is None else law),
        get_link(ladder.link if link is None else link),
    )
    return Settings(chosen, linked, via, pooling, discrepancy, noise, blocks, dict(priors or {}))


def short_sampler(sampler: Sampler) -> Sampler:
    """That of a fit of the past, of which only mean slopes are wanted."""
    return Sampler(
        chains=sampler.chains,
        draws=min(sampler.draws, PAST_DRAWS),
        warmup=PAST_WARMUP,
        seed=sampler.seed,
    )


@dataclass(frozen=True)
class StageKey:
    """One step of one ladder: the digest of its figures, whether its noise widens, which step, and
    through which loss.
    """

    figures: str
    widening: bool
    name: str
    via: str | None


@dataclass(frozen=True)
class Plan:
    """What the fit of one ladder takes: its routes, its past, and whether its noise widens."""

    ladder: Ladder
    routes: list[Settings]
    earlier: list[Ladder]
    widening: bool

    def key(self, part: Ladder, name: str, via: str | None) -> StageKey:
        """Of a step of the ladder or of its past."""
        return StageKey(
            self.digests[id(part)], self.widening, name, via if name == "accuracy" else None
        )

    @cached_property
    def digests(self) -> dict[int, str]:
        """Of the figures that a fit of each part sees, by the part's identity."""
        return {
            id(part): part.with_role("fit", "link").digest()
            for part in (self.ladder, *self.earlier)
        }


def make_plan(settings: Settings, ladder: Ladder) -> Plan:
    """The past where the discrepancy is calibrated on it, and then every route where `via` is
    ``auto``; without a past nothing weighs them: the own loss.
    """
    earlier = past_ladders(ladder) if settings.discrepancy == "calibrated" else []
    through = (
        [settings.via]
        if settings.via != AUTO
        else routes(ladder)
        if settings.discrepancy == "calibrated"
        else [None]
    )
    return Plan(
        ladder,
        [replace(settings, via=route) for route in through],
        earlier,
        settings.widens(ladder),
    )


@dataclass
class Fitter:
    """Fits of several ladders by one kind of settings, each with its own past; ``fit(i)`` makes
    that of the i-th when it is asked for.

    Steps of the same series share a compiled program, and nothing is sampled twice.

    Parameters
    ----------
    settings, sampler
        Of every fit.
    ladders
        What to fit.
    full
        Whether the posteriors hold prior, predictive draws and log likelihood.
    """

    settings: Settings
    sampler: Sampler
    ladders: Sequence[Ladder]
    full: bool = False
    _plans: list[Plan] = field(default_factory=list)
    _data: dict[StageKey, LossData | AccuracyData] = field(default_factory=dict)
    _steps: dict[StageKey, Stage] = field(default_factory=dict)
    _past: dict[StageKey, Sample] = field(default_factory=dict)
    _programs: dict[SeriesModel, Program] = field(default_factory=dict)
    _fits: dict[int, Fit] = field(default_factory=dict)

    def fit(self, i: int, progress: Callable[[str, float], None] | None = None) -> Fit:
        """The fit of the i-th ladder, its discrepancy calibrated on its own past, its routes
        weighed by it.
        """
        if not self._plans:
            self._plans = [make_plan(self.settings, ladder) for ladder in self.ladders]
            for plan in self._plans:
                self._prepare(plan)
            self._steps = dict(
                zip(self._steps, share_programs(list(self._steps.values())), strict=True)
            )
        if i not in self._fits:
            self._fits[i] = self._make(self._plans[i], progress)
        return self._fits[i]

    def _prepare(self, plan: Plan) -> None:
        for mine in plan.routes:
            for part in (plan.ladder, *plan.earlier):
                prepared = mine.prepare(part, widening=plan.widening, early=part is not plan.ladder)
                for name, step in prepared.steps.items():
                    key = plan.key(part, name, mine.via)
                    self._steps.setdefault(key, step)
                    self._data.setdefault(key, prepared.data[name])

    def _make(self, plan: Plan, progress: Callable[[str, float], None] | None) -> Fit:
        own = [self._keys(plan, plan.ladder, route) for route in plan.routes]
        past = [[self._keys(plan, part, route) for part in plan.earlier] for route in plan.routes]
        whole = dict.fromkeys(key for keys in own for key in keys.values())
        missing = dict.fromkeys(
            key
            for parts in past
            for keys in parts
            for key in keys.values()
            if key not in self._past
        )
        queues: dict[str, list[StageKey]] = {}
        for key in (*whole, *missing):
            queues.setdefault(key.name, []).append(key)
        short = short_sampler(self.sampler)
        jobs = {
            name: [
                Job(self._steps[key], self.sampler)
                if key in whole
                else Job(self._steps[key], short, MAX_PAST_DIVERGENT)
                for key in queue
            ]
            for name, queue in queues.items()
        }
        samples, seconds = sample_jobs(jobs, progress, self._programs)
        found = {
            key: sample
            for name, queue in queues.items()
            for key, sample in zip(queue, samples[name], strict=True)
        }
        self._past |= {key: found[key] for key in missing}
        trees = {
            key: full_tree(self._steps[key], found[key])
            if self.full
            else short_tree(self._steps[key], found[key])
            for key in whole
        }
        members = [
            self._member(plan, route, keys, parts, trees, seconds)
            for route, keys, parts in zip(plan.routes, own, past, strict=True)
        ]
        return members[0] if len(members) == 1 else mix_routes(members)

    def _keys(self, plan: Plan, part: Ladder, route: Settings) -> dict[str, StageKey]:
        """The key of each step that there is."""
        keys = {name: plan.key(part, name, route.via) for name in ("loss", "accuracy")}
        return {name: key for name, key in keys.items() if key in self._steps}

    def _member(
        self,
        plan: Plan,
        route: Settings,
        own: Mapping[str, StageKey],
        past: Sequence[Mapping[str, StageKey]],
        trees: Mapping[StageKey, xr.DataTree],
        seconds: float,
    ) -> Fit:
        folds = {
            name: {
                i: PastFit(self._data[keys[name]], self._steps[keys[name]], self._past[keys[name]])
                for i, keys in enumerate(past)
                if name in keys
            }
            for name in own
        }
        before = densities(
            route.law,
            route.link,
            list(folds["loss"].values()),
            folds.get("accuracy", {}),
            plan.ladder,
        )
        data, tree = ({name: of[key] for name, key in own.items()} for of in (self._data, trees))
        return make_fit(
            plan.ladder,
            route,
            data,
            tree,
            {name: list(of.values()) for name, of in folds.items()},
            self.sampler,
            seconds,
            before,
        )
