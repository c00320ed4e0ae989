"""Independent tasks, in this process or by an executor such as a cluster's client."""

from __future__ import annotations

import queue
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax

from bayescale.errors import SettingError, TaskError
from bayescale.runtime import setup
from bayescale.validation import shown


class Future(Protocol):
    """What `submit` returns: the futures of `concurrent.futures` and of `dask.distributed`."""

    def result(self) -> Any:
        """The result, or the error that the task raised."""
        ...

    def add_done_callback(self, function: Callable[[Any], object], /) -> Any:
        """Call a function with this future when it is done."""
        ...

    def cancel(self) -> Any:
        """Give the task up."""
        ...


class Executor(Protocol):
    """Whatever has `submit` in the manner of `concurrent.futures`."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future:
        """Begin a task."""
        ...


class Task(NamedTuple):
    """function(*arguments), whose result is small.

    Parameters
    ----------
    name
        What the task is, for messages.
    function
        A function of a module, so that another process finds it.
    arguments
        Tables and settings that can be sent to another process.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


def check_executor(executor: object) -> None:
    """Check that tasks can be submitted to an executor.

    Parameters
    ----------
    executor
        What the user gave; None for this process.

    Raises
    ------
    SettingError
        For anything without a method `submit`.
    """
    forks = isinstance(executor, ProcessPoolExecutor) and _start_method(executor) == "fork"
    if forks:
        raise SettingError(
            "executor",
            rule="must not fork this process: JAX has threads, whose locks nobody frees there",
            got=shown(executor),
            way_out="ProcessPoolExecutor(mp_context=multiprocessing.get_context('spawn'))",
        )
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise SettingError(
            "executor",
            rule="must have a method submit(function, *arguments), as those of concurrent.futures",
            got=shown(executor),
            way_out="such as dask.distributed.Client(address), or leave it out",
        )


def _start_method(executor: ProcessPoolExecutor) -> str:
    """How a pool starts its processes; it has no public name for it."""
    context: Any = vars(executor)["_mp_context"]
    return str(context.get_start_method())


def run_tasks(
    tasks: Sequence[Task], executor: Executor | None, done: Callable[[int, Any], None]
) -> None:
    """Run every task, and tell `done` the index and the result of each as it comes.

    Without an executor the tasks run here in their order, and the first error ends them. With one,
    a task that fails does not keep the others from their end. After an interrupt, tasks that have
    not begun are given up.

    Parameters
    ----------
    tasks
        The tasks; their order does not matter to their results.
    executor
        What runs them; None for this process.
    done
        Called in this thread, with the index of a task and its result.

    Raises
    ------
    TaskError
        After the others are done, where an executor's task failed: with its name and its reason.
    """
    if executor is None:
        for i, task in enumerate(tasks):
            done(i, task.function(*task.arguments))
        return
    # Without the first argument, Dask would take an earlier task with the same ones for this one,
    # and its error too.
    asked = secrets.token_hex(8), len(jax.devices())
    finished: queue.SimpleQueue[tuple[int, Future]] = queue.SimpleQueue()
    futures: list[Future] = []
    failed: dict[int, Exception] = {}
    try:
        for i, task in enumerate(tasks):
            futures.append(executor.submit(_run_there, *asked, task.function, *task.arguments))
            futures[-1].add_done_callback(partial(_announce, finished, i))
        for _ in tasks:
            i, future = finished.get()
            try:
                result = future.result()
            except Exception as error:
                # It is raised when the others are done.
                failed[i] = error
            else:
                done(i, result)
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    if failed:
        _raise_failed([(tasks[i].name, error) for i, error in failed.items()], len(tasks))


def _announce(finished: queue.SimpleQueue[tuple[int, Future]], i: int, future: Future) -> None:
    """Put a future that is done where the waiting thread looks."""
    finished.put((i, future))


def _run_there(_: str, devices: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """The task, in a process in which nobody may have set JAX up yet.

    Chains are spread over as many devices as where the task comes from, so that draws are the same.
    """
    if not jax.config.jax_enable_x64:
        setup(devices)
    here = len(jax.devices())
    if here != devices:
        raise SettingError(
            "devices of a worker",
            rule=f"must be as many as where the task comes from, {devices}",
            got=here,
            way_out=f"call bayescale.setup({devices}) in each worker before anything else",
        )
    return function(*arguments)


def _raise_failed(failed: Sequence[tuple[str, Exception]], tasks: int) -> None:
    """A TaskError that names the tasks that failed, and why."""
    names, errors = zip(*failed, strict=True)
    reasons = dict.fromkeys(f"{type(error).__name__}: {error}" for error in errors)
    raise TaskError(
        f"{len(failed)} of {tasks} tasks: {', '.join(names)}",
        rule="must run to their end",
        got="; ".join(reasons),
        way_out="fix the cause and call again; what is done is kept",
    ) from errors[0]
