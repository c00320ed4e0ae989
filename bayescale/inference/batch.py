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


class Job(NamedTuple):
    """One stage to sample, how, and the share of divergent draws that is tolerated before it is
    sampled again with smaller stages.
    """

    stage: Stage
    sampler: Sampler
    divergent: float = 0.0


def share_programs(stages: Sequence[Stage]) -> list[Stage]:
    """The same stages, those of equal series with one model and rectangles of one width, so that
    they share a compiled program.
    """
    groups: dict[object, list[Stage]] = {}
    for stage in stages:
        groups.setdefault(_likeness(stage), []).append(stage)
    width = {
        key: max(stage.layout.seen.shape[1] for stage in group) for key, group in groups.items()
    }
    return [
        _wider(replace(stage, model=groups[_likeness(stage)][0].model), width[_likeness(stage)])
        for stage in stages
    ]


def _likeness(stage: Stage) -> tuple[object, ...]:
    priors = tuple(
        np.asarray(getattr(stage.model.pooling.prior(p), "loc", 0.0)).tobytes()
        for p in stage.model.pooling.parameters
    )
    return stage.name, stage.groups, stage.layout.first is None, stage.layout.lag is None, priors


def _wider(stage: Stage, width: int) -> Stage:
    return replace(
        stage,
        layout=stage.layout.wider(width),
        runs=np.pad(stage.runs, ((0, 0), (0, width - stage.runs.shape[1])), constant_values=""),
    )


def sample_jobs(
    jobs: Mapping[str, Sequence[Job]],
    progress: Callable[[str, float], None] | None = None,
    programs: dict[SeriesModel, Program] | None = None,
) -> tuple[dict[str, list[Sample]], float]:
    """The draws of each list of jobs by its name, and the seconds that they took together.

    Lists are independent, so each has its own thread: one is traced and compiled while another
    samples. An interrupt, or an error of one, stops all of them at their next block of iterations.
    Jobs of one model share a program, from call to call where `programs` is given.
    """
    known = {} if programs is None else programs
    stop, began = threading.Event(), time.perf_counter()

    def told(name: str, share: float) -> None:
        if stop.is_set():
            raise InterruptedError
        if progress is not None:
            progress(name, share)

    with ThreadPoolExecutor(len(jobs)) as pool:
        running = {
            name: pool.submit(_sample_list, mine, known, partial(told, name))
            for name, mine in jobs.items()
        }
        try:
            import arviz_stats  # noqa: F401 (the checks will need it; here its second of loading costs nothing)

            done, _ = wait(running.values(), return_when=FIRST_EXCEPTION)
            for future in done:
                # raises what went wrong first, not the interruption that it causes in the others
                future.result()
        finally:
            stop.set()
        return {
            name: future.result() for name, future in running.items()
        }, time.perf_counter() - began


def _sample_list(
    jobs: Sequence[Job], programs: dict[SeriesModel, Program], progress: Callable[[float], None]
) -> list[Sample]:
    work = np.array([job.sampler.warmup + job.sampler.draws for job in jobs], float)
    before = np.concatenate([[0.0], np.cumsum(work)]) / work.sum()
    samples = []
    for job, done, share in zip(jobs, before[:-1], work / work.sum(), strict=True):
        if job.stage.model not in programs:
            programs[job.stage.model] = Program(job.stage.model)
        samples.append(
            programs[job.stage.model](
                job.stage.layout,
                job.sampler,
                partial(_within, progress, done, share),
                job.stage.name,
                divergent=job.divergent,
            )
        )
    return samples


def _within(progress: Callable[[float], None], done: float, share: float, part: float) -> None:
    progress(done + share * part)
