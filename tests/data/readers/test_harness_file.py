"""One results file: every field of both formats, and whatever a damaged file may hold."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from bayescale.data.readers.harness_file import is_harness, read_evaluations
from helpers.harness import old, present, task
from helpers.mutations import damaged

PATH = Path("results/lab__net-70m/results_2024-05-01T12-30-00.123.json")


@pytest.mark.parametrize("record", [old(), present({"piqa": task()}), present({})])
def test_results_are_recognised(record: dict[str, Any]) -> None:
    assert is_harness(record)


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        "results",
        {},
        {"results": {"piqa": {"acc": 0.5}}},
        {"results": [{"acc": 0.5}], "config": {}},
        {"results": {"piqa": 0.5}, "config": {}},
        {"config": {}, "versions": {}},
    ],
)
def test_another_record_is_none(record: object) -> None:
    assert not is_harness(record)


def test_the_old_format() -> None:
    piqa, winogrande, wikitext = read_evaluations(old(right=60, items=101, shots=5), PATH)
    assert (piqa.task, piqa.shots, piqa.version, piqa.subtasks) == ("piqa", 5, "0", frozenset())
    assert list(piqa.scores) == ["acc", "acc_norm"]
    assert piqa.scores["acc"] == (60 / 101, (60 / 101 * (41 / 101) / 100) ** 0.5, True)
    assert piqa.model == ("lab/net-70m-step10", "net-70m-step10", "model")
    assert math.isnan(winogrande.items)
    assert not any(score.is_share for score in wikitext.scores.values())


def test_the_present_format() -> None:
    scores = task() | task("exact_match,strict-match", 0.4) | {"sample_len": 3, "acc_norm,none": 1}
    (evaluation,) = read_evaluations(present({"gsm8k": scores}), PATH)
    assert list(evaluation.scores) == ["acc", "exact_match,strict-match", "acc_norm"]
    assert evaluation.scores["exact_match,strict-match"] == (0.4, 0.02, True)
    assert math.isnan(evaluation.scores["acc_norm"].se)
    assert (evaluation.items, evaluation.all_items, evaluation.shots) == (500, 500, 0)
    assert (evaluation.version, evaluation.date) == ("1", 1.7e9)


@pytest.mark.parametrize("value", ["N/A", None, math.nan, math.inf, True, 10**400, [0.5], -1.0])
def test_a_standard_error_that_is_none_is_unknown(value: object) -> None:
    record = present({"piqa": {"acc,none": 0.5, "acc_stderr,none": value}})
    (evaluation,) = read_evaluations(record, PATH)
    assert math.isnan(evaluation.scores["acc"].se)


@pytest.mark.parametrize("value", ["N/A", None, math.nan, True, 10**400, [0.5]])
def test_a_score_that_is_no_number_is_none(value: object) -> None:
    assert read_evaluations(present({"piqa": {"acc,none": value, "alias": "x"}}), PATH) == []


@pytest.mark.parametrize(
    ("metric", "value", "is_share"),
    [
        ("acc,none", 0.0, True),
        ("acc,none", 1.0, True),
        ("acc,none", 51.3, False),
        ("acc,none", -0.1, False),
        ("bits_per_byte,none", 0.9, False),
        ("word_perplexity,none", 0.9, False),
        ("ppl", 0.9, False),
        ("brier_score,none", 0.2, False),
        ("wer,none", 0.2, False),
        ("prompt_level_strict_acc,none", 0.2, True),
        ("f1,none", 0.2, True),
    ],
)
def test_a_share_lies_between_0_and_1_and_more_is_better(
    metric: str, value: float, is_share: bool
) -> None:
    (evaluation,) = read_evaluations(present({"a": {metric: value}}), PATH)
    (score,) = evaluation.scores.values()
    assert score.is_share is is_share


def test_a_metric_of_which_less_is_better_is_no_share() -> None:
    record = present({"a": {"gap,none": 0.2}}, higher_is_better={"a": {"gap": False}})
    assert not read_evaluations(record, PATH)[0].scores["gap"].is_share


@pytest.mark.parametrize(
    ("stated", "arguments", "name", "run"),
    [
        ("lab/net-70m", "", "lab/net-70m", "net-70m"),
        ("/ckpt/net/", "", "/ckpt/net", "net"),
        ("C:\\ckpt\\net", None, "C:\\ckpt\\net", "net"),
        ("lab/net", "pretrained=lab/net,revision=s1", "lab/net-s1", "net-s1"),
        (None, "pretrained=lab/net,revision=main", "lab/net", "net"),
        (None, {"pretrained": "lab/net", "step": 5}, "lab/net-5", "net-5"),
        (None, "pretrained=lab/net,peft=lab/lora", "lab/lora", "lora"),
    ],
)
def test_a_run_is_named_after_its_model(
    stated: object, arguments: object, name: str, run: str
) -> None:
    config = {"model_args": arguments}
    record = present({"piqa": task()}, model_name=stated, config=config)
    assert read_evaluations(record, PATH)[0].model == (name, run, "model")


@pytest.mark.parametrize(
    ("path", "run", "source"),
    [
        (PATH, "net-70m", "folder"),
        (Path("410m/results.json"), "410m", "folder"),
        (Path("a/net_eval_results_01-21-2023-20-16-29.json"), "net", "file"),
        (Path("a/net-70m.json"), "net-70m", "file"),
    ],
)
def test_without_a_model_a_run_is_named_after_its_file(path: Path, run: str, source: str) -> None:
    record = present({"piqa": task()}, model_name="", config={})
    model = read_evaluations(record, path)[0].model
    assert (model.run, model.source) == (run, source)


@pytest.mark.parametrize(
    ("date", "stem", "seconds"),
    [
        (1.5e9, "results_2024-05-01T12-30-00.123", 1.5e9),
        ("1970-01-02T00:00:00", "results", 86400.0),
        (None, "results_1970-01-01T01-00-00.5", 3600.0),
        ("soon", "eval_results_01-02-1970-00-00-01", 86401.0),
    ],
)
def test_dates_are_of_the_file_or_of_its_name(date: object, stem: str, seconds: float) -> None:
    record = present({"piqa": task()}, date=date)
    assert read_evaluations(record, Path(f"{stem}.json"))[0].date == seconds


@pytest.mark.parametrize("stem", ["results", "results_2024-99-99T12-30-00", "13-41-2023-00-00-00"])
def test_a_date_may_be_unknown(stem: str) -> None:
    record = present({"piqa": task()}, date=None)
    assert math.isnan(read_evaluations(record, Path(f"{stem}.json"))[0].date)


def test_a_group_has_the_items_of_its_tasks_at_any_depth() -> None:
    tree = {"mmlu": ["stem", "law"], "stem": ["physics", "maths"]}
    record = present({name: task() for name in ("mmlu", "stem", "physics", "maths", "law")})
    record["group_subtasks"] = tree
    record["n-samples"] = {
        name: {"original": 100, "effective": 10} for name in ("physics", "maths", "law")
    }
    record["n-shot"] = {"physics": 5, "maths": 5, "law": 5}
    record["configs"] = {}
    groups = {e.task: e for e in read_evaluations(record, PATH)}
    assert groups["mmlu"].subtasks == {"stem", "law", "physics", "maths"}
    assert (groups["mmlu"].items, groups["mmlu"].all_items, groups["mmlu"].shots) == (30, 300, 5)
    assert groups["stem"].items == 20
    record["n-shot"] = {"physics": 5, "maths": 0}
    del record["n-samples"]["law"]
    groups = {e.task: e for e in read_evaluations(record, PATH)}
    assert math.isnan(groups["stem"].shots)
    assert math.isnan(groups["mmlu"].items)


def test_subtasks_are_read_from_indents_where_the_file_has_no_tree() -> None:
    aliases = {
        "mmlu": "mmlu",
        "stem": " - stem",
        "physics": "  - physics",
        "law": " - law",
        "piqa": "piqa",
    }
    record = present({name: task() | {"alias": alias} for name, alias in aliases.items()})
    del record["group_subtasks"]
    below = {e.task: e.subtasks for e in read_evaluations(record, PATH)}
    assert below["mmlu"] == {"stem", "physics", "law"}
    assert below["stem"] == {"physics"}
    assert below["piqa"] == below["physics"] == frozenset()


def test_groups_in_a_circle_end() -> None:
    record = present({"a": task(), "b": task()}, group_subtasks={"a": ["b"], "b": ["a"]})
    assert [e.subtasks for e in read_evaluations(record, PATH)] == [{"b"}, {"a"}]


@pytest.mark.parametrize(
    ("stated", "version"),
    [(1, "1"), (1.0, "1"), ("1.0", "1"), (0, "0"), ("2024b", "2024b"), ("N/A", None), ([1], None)],
)
def test_versions_are_alike_however_they_are_written(stated: object, version: str | None) -> None:
    record = present({"piqa": task()}, versions={"piqa": stated})
    assert read_evaluations(record, PATH)[0].version == version


@settings(max_examples=150, deadline=None)
@given(record=damaged(old()) | damaged(present({"mmlu": task(), "piqa": task()})))
def test_every_record_that_is_recognised_is_read(record: Any) -> None:
    if is_harness(record):
        for evaluation in read_evaluations(record, PATH):
            assert evaluation.scores
            assert all(math.isfinite(score.value) for score in evaluation.scores.values())
