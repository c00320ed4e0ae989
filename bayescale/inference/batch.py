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
from bayescale.inference.posterior import Step
from bayescale.models.series import SeriesModel


class Job(NamedTuple):
    """One step to sample, how, and the share of divergent draws that is tolerated before it is
    sampled again with smaller steps.
    """

    step: Step
    sampler: Sampler
    divergent: float = 0.0


def alike(steps: Sequence[Step]) -> list[Step]:
    """The same steps, those of equal series with one model and rectangles of one width, so that
    they share a compiled program.
    """
    groups: dict[object, list[Step]] = {}
    for step in steps:
        groups.setdefault(_likeness(step), []).append(step)
    width = {key: max(step.layout.seen.shape[1] for step in group) for key, group in groups.items()}
    return [
        _wider(replace(step, model=groups[_likeness(step)][0].model), width[_likeness(step)])
        for step in steps
    ]


def _likeness(step: Step) -> tuple[object, ...]:
    priors = tuple(
        np.asarray(getattr(step.model.pooling.prior(p), "loc", 0.0)).tobytes()
        for p in step.model.pooling.parameters
    )
    return step.name, step.factors, step.layout.first is None, step.layout.lag is None, priors


def _wider(step: Step, width: int) -> Step:
    return replace(
        step,
        layout=step.layout.wider(width),
        runs=np.pad(step.runs, ((0, 0), (0, width - step.runs.shape[1])), constant_values=""),
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
        if job.step.model not in programs:
            programs[job.step.model] = Program(job.step.model)
        samples.append(
            programs[job.step.model](
                job.step.layout,
                job.sampler,
                partial(_within, progress, done, share),
                job.step.name,
                divergent=job.divergent,
            )
        )
    return samples


def _within(progress: Callable[[float], None], done: float, share: float, part: float) -> None:
    progress(done + share * part)
