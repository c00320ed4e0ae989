"""Many stages sampled by as few compiled programs as their shapes allow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from bayescale.inference.nuts import Program, Sample, Sampler
from bayescale.inference.posterior import Stage
from bayescale.models.series import SeriesModel
from bayescale.models.stages import StageName


class Job(NamedTuple):
    """One stage to sample.

    Parameters
    ----------
    stage
        The stage.
    sampler
        Chains, draws, warm-up and seed.
    divergent
        Largest share of divergent draws. Above it, the stage is sampled again with smaller steps.
    """

    stage: Stage
    sampler: Sampler
    divergent: float = 0.0


def share_programs(stages: Sequence[Stage]) -> list[Stage]:
    """The same stages; those of equal series have one model and one width.

    They then share a compiled program. Cells that fill up a width are masked.
    """
    alike: dict[object, list[Stage]] = {}
    for stage in stages:
        alike.setdefault(_likeness(stage), []).append(stage)
    shared = []
    for stage in stages:
        group = alike[_likeness(stage)]
        width = max(other.layout.seen.shape[1] for other in group)
        shared.append(_wider(replace(stage, model=group[0].model), width))
    return shared


def _likeness(stage: Stage) -> tuple[object, ...]:
    """What two stages must have in common to share a program."""
    pooling = stage.model.pooling
    priors = tuple(
        np.asarray(getattr(pooling.prior(p), "loc", 0.0)).tobytes() for p in pooling.parameters
    )
    return stage.name, stage.groups, stage.layout.first is None, stage.layout.lag is None, priors


def _wider(stage: Stage, width: int) -> Stage:
    missing = width - stage.runs.shape[1]
    runs = np.pad(stage.runs, ((0, 0), (0, missing)), constant_values="")
    return replace(stage, layout=stage.layout.wider(width), runs=runs)


def sample_jobs(
    jobs: Mapping[StageName, Sequence[Job]],
    progress: Callable[[str, float], None] | None = None,
    programs: dict[SeriesModel, Program] | None = None,
) -> tuple[dict[StageName, list[Sample]], float]:
    """The draws of each job, and the seconds that all jobs took together.

    The stages are independent, so each has a thread of its own: one is traced and compiled while
    another samples. An interrupt, or an error of one thread, stops all of them at their next block
    of iterations.

    Parameters
    ----------
    jobs
        Jobs of each stage, in their order.
    progress
        Function that is told the stage and the share of its work that is done.
    programs
        Compiled programs by model. New ones are added, so a later call can use them.
    """
    known = {} if programs is None else programs
    stop = threading.Event()
    began = time.perf_counter()

    def report(name: StageName, share: float) -> None:
        if stop.is_set():
            raise InterruptedError
        if progress is not None:
            progress(name, share)

    with ThreadPoolExecutor(len(jobs)) as pool:
        running = {
            name: pool.submit(_sample_queue, queue, known, partial(report, name))
            for name, queue in jobs.items()
        }
        try:
            # The checks need ArviZ later; its second of loading costs nothing here.
            import arviz_stats  # noqa: F401

            done, _ = wait(running.values(), return_when=FIRST_EXCEPTION)
            for future in done:
                # This raises the first error, not the interruptions that it causes elsewhere.
                future.result()
        finally:
            stop.set()
        samples = {name: future.result() for name, future in running.items()}
        return samples, time.perf_counter() - began


def _sample_queue(
    jobs: Sequence[Job], programs: dict[SeriesModel, Program], progress: Callable[[float], None]
) -> list[Sample]:
    """The draws of each job, one after another."""
    work = np.array([job.sampler.warmup + job.sampler.draws for job in jobs], float)
    starts = np.concatenate([[0.0], np.cumsum(work)[:-1]]) / work.sum()
    samples = []
    for job, start, share in zip(jobs, starts, work / work.sum(), strict=True):
        model = job.stage.model
        if model not in programs:
            programs[model] = Program(model)
        sample = programs[model](
            job.stage.layout,
            job.sampler,
            partial(_within, progress, start, share),
            job.stage.name,
            divergent=job.divergent,
        )
        samples.append(sample)
    return samples


def _within(progress: Callable[[float], None], start: float, share: float, part: float) -> None:
    progress(start + share * part)
