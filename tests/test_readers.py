"""Readers: what they make of files that are not right, and that their figures are the published
ones.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.data.ladder import Ladder
from bayescale.data.readers import read_checkpoints, read_csv, read_gadre
from bayescale.data.readers.gadre2024 import TASKS_17
from bayescale.data.readers.wide import tidy, widen
from bayescale.data.target import Conventions
from bayescale.errors import BayescaleError, DataError, FileError

RUNS = "run,params,tokens,task,loss,accuracy\n{}"
ROW = "a,1e8,2e9,mmlu,1.2,0.3\n"


def write(folder: Path, text: str | bytes, name: str = "runs.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.fixture
def task_table(tmp_path: Path) -> Path:
    return write(tmp_path, "task,chance,items\nmmlu,0.25,14042\n", "tasks.csv")


@pytest.fixture(scope="session")
def gadre(shared_data: Path) -> Ladder:
    return read_gadre(shared_data / "gadre2024" / "raw")


@pytest.fixture(scope="session")
def checkpoints(shared_data: Path) -> Ladder:
    return read_checkpoints(shared_data / "ladder2024" / "raw")


class TestCsv:
    def test_reads_both_tables_and_settings(self, tmp_path: Path, task_table: Path) -> None:
        path = write(tmp_path, RUNS.format(ROW))
        ladder = read_csv(
            path,
            tasks=task_table,
            conventions=Conventions(tokenizer="x"),
            law="gadre",
            link="exponential",
            source="here",
        )
        assert ladder.runs.loc["a", "params"] == 1e8
        assert ladder.task_table.loc["mmlu", "items"] == 14042
        assert (
            ladder.law,
            ladder.link,
            ladder.name,
            ladder.source,
            ladder.conventions.tokenizer,
        ) == ("gadre", "exponential", "runs", "here", "x")

    def test_keeps_names_as_written(self, tmp_path: Path) -> None:
        rows = "".join(
            f"{name},1e8,2e9,null,1.2,\n" for name in ("NA", "007", "1.50", "nan", "True")
        )
        ladder = read_csv(write(tmp_path, RUNS.format(rows)))
        assert list(ladder.runs.index) == ["NA", "007", "1.50", "nan", "True"]
        assert ladder.loss_names == ["null"]

    def test_takes_a_byte_order_mark_and_integers_beyond_64_bits(self, tmp_path: Path) -> None:
        ladder = read_csv(
            write(
                tmp_path,
                b"\xef\xbb\xbfrun,params,tokens,task,loss,flops\na,100000000,2000000000,c4,3.1,471948036096000000000000\n",
            )
        )
        assert ladder.compute()["a"] == 471948036096000000000000.0

    def test_gives_back_what_was_written(self, tmp_path: Path, checkpoints: Ladder) -> None:
        runs, tasks = tmp_path / "r.csv", tmp_path / "t.csv"
        checkpoints.frame.to_csv(runs, index=False)
        checkpoints.task_table.to_csv(tasks)
        again = read_csv(runs, tasks=tasks)
        pd.testing.assert_frame_equal(again.frame, checkpoints.frame, rtol=1e-14)
        pd.testing.assert_frame_equal(again.task_table, checkpoints.task_table, rtol=1e-14)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "empty"),
            (b" \n\n", "empty"),
            (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary"),
            ("run,params\na,1".encode("utf-16"), "binary"),
            (b"run,params\n\xe9\xe8,1\n", "UTF-8"),
            (b"run,params\na,1\nb,2,3\n", "Expected 2 fields in line 3, saw 3"),
            (b'run,params\n"a,1\n', "comma-separated"),
            (b"run,params\na,1,2\nb,1,2\n", "longer than the header"),
            (b"run,loss,loss\na,1,2\n", "'loss' twice"),
        ],
    )
    def test_names_a_file_that_is_not_csv(self, tmp_path: Path, content: bytes, words: str) -> None:
        with pytest.raises(FileError) as caught:
            read_csv(write(tmp_path, content))
        assert_one_line(caught.value, words, "runs.csv")

    def test_names_a_path_that_is_not_there_and_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FileError) as caught:
            read_csv(tmp_path / "absent.csv")
        assert_one_line(caught.value, "must exist", "absent.csv")
        with pytest.raises(FileError) as caught:
            read_csv(str(tmp_path))
        assert_one_line(caught.value, "got a folder", str(tmp_path))

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (RUNS.format(""), "got an empty table"),
            ("model,size\na,1\n", "column 'run' of the run table"),
            (
                RUNS.format(ROW.replace("1.2", "NA")),
                "column 'loss', row 1: must be a number; got 'NA'",
            ),
            (RUNS.format(ROW.replace("0.3", "30")), "divide the column by 100"),
            (RUNS.format(ROW), "chance of task 'mmlu'"),
        ],
    )
    def test_leaves_the_tables_rules_to_the_ladder(
        self, tmp_path: Path, text: str, words: str
    ) -> None:
        with pytest.raises(DataError) as caught:
            read_csv(write(tmp_path, text))
        assert_one_line(caught.value, words)

    def test_names_a_task_table_that_is_not_right(self, tmp_path: Path) -> None:
        path = write(tmp_path, RUNS.format(ROW))
        with pytest.raises(FileError) as caught:
            read_csv(path, tasks=write(tmp_path, "", "tasks.csv"))
        assert_one_line(caught.value, "empty", "tasks.csv")


class TestGadre:
    def test_has_all_runs_in_their_roles(self, gadre: Ladder) -> None:
        assert gadre.runs["role"].value_counts().to_dict() == {
            "held_out": 80,
            "fit": 15,
            "target": 6,
            "link": 3,
        }
        assert (gadre.corpora, gadre.law, gadre.link) == (
            ["c4", "redpajama", "refinedweb"],
            "gadre",
            "exponential",
        )
        assert set(gadre.with_role("fit").where(corpus="c4").runs.index) == {
            "c4-11M-M20",
            "c4-79M-M20",
            "c4-154M-M20",
            "c4-411M-M20",
            "c4-11M-M320",
        }
        assert (
            len(gadre.tasks),
            len(gadre.loss_names),
            gadre.loss_names[0],
            gadre.compute_is_measured,
        ) == (48, 8, "c4", False)

    def test_agrees_with_the_derived_table_in_every_cell(
        self, gadre: Ladder, shared_data: Path
    ) -> None:
        derived = pd.read_csv(shared_data / "gadre2024" / "runs.csv").sort_values(
            ["dataset", "N", "D"]
        )
        wide, _ = widen(gadre)
        np.testing.assert_array_equal(wide[["params", "tokens"]], derived[["N", "D"]])
        np.testing.assert_allclose(
            1 - wide[["accuracy:average46", "accuracy:average17"]],
            derived[["err_avg", "err_avg_subset"]],
            atol=1e-12,
        )
        for task in set(gadre.tasks) - {"average17", "average46"}:
            np.testing.assert_array_equal(wide[f"accuracy:{task}"], derived[f"acc_{task}"])
        for name, column in DERIVED_LOSSES.items():
            np.testing.assert_array_equal(wide[f"loss:{name}"], derived[f"loss_{column}"])

    def test_describes_tasks_as_the_derived_table_does(
        self, gadre: Ladder, shared_data: Path
    ) -> None:
        derived = (
            pd.read_csv(shared_data / "gadre2024" / "tasks.csv").query("in_46").set_index("task")
        )
        assert set(TASKS_17) == set(derived.index[derived["in_17"]])
        tasks = gadre.task_table.drop(["average17", "average46"])
        np.testing.assert_array_equal(tasks["items"], derived.loc[tasks.index, "n_effective"])
        mended = tasks["chance"] * 100 != derived.loc[tasks.index, "random_baseline_pct"]
        assert list(tasks.index[mended]) == ["commonsense_qa"]

    def test_averages_have_the_items_that_give_their_variance(self, gadre: Ladder) -> None:
        tasks = gadre.task_table.drop(["average17", "average46"])
        variance_of_mean = (0.25 / tasks["items"]).sum() / 46**2
        assert 0.25 / gadre.task_table.loc["average46", "items"] == pytest.approx(
            variance_of_mean, rel=1e-12
        )
        assert gadre.task_table.loc["average46", "chance"] == pytest.approx(tasks["chance"].mean())

    @pytest.mark.parametrize(
        ("model", "words"),
        [
            ("{", "must be JSON"),
            ("[1]", "must hold a JSON object"),
            ("{}", "field 'hyperparameters'"),
            ('{"hyperparameters": {"params": 1}}', "field 'hyperparameters.tokens'"),
        ],
    )
    def test_names_a_file_that_is_not_of_the_format(
        self, tmp_path: Path, model: str, words: str
    ) -> None:
        (tmp_path / "models").mkdir()
        write(tmp_path / "models", model, "m.json")
        with pytest.raises(FileError) as caught:
            read_gadre(tmp_path)
        assert_one_line(caught.value, words, "m.json")

    def test_names_an_evaluation_that_is_missing(self, tmp_path: Path) -> None:
        (tmp_path / "models").mkdir()
        model = {
            "hyperparameters": {"params": 10, "tokens": 200, "model": "open_lm_1b"},
            "dataset_name": "rpj",
            "results": [],
        }
        write(tmp_path / "models", json.dumps(model), "m-1.0.json")
        with pytest.raises(FileError) as caught:
            read_gadre(tmp_path)
        assert_one_line(caught.value, "must exist", "evaluation_m-1.0_heavy.json")

    def test_names_a_folder_that_is_not_one(self, tmp_path: Path) -> None:
        with pytest.raises(FileError) as caught:
            read_gadre(tmp_path / "absent")
        assert_one_line(caught.value, "must be a folder; got nothing there")


class TestCheckpoints:
    def test_has_all_runs_in_their_roles(self, checkpoints: Ladder) -> None:
        assert checkpoints.runs["role"].value_counts().to_dict() == {
            "fit": 16,
            "held_out": 14,
            "target": 2,
        }
        assert (
            len(checkpoints.tasks),
            checkpoints.loss_names[-1],
            checkpoints.law,
            checkpoints.link,
        ) == (10, "c4", "skaling", "logistic")
        assert checkpoints.loss_name_of["mmlu"] == "mmlu"
        assert checkpoints.compute_is_measured

    def test_targets_agree_with_the_released_code(
        self, checkpoints: Ladder, shared_data: Path
    ) -> None:
        printed = pd.read_csv(shared_data / "published" / "ladder_predictions.csv")
        rows = checkpoints.frame.set_index(["task", "run"])
        task = printed["task"].str.replace("_(?:avg_)?(?:test|val)_5shot", "", regex=True)
        ours = rows.loc[list(zip(task, printed["target"], strict=True))]
        np.testing.assert_allclose(
            ours[["loss", "accuracy"]], printed[["loss", "acc"]], rtol=0, atol=1e-12
        )
        np.testing.assert_array_equal(ours["tokens"], printed["D_data"])

    def test_agrees_with_the_derived_checkpoints(
        self, checkpoints: Ladder, shared_data: Path
    ) -> None:
        derived = pd.read_csv(shared_data / "ladder2024" / "checkpoints.csv.gz").replace(
            {"run": {"peteish7_eval_anneal": "7B-4T", "peteish13_eval_final": "13B-5T"}}
        )
        last = (
            derived[derived["run"].isin(checkpoints.runs.index)]
            .groupby("run")
            .tail(5)
            .groupby("run")
        )
        wide = widen(checkpoints)[0].set_index("run")
        ends = last.last().loc[wide.index]
        np.testing.assert_array_equal(wide[["params", "tokens"]], ends[["N", "D"]])
        np.testing.assert_allclose(wide["flops"], ends["flops_model"], rtol=1e-12)
        means = last.mean(numeric_only=True).loc[wide.index]
        pairs = (
            {"loss:c4": "c4_loss"}
            | {f"loss:{t}": f"{t}_bpb" for t in checkpoints.tasks}
            | {f"accuracy:{t}": f"{t}_acc" for t in checkpoints.tasks}
        )
        np.testing.assert_allclose(
            wide[list(pairs)], means[list(pairs.values())], rtol=0, atol=1e-12
        )

    def test_names_a_file_that_is_missing_or_another(self, tmp_path: Path) -> None:
        with pytest.raises(FileError) as caught:
            read_checkpoints(tmp_path)
        assert_one_line(caught.value, "must exist", "190M-0.5xC.csv")
        write(tmp_path, "a,b\n1,2\n", "190M-0.5xC.csv")
        with pytest.raises(FileError) as caught:
            read_checkpoints(tmp_path)
        assert_one_line(caught.value, "must have a column 'eval/c4_en-validation/CrossEntropyLoss'")


def test_wide_form_gives_the_tidy_rows_back(gadre: Ladder, checkpoints: Ladder) -> None:
    for ladder in (gadre, checkpoints):
        assert (
            Ladder.from_frame(tidy(*widen(ladder)), tasks=ladder.task_table.reset_index()).digest()
            == ladder.digest()
        )


def test_importing_the_readers_is_light() -> None:
    code = "import sys, bayescale.data.readers, bayescale.data.datasets; print([m for m in ('matplotlib', 'arviz', 'arviz_stats') if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def assert_one_line(error: BayescaleError, *words: str) -> None:
    text = str(error)
    assert "\n" not in text
    for word in words:
        assert word in text


DERIVED_LOSSES = {
    "c4": "c4_val",
    "openlm": "openlm",
    "paloma_c4_en": "paloma_c4_en",
    "paloma_falcon_refinedweb": "paloma_falcon-refinedweb",
    "paloma_redpajama": "paloma_redpajama",
    "paloma_ptb": "paloma_ptb",
    "paloma_programming_languages": "paloma_dolma_100_programing_languages",
    "de_en": "val_de-en_100",
}
