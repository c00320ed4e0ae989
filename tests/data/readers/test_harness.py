"""Results of lm-evaluation-harness: one accuracy for each run and task, or a clear refusal."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from bayescale.data.readers.harness import COLUMNS, read_harness
from bayescale.errors import BayescaleError, DataError, FileError, SettingError
from helpers.harness import old, present, save, standard_error, task
from helpers.mutations import damaged, refusal
from helpers.tables import assert_one_line

DATED = "results_2024-05-{:02d}T12-30-00.123.json"


def noted(notes: list[str], *words: str) -> bool:
    """Whether one note has all these words."""
    return any(all(word in note for word in words) for note in notes)


class TestFormats:
    def test_a_file_of_the_old_format(self, tmp_path: Path) -> None:
        path = save(old(right=60, items=101, shots=5), tmp_path / "net.json")
        frame, notes = read_harness([path])
        assert tuple(frame) == COLUMNS
        piqa = frame.set_index("task").loc["piqa"].to_dict()
        assert piqa == {
            "run": "net-70m-step10",
            "accuracy": 60 / 101,
            "accuracy_se": pytest.approx(standard_error(60 / 101, 101)),
            "items": 101,
            "metric": "acc",
            "shots": 5,
            "version": "0",
            "file": str(path),
        }
        assert list(frame["task"]) == ["piqa", "winogrande"]
        assert noted(notes, "Left out", "wikitext", "word_perplexity")
        assert noted(notes, "Items from the accuracy and its standard error", "piqa, winogrande")
        assert noted(notes, "Metric acc", "piqa", "acc_norm could be chosen")
        assert noted(notes, "Runs named after", "revision", "net-70m-step10")

    def test_a_folder_of_the_present_format(self, tmp_path: Path) -> None:
        for number, run in enumerate(("net-70m", "net-160m")):
            record = present({"piqa": task(accuracy=0.5 + number / 10)}, model=f"lab/{run}")
            save(record, tmp_path / f"lab__{run}" / DATED.format(1))
        save({"vocab": {}}, tmp_path / "tokenizer.json")
        (tmp_path / "half.json").write_text('{"results": {')
        (tmp_path / "samples.jsonl").write_text("{}\n")
        frame, notes = read_harness([tmp_path])
        assert frame[["run", "accuracy", "items", "shots", "version"]].to_numpy().tolist() == [
            ["net-160m", 0.6, 500, 0, "1"],
            ["net-70m", 0.5, 500, 0, "1"],
        ]
        assert noted(notes, "left out", "tokenizer.json", "half.json")

    def test_both_formats_beside_each_other(self, tmp_path: Path) -> None:
        older = save(old(), tmp_path / "a.json")
        newer = save(present({"piqa": task()}, versions={"piqa": 0}), tmp_path / "b.json")
        frame, _ = read_harness([older, newer])
        assert list(frame.loc[frame["task"] == "piqa", "run"]) == ["net-70m-step10", "net-70m"]

    def test_a_file_that_is_named_twice_is_read_once(self, tmp_path: Path) -> None:
        path = save(old(), tmp_path / "a" / "net.json")
        frame, notes = read_harness([path, tmp_path, path.parent])
        assert len(frame) == 2
        assert not noted(notes, "several results")

    def test_one_path_is_a_list_of_one(self, tmp_path: Path) -> None:
        assert len(read_harness(str(save(old(), tmp_path / "net.json"))).frame) == 2

    def test_a_task_without_a_finite_score_is_noted(self, tmp_path: Path) -> None:
        record = present({"piqa": task(), "boolq": task(accuracy=math.nan)})
        _, notes = read_harness([save(record, tmp_path / "net.json")])
        assert noted(notes, "No finite score", "boolq")


class TestItems:
    @pytest.mark.parametrize(("right", "items"), [(1, 3), (60, 101), (5000, 10042), (7, 14042)])
    def test_they_are_found_from_the_standard_error(
        self, tmp_path: Path, right: int, items: int
    ) -> None:
        path = save(old(right=right, items=items), tmp_path / "net.json")
        assert list(read_harness([path]).frame["items"]) == [items, items]

    @pytest.mark.parametrize(
        ("accuracy", "se"),
        # Rounded scores, shares that were not counted, and numbers that overflow.
        [(0.5941, 0.0489), (0.5, "N/A"), (0.5, 0.0), (0, 0.01), (1, 0.0), (0.5, 1e-200)],
    )
    def test_they_are_unknown_where_they_do_not_give_whole_numbers(
        self, tmp_path: Path, accuracy: float, se: object
    ) -> None:
        record = old() | {"results": {"piqa": {"acc": accuracy, "acc_stderr": se}}}
        frame, notes = read_harness([save(record, tmp_path / "net.json")])
        assert frame["items"].isna().all()
        assert noted(notes, "Items unknown", "piqa")

    def test_a_limit_is_noted_and_its_items_are_taken(self, tmp_path: Path) -> None:
        counts = {"piqa": {"original": 1838, "effective": 100}}
        record = present({"piqa": task()}, **{"n-samples": counts})
        frame, notes = read_harness([save(record, tmp_path / "net.json")])
        assert list(frame["items"]) == [100]
        assert noted(notes, "limit", "piqa")

    def test_items_that_differ_between_runs_are_noted(self, tmp_path: Path) -> None:
        for items in (100, 500):
            record = present({"piqa": task()}, model=f"net-{items}", items=items)
            save(record, tmp_path / f"{items}.json")
        _, notes = read_harness([tmp_path])
        assert noted(notes, "Items differ", "piqa (100 to 500)")


class TestSettings:
    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("n-shot", 5, "number of examples in the prompt"),
            ("versions", 2, "version of the task"),
        ],
    )
    def test_settings_that_differ_are_refused_with_both_runs(
        self, tmp_path: Path, field: str, value: int, words: str
    ) -> None:
        one = save(present({"piqa": task()}, model="one"), tmp_path / "one.json")
        record = present({"piqa": task()}, model="two", **{field: {"piqa": value}})
        two = save(record, tmp_path / "two.json")
        with pytest.raises(DataError) as caught:
            read_harness([one, two])
        assert_one_line(caught.value, "'piqa'", words, "'one'", "'two'", f"{value} in run 'two'")

    def test_an_unknown_setting_contradicts_nothing(self, tmp_path: Path) -> None:
        one = save(present({"piqa": task()}, model="one"), tmp_path / "one.json")
        bare = present({"piqa": task()}, model="two", versions={}, configs={}) | {"n-shot": {}}
        frame, _ = read_harness([one, save(bare, tmp_path / "two.json")])
        assert frame["shots"].isna().tolist() == [False, True]
        assert frame["version"].tolist()[0] == "1"

    def test_settings_of_a_task_that_is_left_out_may_differ(self, tmp_path: Path) -> None:
        for run, shots in (("one", 0), ("two", 5)):
            results = {"piqa": task(), "wikitext": {"word_perplexity,none": 20.0}}
            record = present(results, model=run, **{"n-shot": {"piqa": 0, "wikitext": shots}})
            save(record, tmp_path / f"{run}.json")
        assert list(read_harness([tmp_path]).frame["task"]) == ["piqa", "piqa"]


class TestRepeatedResults:
    def test_the_newest_of_equal_settings_is_taken(self, tmp_path: Path) -> None:
        for day, accuracy in ((3, 0.3), (9, 0.9), (6, 0.6)):
            record = present({"piqa": task(accuracy=accuracy)}, date=None)
            save(record, tmp_path / DATED.format(day))
        frame, notes = read_harness([tmp_path])
        assert list(frame["accuracy"]) == [0.9]
        assert noted(notes, "several results", "net-70m", "piqa", DATED.format(9))

    def test_without_dates_only_equal_scores_are_taken(self, tmp_path: Path) -> None:
        for name, accuracy in (("a", 0.5), ("b", 0.5)):
            save(present({"piqa": task(accuracy=accuracy)}, date=None), tmp_path / f"{name}.json")
        assert len(read_harness([tmp_path]).frame) == 1
        save(present({"piqa": task(accuracy=0.6)}, date=None), tmp_path / "c.json")
        with pytest.raises(DataError) as caught:
            read_harness([tmp_path])
        assert_one_line(caught.value, "which one is the newest", "a.json", "c.json")

    def test_results_of_other_items_are_no_repetition(self, tmp_path: Path) -> None:
        for items in (100, 500):
            save(present({"piqa": task()}, items=items), tmp_path / f"{items}.json")
        with pytest.raises(DataError) as caught:
            read_harness([tmp_path])
        assert_one_line(caught.value, "the same number of items", "100 in", "500 in")

    def test_tasks_of_one_run_may_lie_in_several_files(self, tmp_path: Path) -> None:
        for name in ("piqa", "boolq"):
            save(present({name: task()}), tmp_path / f"{name}.json")
        frame, _ = read_harness([tmp_path])
        assert sorted(frame["task"]) == ["boolq", "piqa"]
        assert set(frame["run"]) == {"net-70m"}

    def test_models_that_end_alike_are_different_runs(self, tmp_path: Path) -> None:
        for size in ("70m", "160m"):
            record = present({"piqa": task()}, model=f"/ckpt/{size}/final")
            save(record, tmp_path / f"{size}.json")
        frame, notes = read_harness([tmp_path])
        assert sorted(frame["run"]) == ["/ckpt/160m/final", "/ckpt/70m/final"]
        assert noted(notes, "2 models end in final")


TREE = {"mmlu": ["stem", "law"], "stem": ["maths"], "maths": [], "law": [], "piqa": []}


class TestGroups:
    def results(self, **fields: Any) -> dict[str, Any]:
        return present({name: task() for name in TREE}, group_subtasks=TREE, **fields)

    def test_a_group_with_a_score_stands_for_its_subtasks(self, tmp_path: Path) -> None:
        frame, notes = read_harness([save(self.results(), tmp_path / "net.json")])
        assert list(frame["task"]) == ["mmlu", "piqa"]
        assert noted(notes, "mmlu has a score of its own", "stem, maths, law")

    def test_a_subtask_that_is_asked_for_is_kept(self, tmp_path: Path) -> None:
        path = save(self.results(), tmp_path / "net.json")
        frame, _ = read_harness([path], metrics={"law": "acc"})
        assert list(frame["task"]) == ["mmlu", "law", "piqa"]

    def test_a_group_without_a_score_leaves_its_subtasks(self, tmp_path: Path) -> None:
        record = self.results()
        record["results"]["mmlu"] = {" ": " ", "alias": "mmlu"}
        frame, notes = read_harness([save(record, tmp_path / "net.json")])
        assert list(frame["task"]) == ["stem", "law", "piqa"]
        assert not noted(notes, "No finite score")

    def test_groups_in_a_circle_keep_the_first(self, tmp_path: Path) -> None:
        record = self.results() | {"group_subtasks": {"mmlu": ["law"], "law": ["mmlu"]}}
        frame, _ = read_harness([save(record, tmp_path / "net.json")])
        assert list(frame["task"]) == ["mmlu", "stem", "maths", "piqa"]

    def test_subtasks_of_other_shots_are_refused(self, tmp_path: Path) -> None:
        one = self.results(model="one")
        two = self.results(model="two", **{"n-shot": {"law": 5}})
        paths = [save(one, tmp_path / "one.json"), save(two, tmp_path / "two.json")]
        with pytest.raises(DataError, match="'law'"):
            read_harness(paths)


class TestRefusals:
    def test_a_file_of_another_kind(self, tmp_path: Path) -> None:
        path = save({"epoch": 3}, tmp_path / "state.json")
        with pytest.raises(FileError) as caught:
            read_harness([path])
        assert_one_line(caught.value, "must hold results of lm-evaluation-harness", "epoch")

    def test_a_file_that_is_missing_or_damaged(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match="must exist"):
            read_harness([tmp_path / "absent.json"])
        (tmp_path / "half.json").write_text('{"results": {')
        with pytest.raises(FileError, match="must be JSON"):
            read_harness([tmp_path / "half.json"])

    def test_a_folder_without_results(self, tmp_path: Path) -> None:
        save(old(), tmp_path / "good" / "net.json")
        save({"epoch": 3}, tmp_path / "other" / "state.json")
        with pytest.raises(FileError) as caught:
            read_harness([tmp_path / "good", tmp_path / "other"])
        assert_one_line(caught.value, "other", "got 1 other .json files")

    def test_a_task_of_metrics_that_is_not_there(self, tmp_path: Path) -> None:
        path = save(old(), tmp_path / "net.json")
        with pytest.raises(DataError) as caught:
            read_harness([path], metrics={"pica": "acc"})
        assert_one_line(caught.value, "'pica'", "use piqa")

    @pytest.mark.parametrize("metrics", ["acc", ["acc"], {"piqa": 1}, {1: "acc"}, 5])
    def test_metrics_of_another_kind(self, tmp_path: Path, metrics: Any) -> None:
        with pytest.raises(SettingError) as caught:
            read_harness([save(old(), tmp_path / "net.json")], metrics=metrics)
        assert_one_line(caught.value, "must be a mapping of tasks to names of metrics")

    def test_no_path_at_all(self) -> None:
        with pytest.raises(DataError):
            read_harness([])


class TestDamagedFiles:
    GROUPED = present(
        {"mmlu": task(), "law": task(), "piqa": task(), "wiki": {"ppl,none": 9.0}},
        group_subtasks={"mmlu": ["law"], "law": [], "piqa": []},
        model="one",
    )

    @settings(
        max_examples=120,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(first=damaged(GROUPED), second=damaged(present({"piqa": task()})) | damaged(old()))
    def test_a_table_or_an_error_of_ours(self, tmp_path: Path, first: Any, second: Any) -> None:
        paths = [save(first, tmp_path / "a.json"), save(second, tmp_path / "b.json")]
        assert "\n" not in refusal(lambda: read_harness(paths))
        try:
            frame, notes = read_harness([tmp_path])
        except BayescaleError:
            return
        assert len(frame) == len(frame[["run", "task"]].drop_duplicates()) > 0
        assert frame["accuracy"].between(0, 1).all()
        assert pd.api.types.is_float_dtype(frame["items"])
        assert all(note.isprintable() for note in notes)

    @pytest.mark.parametrize("name", ["piqa\n", "\x1b[31m", "=1+1", "a,b", "a/b", "\u202e"])
    def test_strange_names_are_kept_and_shown(self, tmp_path: Path, name: str) -> None:
        record = present({name: task()}, model=f"lab/{name.replace('/', '')}")
        frame, notes = read_harness([save(record, tmp_path / "net.json")])
        assert list(frame["task"]) == [name]
        assert all(note.isprintable() for note in notes)
        assert json.loads(frame.to_json())["task"]["0"] == name
