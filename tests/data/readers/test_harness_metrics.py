"""The metric of each task: the usual one, the one asked for, and why others are refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bayescale.data.readers.harness_file import Evaluation, read_evaluations
from bayescale.data.readers.harness_metrics import choose_metrics
from bayescale.errors import DataError
from helpers.harness import present
from helpers.tables import assert_one_line


def evaluations(*runs: dict[str, Any]) -> dict[str, list[Evaluation]]:
    """The results by task of runs; each run has one task `a` with these scores, or several."""
    by_task: dict[str, list[Evaluation]] = {}
    for number, scores in enumerate(runs):
        results = scores if isinstance(next(iter(scores.values())), dict) else {"a": scores}
        for each in read_evaluations(present(results), Path(f"run{number}.json")):
            by_task.setdefault(each.task, []).append(each)
    return by_task


def chosen(*runs: dict[str, Any], asked: Mapping[str, str] | None = None) -> dict[str, str]:
    return choose_metrics(evaluations(*runs), asked or {}, [])


@pytest.mark.parametrize(
    ("scores", "metric"),
    [
        ({"acc_norm,none": 0.5, "acc,none": 0.4}, "acc"),
        ({"acc": 0.4}, "acc"),
        ({"acc_norm,none": 0.5, "f1,none": 0.4}, "acc_norm"),
        ({"f1,none": 0.5, "em,none": 0.4}, "em"),
        (
            {"exact_match,flexible-extract": 0.5, "exact_match,strict-match": 0.4},
            "exact_match,strict-match",
        ),
        ({"exact_match,zz": 0.5, "exact_match,get-answer": 0.4}, "exact_match,get-answer"),
        ({"exact_match,strict-match": 0.5, "exact_match,none": 0.4}, "exact_match"),
        # Percentages are no shares: the next metric is taken.
        ({"acc,none": 51.0, "acc_norm,none": 0.4}, "acc_norm"),
    ],
)
def test_the_usual_metric_is_the_default(scores: dict[str, float], metric: str) -> None:
    assert chosen(scores) == {"a": metric}


def test_the_default_is_one_that_every_run_has() -> None:
    assert chosen({"acc": 0.4, "acc_norm": 0.5}, {"acc_norm,none": 0.5}) == {"a": "acc_norm"}


@pytest.mark.parametrize(
    ("asked", "metric"),
    [
        ({"a": "acc_norm"}, "acc_norm"),
        ({"a": "acc_norm,none"}, "acc_norm"),
        ({"*": "acc_norm"}, "acc_norm"),
        ({"*": "acc_norm", "a": "acc"}, "acc"),
        ({"a": "f1"}, "f1"),
        ({"a": "exact_match"}, "exact_match,strict-match"),
        ({"a": "exact_match,flexible-extract"}, "exact_match,flexible-extract"),
    ],
)
def test_the_metric_that_is_asked_for_wins(asked: dict[str, str], metric: str) -> None:
    scores = {
        "acc,none": 0.4,
        "acc_norm,none": 0.5,
        "f1,none": 0.3,
        "exact_match,flexible-extract": 0.3,
        "exact_match,strict-match": 0.2,
    }
    asked = {task: wanted.removesuffix(",none") for task, wanted in asked.items()}
    assert chosen(scores, asked=asked) == {"a": metric}


def test_the_metric_of_every_task_is_that_of_the_tasks_that_have_it() -> None:
    runs = {"a": {"acc": 0.4, "acc_norm": 0.5}, "b": {"acc": 0.4}}
    assert chosen(runs, asked={"*": "acc_norm"}) == {"a": "acc_norm", "b": "acc"}


@pytest.mark.parametrize(
    ("scores", "asked", "words"),
    [
        ({"acc": 0.4}, {"a": "acc_norm"}, ("must be there", "acc 0.4", "use one of acc")),
        ({"acc": 0.4, "em": 31.5}, {"a": "em"}, ("must be a share", "em 31.5")),
        ({"acc": 0.4, "ppl": 31.5}, {"a": "ppl"}, ("must be a share", "ppl 31.5")),
        ({"acc": 0.4, "bits_per_byte": 0.8}, {"a": "bits_per_byte"}, ("must be a share",)),
        ({"acc": 0.4}, {"*": "acc_norm"}, ("every task", "acc 0.4")),
    ],
)
def test_a_metric_that_is_not_there_or_no_share_is_refused(
    scores: dict[str, float], asked: dict[str, str], words: tuple[str, ...]
) -> None:
    with pytest.raises(DataError) as caught:
        chosen(scores, asked=asked)
    assert_one_line(caught.value, *words)


def test_a_metric_that_one_run_lacks_is_refused_with_its_file() -> None:
    with pytest.raises(DataError) as caught:
        chosen({"acc": 0.4, "em": 0.3}, {"acc": 0.4}, asked={"a": "em"})
    assert_one_line(caught.value, "'em' of task 'a'", "run1.json", "use one of acc")


@pytest.mark.parametrize("other", [{"exact_match": 0.3}, {"acc": 41.0}, {"ppl": 9.0}])
def test_runs_without_a_metric_in_common_are_refused(other: dict[str, float]) -> None:
    with pytest.raises(DataError) as caught:
        chosen({"acc": 0.4}, other)
    assert_one_line(caught.value, "the same in every run", "run0.json", "run1.json")


def test_a_task_without_a_share_is_left_out_and_named() -> None:
    notes: list[str] = []
    runs = {"a": {"acc": 0.4}, "wikitext": {"ppl": 20.0}, "squad": {"em": 31.0}}
    assert choose_metrics(evaluations(runs), {}, notes) == {"a": "acc"}
    assert len([note for note in notes if "wikitext" in note and "ppl" in note]) == 1
    assert len([note for note in notes if "squad" in note and "em" in note]) == 1


def test_the_choice_and_the_alternatives_are_noted() -> None:
    notes: list[str] = []
    runs = {"a": {"acc": 0.4, "acc_norm": 0.5}, "b": {"acc": 0.4, "acc_norm": 0.5}, "c": {"em": 0}}
    choose_metrics(evaluations(runs), {"c": "em"}, notes)
    assert notes == [
        "Metric acc (the default) for a, b; acc_norm could be chosen instead.",
        "Metric em (as asked) for c.",
    ]


def test_results_without_any_share_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        chosen({"ppl": 20.0})
    assert_one_line(caught.value, "must hold a share of right answers", "ppl")


def test_scores_in_percent_are_told_as_such() -> None:
    with pytest.raises(DataError, match="divide the scores by 100 where they are percent"):
        chosen({"acc,none": 61.2})
    with pytest.raises(DataError, match="divide the scores by 100 where they are percent"):
        chosen({"acc,none": 61.2}, {"acc,none": 0.6})
    with pytest.raises(DataError) as caught:
        chosen({"word_perplexity,none": 12.0})
    assert "percent" not in str(caught.value)
