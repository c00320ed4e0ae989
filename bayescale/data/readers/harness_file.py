"""One results file of lm-evaluation-harness: the scores of its tasks and the settings behind them.

Two formats are read: that of version 0.3 (``acc``, ``acc_stderr``) and that of version 0.4
(``acc,none``, ``n-samples``, ``n-shot``, ``group_subtasks``), as `lm_eval/evaluator.py` and
`lm_eval/loggers/evaluation_tracker.py` of the harness write them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from bayescale.data.readers.fields import as_number

# Fields beside `results` in a file of either format.
MARKS = ("versions", "config", "configs", "n-shot", "n-samples", "lm_eval_version")
# Fields of a task's results that are no scores.
NOT_SCORES = ("alias", "name", "sample_len", "samples")
# Words in the names of metrics that are no shares, or where less is better.
NOT_SHARES = re.compile(
    r"perplexity|ppl|bits_per|likelihood|brier|bleu|rouge|chrf|mcc|(^|_)[wct]er$"
)
# Arguments of the model that name it; a file of an adapter names its base model too.
NAMES = ("peft", "delta", "pretrained", "model", "path", "engine")
# A date in a file's name: 2024-05-01T12-30-00.123 (version 0.4) or 01-21-2023-20-16-29.
ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d)[-:](\d\d)[-:](\d\d)(?:\.\d+)?")
US_DATE = re.compile(r"(\d\d)-(\d\d)-(\d{4})-(\d\d)-(\d\d)-(\d\d)")
# The alias of a subtask is indented below that of its group.
INDENT = re.compile(r"( +)- ")


class Score(NamedTuple):
    """A score, its standard error (nan where it is unknown), and whether it can be a share."""

    value: float
    se: float
    is_share: bool


class Model(NamedTuple):
    """The model's whole name, the short name of the run, and where the name comes from."""

    name: str
    run: str
    source: str


@dataclass(frozen=True)
class Evaluation:
    """One task of one file.

    Parameters
    ----------
    path
        The file.
    model
        The evaluated model.
    date
        When it was evaluated, in seconds since 1970; nan where it is unknown.
    task
        The task or group of tasks.
    scores
        Finite scores by metric; a filter other than ``none`` is a part of the metric's name.
    items
        Number of questions that were asked; nan where it is unknown.
    all_items
        Number of questions that the task has; nan where it is unknown.
    shots
        Number of worked examples in the prompt; nan where it is unknown.
    version
        Version of the task; None where it is unknown.
    subtasks
        Every task and group below this group; none below a task.
    """

    path: Path
    model: Model
    date: float
    task: str
    scores: Mapping[str, Score]
    items: float
    all_items: float
    shots: float
    version: str | None
    subtasks: frozenset[str]


def is_harness(record: object) -> bool:
    """Whether a JSON file's content is a results file of lm-evaluation-harness.

    Parameters
    ----------
    record
        What the file holds.

    Returns
    -------
    bool
        True for an object with ``results`` by task and another field of the harness.
    """
    if not isinstance(record, Mapping) or not isinstance(record.get("results"), Mapping):
        return False
    tasks = record["results"].values()
    return all(isinstance(scores, Mapping) for scores in tasks) and any(
        mark in record for mark in MARKS
    )


def read_evaluations(record: Mapping[str, Any], path: Path) -> list[Evaluation]:
    """The tasks of one results file that have a score.

    Parameters
    ----------
    record
        The file's content, for which `is_harness` is true.
    path
        The file.

    Returns
    -------
    list of Evaluation
        In the file's order.
    """
    results: Mapping[str, Mapping[str, Any]] = record["results"]
    below = _subtasks(record)
    model, date = _model(record, path), _date(record, path)
    evaluations = []
    for task, fields in results.items():
        scores = _scores(fields, _mapping(_mapping(record, "higher_is_better"), task))
        leaves = [name for name in below.get(task, ()) if not below.get(name)] or [task]
        if scores:
            evaluations.append(
                Evaluation(
                    path=path,
                    model=model,
                    date=date,
                    task=task,
                    scores=scores,
                    items=_items(record, task, leaves, "effective"),
                    all_items=_items(record, task, leaves, "original"),
                    shots=_shots(record, task, leaves),
                    version=_version(_mapping(record, "versions").get(task)),
                    subtasks=below.get(task, frozenset()),
                )
            )
    return evaluations


def _mapping(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object in a field, empty where the field is missing or holds something else."""
    value = record.get(name)
    return value if isinstance(value, Mapping) else {}


def _scores(fields: Mapping[str, Any], higher_is_better: Mapping[str, Any]) -> dict[str, Score]:
    """The finite scores of one task by metric, with their standard errors."""
    scores = {}
    for key, field in fields.items():
        metric, _, chosen_filter = key.partition(",")
        value = as_number(field)
        if math.isnan(value) or "_stderr" in metric or metric in NOT_SCORES:
            continue
        name = metric if chosen_filter in ("", "none") else key
        se = as_number(fields.get(f"{metric}_stderr" + key.removeprefix(metric)))
        may_be_share = not NOT_SHARES.search(metric) and higher_is_better.get(metric) is not False
        scores[name] = Score(value, se if se >= 0 else math.nan, may_be_share and 0 <= value <= 1)
    return scores


def _items(record: Mapping[str, Any], task: str, leaves: list[str], kind: str) -> float:
    """The number of questions of a task, or of a group: the sum over its tasks."""
    samples = _mapping(record, "n-samples")
    counts = [as_number(_mapping(samples, name).get(kind)) for name in leaves]
    total = sum(count if count >= 1 else math.nan for count in counts)
    if math.isnan(total):
        total = as_number(_mapping(record["results"], task).get("sample_len"))
    return total if total >= 1 else math.nan


def _shots(record: Mapping[str, Any], task: str, leaves: list[str]) -> float:
    """The number of examples of a task, or the one number of all tasks of a group."""
    default = _mapping(record, "config").get("num_fewshot")
    stated = set()
    for name in (task, *leaves):
        own = _mapping(_mapping(record, "configs"), name).get("num_fewshot", default)
        stated.add(as_number(_mapping(record, "n-shot").get(name, own)))
    known = {shots for shots in stated if shots >= 0}
    return known.pop() if len(known) == 1 else math.nan


def _version(value: object) -> str | None:
    """A version as text, the same for 1, 1.0 and "1.0"; None where it is unknown."""
    if isinstance(value, str):
        try:
            number = as_number(float(value))
        except ValueError:
            return None if value.strip() in ("", "N/A", "Yaml") else value
    else:
        number = as_number(value)
    return None if math.isnan(number) else f"{number:.12g}"


def _subtasks(record: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Every task and group below each group, at any depth."""
    stated = {
        group: [name for name in names if isinstance(name, str)]
        for group, names in _mapping(record, "group_subtasks").items()
        if isinstance(names, list)
    }
    children = stated or _children_by_alias(record["results"])
    return {group: frozenset(_below(group, children)) for group in children}


def _below(group: str, children: Mapping[str, list[str]]) -> set[str]:
    """The names below a group; a damaged file may name a group below itself."""
    below: set[str] = set()
    waiting = list(children[group])
    while waiting:
        name = waiting.pop()
        if name not in below and name != group:
            below.add(name)
            waiting += children.get(name, [])
    return below


def _children_by_alias(results: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """The subtasks of each group, from the indents of their aliases in the file's order."""
    children: dict[str, list[str]] = {}
    above: list[tuple[int, str]] = []
    for task, fields in results.items():
        indent = INDENT.match(str(fields.get("alias", "")))
        depth = len(indent[1]) if indent else 0
        while above and above[-1][0] >= depth:
            above.pop()
        if above:
            children.setdefault(above[-1][1], []).append(task)
        above.append((depth, task))
    return children


def _model(record: Mapping[str, Any], path: Path) -> Model:
    """The model that a file is about: named in the file, or by the file or its folder."""
    stated = _mapping(record, "config").get("model_args")
    if isinstance(stated, str):
        pairs = [argument.partition("=") for argument in stated.split(",")]
        arguments: Mapping[str, Any] = {key.strip(): value for key, _, value in pairs}
    else:
        arguments = stated if isinstance(stated, Mapping) else {}
    fields = [record.get("model_name"), *(arguments.get(name) for name in NAMES)]
    named = [name.strip() for name in fields if isinstance(name, str) and name.strip(" /\\")]
    if not named:
        return _model_of_path(path)
    revision = arguments.get("revision", arguments.get("step"))
    is_stated = isinstance(revision, str | int) and str(revision) not in ("", "main", "None")
    end = f"-{revision}" if is_stated else ""
    name = named[0].rstrip("/\\")
    return Model(name + end, re.split(r"[/\\]", name)[-1] + end, "model")


def _model_of_path(path: Path) -> Model:
    """The model of a file that names none: the file's name, or its folder's where it says little.

    The harness names a file ``results_DATE.json`` in a folder called after the model, in which a
    slash is written as two underscores.
    """
    stem = US_DATE.sub("", ISO_DATE.sub("", path.stem))
    name = re.sub(r"(eval_?)?results?", "", stem).strip(" _.-")
    if name:
        return Model(str(path.parent / name), name, "file")
    folder = path.absolute().parent
    return Model(str(folder), folder.name.rpartition("__")[2] or str(folder), "folder")


def _date(record: Mapping[str, Any], path: Path) -> float:
    """When the file was made, from its field ``date`` or from its name; nan where it is unknown."""
    stated = record.get("date")
    date = _parsed_date(stated) if isinstance(stated, str) else as_number(stated)
    return _parsed_date(path.stem) if math.isnan(date) else date


def _parsed_date(text: str) -> float:
    """The first date in a text, in seconds since 1970; nan where there is none."""
    if iso := ISO_DATE.search(text):
        year, month, day, hour, minute, second = map(int, iso.groups())
    elif american := US_DATE.search(text):
        month, day, year, hour, minute, second = map(int, american.groups())
    else:
        return math.nan
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return math.nan
