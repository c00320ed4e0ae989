"""Which metric of lm-evaluation-harness is a task's accuracy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from bayescale.data.names import listed, visible
from bayescale.data.readers.harness_file import Evaluation
from bayescale.errors import DataError

# The metrics that are shares of right answers, the usual one first.
DEFAULTS = ("acc", "acc_norm", "exact_match", "em", "pass@1", "pass_at_1", "mc1")
# The metric of every task that is not named itself.
EVERY = "*"
EVERY_REASON = "as asked for every task"


def choose_metrics(
    by_task: Mapping[str, list[Evaluation]], asked: Mapping[str, str], notes: list[str]
) -> dict[str, str]:
    """The metric of each task that has a share of right answers.

    Parameters
    ----------
    by_task
        All results of each task.
    asked
        The metrics that the user asks for by task, and for every other task under `EVERY`.
    notes
        Sentences on each choice and on the tasks left out are added to this list.

    Returns
    -------
    dict
        The metric by task, without the tasks that have no share of right answers.

    Raises
    ------
    DataError
        For a metric that is not there or no share, for runs of a task that have no metric in
        common, and where no task is left.
    """
    chosen: dict[str, str] = {}
    alike: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    left_out: dict[str, list[str]] = defaultdict(list)
    for task, evaluations in by_task.items():
        metric, reason = _metric(task, evaluations, asked)
        others = [name for name in _shares(evaluations) if name != metric]
        if metric is None:
            every = sorted({name for each in evaluations for name in each.scores})
            left_out[listed(every)].append(task)
        else:
            chosen[task] = metric
            alike[metric, reason, listed(others)].append(task)
    unnamed = [task for task in by_task if task not in asked]
    if EVERY in asked and unnamed and all(reason != EVERY_REASON for _, reason, _ in alike):
        raise DataError(
            f"metric {asked[EVERY]!r} of every task",
            rule="must be a share of right answers of at least one task",
            got=f"none; task {unnamed[0]!r} has {_scores_of(by_task[unnamed[0]][0])}",
            way_out="name another metric",
        )
    for (metric, reason, other), tasks in alike.items():
        instead = f"; {other} could be chosen instead" if other else ""
        notes.append(f"Metric {visible(metric)} ({reason}) for {listed(tasks)}{instead}.")
    for scores, tasks in left_out.items():
        notes.append(
            f"Left out, as no usual metric is a share of right answers: {listed(tasks)} "
            f"(metrics {scores})."
        )
    if not chosen:
        raise DataError(
            "the results",
            rule="must hold a share of right answers (acc, acc_norm, exact_match, ...)",
            got=f"metrics {'; '.join(left_out) or 'none'}",
            way_out=_percent_or("name one in metrics={task: metric}", by_task.values()),
        )
    return chosen


def _shares(evaluations: list[Evaluation]) -> list[str]:
    """The metrics that are a share in every one of some results of a task."""
    first, *others = evaluations
    return [
        metric
        for metric, score in first.scores.items()
        if score.is_share
        and all(metric in each.scores and each.scores[metric].is_share for each in others)
    ]


def _metric(
    task: str, evaluations: list[Evaluation], asked: Mapping[str, str]
) -> tuple[str | None, str]:
    """The metric of a task and the reason; None where no metric of `DEFAULTS` is a share."""
    shares = _shares(evaluations)
    if task in asked:
        return _asked_metric(task, evaluations, asked[task]), "as asked"
    if EVERY in asked and (named := _named(asked[EVERY], shares)):
        return named[0], EVERY_REASON
    for metric in DEFAULTS:
        if named := _named(metric, shares):
            return named[0], "the default"
    of_each = [[name for m in DEFAULTS for name in _named(m, _shares([e]))] for e in evaluations]
    if any(of_each):
        have = next(i for i, names in enumerate(of_each) if names)
        lack = next(i for i, names in enumerate(of_each) if of_each[have][0] not in names)
        raise DataError(
            f"metric of task {task!r}",
            rule="must be a share of right answers in [0, 1], the same in every run",
            got=f"{_scores_of(evaluations[have])}, but {_scores_of(evaluations[lack])}",
            way_out=_percent_or(
                "evaluate all runs alike, or leave the files of one kind out", [evaluations]
            ),
        )
    return None, ""


def _percent_or(way_out: str, results: Iterable[list[Evaluation]]) -> str:
    """The way out of an error, after that for scores in percent where some are above 1."""
    above = any(
        1 < each.scores[name].value <= 100
        for evaluations in results
        for each in evaluations
        for metric in DEFAULTS
        for name in _named(metric, each.scores)
    )
    return f"divide the scores by 100 where they are percent, or {way_out}" if above else way_out


def _asked_metric(task: str, evaluations: list[Evaluation], wanted: str) -> str:
    """The metric that the user asks for a task, in every result of the task."""
    if named := _named(wanted, _shares(evaluations)):
        return named[0]
    lacking = next(e for e in evaluations if not _named(wanted, _shares([e])))
    has_another = _named(wanted, lacking.scores)
    rule = "must be a share of right answers in [0, 1]" if has_another else "must be there"
    raise DataError(
        f"metric {wanted!r} of task {task!r}",
        rule=f"{rule} in every run",
        got=_scores_of(lacking),
        way_out=f"use one of {listed(_shares(evaluations)) or 'another task'}",
    )


def _named(wanted: str, metrics: Iterable[str]) -> list[str]:
    """The metrics of this name, whatever their filter: without one, strict, then the others."""
    same = [name for name in metrics if wanted in (name, name.partition(",")[0])]
    return sorted(same, key=lambda name: ("," in name, not name.endswith(",strict-match"), name))


def _scores_of(evaluation: Evaluation) -> str:
    """The scores of one run in a message."""
    scores = listed(f"{name} {score.value:.4g}" for name, score in evaluation.scores.items())
    return f"{scores} in {str(evaluation.path)!r}"
