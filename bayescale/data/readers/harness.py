"""read_harness: the accuracies of runs from results files of lm-evaluation-harness."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from bayescale.data.names import listed, suggested, visible
from bayescale.data.readers.harness_file import (
    NOT_SCORES,
    Evaluation,
    Model,
    is_harness,
    read_evaluations,
)
from bayescale.data.readers.harness_metrics import DEFAULTS, EVERY, choose_metrics
from bayescale.data.readers.parse import read_json
from bayescale.errors import DataError, FileError, SettingError

COLUMNS = (
    "run", "task", "accuracy", "accuracy_se", "items", "metric", "shots", "version", "file"
)  # fmt: skip
# How far a number of right answers may be from a whole number: far more than the error of a float,
# and far less than a score that was rounded to four digits misses.
WHOLE = 1e-3
# No task has more items; a tiny standard error would give a number without meaning.
MAX_ITEMS = 10**8


class HarnessScores(NamedTuple):
    """The accuracies of runs, and what was understood of their files.

    Parameters
    ----------
    frame
        One row for each (run, task): ``run``, ``task``, ``accuracy``, ``accuracy_se`` (nan where
        it is unknown), ``items`` (nan where it is unknown), ``metric``, ``shots`` (nan where it
        is unknown), ``version`` (None where it is unknown) and ``file``.
    notes
        Sentences: names of runs, metrics, items, and what was left out and why.
    """

    frame: pd.DataFrame
    notes: list[str]


def read_harness(
    paths: Sequence[str | Path], *, metrics: Mapping[str, str] | None = None
) -> HarnessScores:
    """One accuracy for each (run, task) of results files of lm-evaluation-harness.

    The run is named after the model: the last part of ``model_name`` or of the model's arguments,
    with the revision or step. A file that names no model is named after itself or its folder.

    Parameters
    ----------
    paths
        Results files, and folders of such files at any depth.
    metrics
        The metric of each task, such as ``{"piqa": "acc_norm"}``; ``"*"`` stands for the tasks
        that are not named and have that metric. Other tasks take ``acc``, or the first of
        ``acc_norm``, ``exact_match``, ``em``, ``pass@1`` and ``mc1`` that all runs have. A task
        that is named is kept where its group has a score, too.

    Returns
    -------
    HarnessScores
        The accuracies, and notes on everything that was chosen or left out.

    Raises
    ------
    FileError
        For a file that is missing, damaged or of another format, and for a folder without
        results.
    DataError
        For a metric that a task lacks, or that is no share of right answers; for shots or task
        versions that differ between the runs of a task; for several results of one run of which
        none is the newest.
    SettingError
        For `metrics` that is no mapping of texts.
    """
    asked = _checked_metrics(metrics)
    notes: list[str] = []
    by_task: dict[str, list[Evaluation]] = defaultdict(list)
    for path, record in _records(paths, notes):
        evaluations = read_evaluations(record, path)
        for evaluation in evaluations:
            by_task[evaluation.task].append(evaluation)
        _note_unscored(record, {evaluation.task for evaluation in evaluations}, path, notes)
    unknown = [task for task in asked if task not in by_task and task != EVERY]
    if unknown:
        raise DataError(
            f"task {unknown[0]!r} of metrics",
            rule="must be a task of the results",
            got="none such",
            way_out=f"use {suggested(unknown[0], by_task)}",
        )
    chosen = choose_metrics(by_task, asked, notes)
    for task in chosen:
        _require_same_settings(by_task[task])
    run_of = _run_names([e.model for each in by_task.values() for e in each], notes)
    kept = _without_subtasks(chosen, by_task, asked, notes)
    rows = []
    for task in kept:
        runs: dict[str, list[Evaluation]] = defaultdict(list)
        for evaluation in by_task[task]:
            runs[run_of[evaluation.model.name]].append(evaluation)
        rows += [_row(each, chosen[task], run) for run, each in runs.items()]
    table = pd.DataFrame(rows)
    _note_rows(table, notes)
    return HarnessScores(table[list(COLUMNS)], notes)


def _checked_metrics(metrics: Mapping[str, str] | None) -> dict[str, str]:
    """The metrics that the user asks for, by task; a filter ``none`` is left out of the name."""
    if metrics is None:
        return {}
    is_mapping = isinstance(metrics, Mapping)
    if not is_mapping or not all(
        isinstance(text, str) for pair in metrics.items() for text in pair
    ):
        raise SettingError(
            "metrics",
            rule="must be a mapping of tasks to names of metrics",
            got=type(metrics).__name__,
            way_out="such as {'piqa': 'acc_norm'}, or {'*': 'acc_norm'} for every task",
        )
    return {task: metric.removesuffix(",none") for task, metric in metrics.items()}


def _records(
    paths: Sequence[str | Path], notes: list[str]
) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Each results file once, with its content; other files of a folder are noted."""
    seen: set[Path] = set()
    for path in [paths] if isinstance(paths, str | Path) else paths:
        place = Path(path)
        is_folder = place.is_dir()
        left_out: list[Path] = []
        for file in sorted(place.rglob("*.json")) if is_folder else [place]:
            record = _read_record(file, is_folder)
            if record is None:
                left_out.append(file)
            elif file.absolute() not in seen:
                seen.add(file.absolute())
                yield file, record
        if is_folder and not any(place.absolute() in file.parents for file in seen):
            raise FileError(
                f"folder {str(path)!r}",
                rule="must hold results of lm-evaluation-harness (.json)",
                got=f"{len(left_out)} other .json files",
                way_out="check the path",
            )
        if left_out:
            notes.append(f"No results of lm-evaluation-harness, left out: {listed(left_out)}.")


def _read_record(file: Path, in_folder: bool) -> Mapping[str, Any] | None:
    """The content of a results file; None for another file of a folder."""
    try:
        record = read_json(file)
    except FileError:
        # A folder of results may hold other files; the caller names them all.
        if in_folder:
            return None
        raise
    if is_harness(record):
        return record
    if in_folder:
        return None
    raise FileError(
        f"file {str(file)!r}",
        rule="must hold results of lm-evaluation-harness",
        got=f"an object with fields {listed(record) or 'none'}",
        way_out="check the path",
    )


def _note_unscored(
    record: Mapping[str, Any], scored: set[str], path: Path, notes: list[str]
) -> None:
    """A note on the tasks whose scores are all nan or text; a bare group has no score anyway."""
    unscored = [
        task
        for task, fields in record["results"].items()
        if task not in scored and any(name not in (" ", *NOT_SCORES) for name in fields)
    ]
    if unscored:
        notes.append(f"No finite score in {visible(path)}, left out: {listed(unscored)}.")


def _require_same_settings(evaluations: list[Evaluation]) -> None:
    """Check that all results of a task were made with the same shots and the same version."""
    settings = {
        "number of examples in the prompt (shots)": [f"{e.shots:g}" for e in evaluations],
        "version of the task": [e.version or "nan" for e in evaluations],
    }
    for what, values in settings.items():
        first_with: dict[str, Evaluation] = {}
        for value, evaluation in zip(values, evaluations, strict=True):
            first_with.setdefault(value, evaluation)
        first_with.pop("nan", None)
        if len(first_with) > 1:
            got = [
                f"{value} in run {each.model.run!r} ({str(each.path)!r})"
                for value, each in list(first_with.items())[:2]
            ]
            raise DataError(
                f"task {evaluations[0].task!r}",
                rule=f"must have the same {what} in every result",
                got=" and ".join(got),
                way_out="leave the files of one setting out, or evaluate again",
            )


def _run_names(models: Iterable[Model], notes: list[str]) -> dict[str, str]:
    """The name of the run of each model: the short one where it is no other model's."""
    known = list(dict.fromkeys(models))
    names_of: dict[str, set[str]] = defaultdict(set)
    for model in known:
        names_of[model.run].add(model.name)
    sources = {
        "model": "the model that the file names (its last part, with revision or step)",
        "file": "their file, which names no model",
        "folder": "their folder, as the file names no model",
    }
    for source, rule in sources.items():
        runs = list(dict.fromkeys(model.run for model in known if model.source == source))
        if runs:
            notes.append(f"Runs named after {rule}: {listed(runs)}.")
    for run, names in names_of.items():
        if len(names) > 1:
            notes.append(
                f"{len(names)} models end in {visible(run)}: their runs have the whole name "
                f"({listed(sorted(names))})."
            )
    return {m.name: m.run if len(names_of[m.run]) == 1 else m.name for m in known}


def _without_subtasks(
    chosen: Mapping[str, str],
    by_task: Mapping[str, list[Evaluation]],
    asked: Mapping[str, str],
    notes: list[str],
) -> list[str]:
    """The tasks without those below a group that has a score of its own; they are noted."""
    below = {
        group: frozenset().union(*(e.subtasks for e in by_task[group])) - {group}
        for group in chosen
    }
    # In a damaged file two groups may each be below the other: the first one stays.
    dropped: dict[str, None] = {}
    for group in chosen:
        own = [task for task in chosen if task in below[group] and task not in asked]
        own = [task for task in own if task not in dropped]
        if own and group not in dropped:
            dropped |= dict.fromkeys(own)
            notes.append(
                f"{visible(group)} has a score of its own, so its subtasks are left out: "
                f"{listed(own)} (a task that metrics names is kept)."
            )
    return [task for task in chosen if task not in dropped]


def _row(evaluations: list[Evaluation], metric: str, run: str) -> dict[str, object]:
    """The row of one run and task, from its newest result; `results` counts them."""
    newest = _newest(evaluations, metric, run)
    score = newest.scores[metric]
    derived = math.nan
    if math.isnan(newest.items) and not newest.subtasks and metric.partition(",")[0] in DEFAULTS:
        derived = _items(score.value, score.se)
    return {
        "run": run,
        "task": newest.task,
        "accuracy": score.value,
        "accuracy_se": score.se,
        "items": derived if math.isnan(newest.items) else newest.items,
        "metric": metric,
        "shots": newest.shots,
        "version": newest.version,
        "file": str(newest.path),
        "results": len(evaluations),
        "all_items": newest.all_items,
        "is_derived": not math.isnan(derived),
    }


def _newest(evaluations: list[Evaluation], metric: str, run: str) -> Evaluation:
    """The newest of several results of one run and task that asked the same questions."""
    newest = max(evaluations, key=lambda e: -math.inf if math.isnan(e.date) else e.date)
    what = f"results of run {run!r}, task {newest.task!r}"
    other_items = [e for e in evaluations if e.items != newest.items and e.items == e.items]
    if other_items and newest.items == newest.items:
        raise DataError(
            what,
            rule="must have the same number of items",
            got=" and ".join(f"{e.items:g} in {str(e.path)!r}" for e in (newest, other_items[0])),
            way_out="leave one of the files out",
        )
    scores = {e.scores[metric].value for e in evaluations}
    # Without a date, or at the same second, nothing tells which result is the newest.
    rivals = [e for e in evaluations if e is not newest and not e.date < newest.date]
    if len(scores) > 1 and rivals:
        raise DataError(
            what,
            rule="must have dates that tell which one is the newest, in the file or its name",
            got=_files([newest, *rivals]),
            way_out="leave one of the files out",
        )
    return newest


def _files(evaluations: list[Evaluation]) -> str:
    """The files of some results, for a message."""
    return listed(repr(str(evaluation.path)) for evaluation in evaluations)


def _items(accuracy: float, se: float) -> float:
    """n = a (1 - a) / se^2 + 1, the items behind a share and its standard error; else nan.

    The harness writes se = sqrt(a (1 - a) / (n - 1)), from the sample variance. The number is
    believed where a n, the number of right answers, is a whole number.
    """
    if not (0 < accuracy < 1 and se > 0):
        return math.nan
    items = accuracy * (1 - accuracy) / se / se + 1
    if not items < MAX_ITEMS:
        return math.nan
    right = round(items) * accuracy
    return float(round(items)) if abs(right - round(right)) < WHOLE else math.nan


def _note_rows(table: pd.DataFrame, notes: list[str]) -> None:
    """Notes on repeated results, and on the items of each task."""
    for run, rows in table[table["results"] > 1].groupby("run", sort=False):
        notes.append(
            f"Run {visible(run)} has several results with equal settings for "
            f"{listed(rows['task'])}: the newest is taken ({listed(rows['file'].unique())})."
        )
    for is_in, text in (
        (table["is_derived"], "Items from the accuracy and its standard error"),
        (table["items"].isna(), "Items unknown"),
        (
            table["items"] < table["all_items"],
            "Only some of the items were asked (a limit); they are the items that count",
        ),
    ):
        tasks = table.loc[is_in, "task"].unique()
        if len(tasks):
            notes.append(f"{text}: {listed(tasks)}.")
    counts = table.groupby("task", sort=False)["items"].agg(["min", "max"])
    differing = counts[counts["min"] < counts["max"]]
    if len(differing):
        tasks = [f"{task} ({row['min']:g} to {row['max']:g})" for task, row in differing.iterrows()]
        notes.append(f"Items differ between runs: {listed(tasks)}.")
