"""Many stages sampled by as few compiled programs as their shapes allow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from bayescale.inference.nuts import Program, Sampler
from bayescale.inference.posterior import Posterior, make_posterior
from bayescale.inference.stage import Stage
from bayescale.models.series import SeriesModel
from bayescale.models.stages import StageName, Stages
from bayescale.models.traces import drop_programs

# Memory maps of a process above which its compiled programs are dropped. Each fit of another shape
# leaves about 370 maps and 100 MB; Linux allows 65,530 maps.
MAX_MAPS = 8_000
MAPS = Path("/proc/self/maps")


def release_programs() -> None:
    """Drop all compiled programs of the process where they take more than `MAX_MAPS` memory maps.

    A program that is needed again is read from the cache on disk. Where the system has no
    ``/proc``, nothing is dropped.
    """
    if not MAPS.exists():
        return
    with MAPS.open("rb") as lines:
        maps = sum(1 for _ in lines)
    if maps > MAX_MAPS:
        drop_programs()


def share_programs(stages: Sequence[Stage]) -> list[Stage]:
    """The same stages; those of equal series have one model and one width.

    They then share a compiled program. Cells that fill up a width are masked, and terms of the
    discrepancy that fill up their number are 0.
    """
    alike: dict[object, list[Stage]] = {}
    for stage in stages:
        alike.setdefault(_likeness(stage), []).append(stage)
    shared = []
    for stage in stages:
        group = alike[_likeness(stage)]
        width = max(other.layout.seen.shape[1] for other in group)
        terms = max(_terms(other) for other in group)
        shared.append(_wider(replace(stage, model=group[0].model), width, terms))
    return shared


def _likeness(stage: Stage) -> tuple[object, ...]:
    """What two stages must have in common to share a program."""
    pooling = stage.model.pooling
    priors = tuple(
        np.asarray(getattr(pooling.prior(p), "loc", 0.0)).tobytes() for p in pooling.parameters
    )
    return stage.name, stage.groups, stage.layout.first is None, priors


def _terms(stage: Stage) -> int:
    """Number of terms of the discrepancy."""
    return 0 if stage.layout.basis is None else stage.layout.basis.shape[-1]


def _wider(stage: Stage, width: int, terms: int) -> Stage:
    missing = width - stage.runs.shape[1]
    runs = np.pad(stage.runs, ((0, 0), (0, missing)), constant_values="")
    return replace(stage, layout=stage.layout.wider(width, terms), runs=runs)


def sample_stages(
    stages: Stages[Stage, Stage],
    sampler: Sampler,
    *,
    progress: Callable[[str, float], None] | None = None,
    programs: dict[SeriesModel, Program] | None = None,
) -> tuple[Stages[Posterior, Posterior], float]:
    """The posterior of each stage, and the seconds that both took together.

    The stages are independent, so each has a thread of its own: one is traced and compiled while
    the other samples. An interrupt, or an error of one thread, stops both at their next block of
    iterations.

    Parameters
    ----------
    stages
        What to sample.
    sampler
        Chains, draws, warm-up and seed.
    progress
        Function that is told the stage and the share of its work that is done.
    programs
        Compiled programs by model. New ones are added, so a later call can use them.
    """
    release_programs()
    known = {} if programs is None else programs
    stop = threading.Event()
    began = time.perf_counter()

    def report(name: StageName, share: float) -> None:
        if stop.is_set():
            raise InterruptedError
        if progress is not None:
            progress(name, share)

    def sample(name: StageName, stage: Stage) -> Posterior:
        if stage.model not in known:
            known[stage.model] = Program(stage.model)
        draws = known[stage.model](stage.layout, sampler, partial(report, name), stage.name)
        return make_posterior(stage, draws)

    named = stages.named()
    with ThreadPoolExecutor(len(named)) as pool:
        running = [pool.submit(sample, name, stage) for name, stage in named]
        try:
            # The checks need ArviZ later; its second of loading costs nothing here.
            import arviz_stats  # noqa: F401

            done, _ = wait(running, return_when=FIRST_EXCEPTION)
            for future in done:
                # This raises the first error, not the interruptions that it causes elsewhere.
                future.result()
        finally:
            stop.set()
        posteriors = Stages(*(future.result() for future in running))
        return posteriors, time.perf_counter() - began
