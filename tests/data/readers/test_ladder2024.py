"""The checkpoints of the ladder of 2024: roles, figures, and what a wrong file is told."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.data.ladder import Ladder
from bayescale.data.readers import read_checkpoints
from bayescale.data.readers.ladder2024 import SUBTASKS
from bayescale.data.readers.wide import widen
from bayescale.errors import FileError
from helpers.tables import assert_one_line, write


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


def write_runs(folder: Path, columns: dict[str, object]) -> None:
    """The first file that the reader opens, one row, with made-up figures and these columns."""
    of_tasks = {
        f"eval/{kind}/{subtask}_rc_5shot_{end}": 0.5
        for task, subtasks in SUBTASKS.items()
        for subtask in subtasks
        for kind, end in (
            ("downstream_bpb", "bpb"),
            ("downstream", "acc" if task == "boolq" else "len_norm"),
        )
    }
    counts = {"_step": 100, "batch_size_in_tokens": 4_194_304}
    row = {"eval/c4_en-validation/CrossEntropyLoss": 3.0, **of_tasks, **counts, **columns}
    frame = pd.DataFrame([{name: cell for name, cell in row.items() if cell is not None}])
    write(folder, frame.to_csv(index=False), "190M-0.5xC.csv")


class TestDamagedFiles:
    @pytest.mark.parametrize(
        ("columns", "words"),
        [
            # Text times the tokens per batch would be gigabytes of text.
            ({"_step": "a hundred steps"}, "column '_step', row 1"),
            ({"batch_size_in_tokens": "4M"}, "column 'batch_size_in_tokens', row 1"),
            ({"batch_size_in_tokens": None}, "must have a column 'batch_size_in_tokens'"),
            ({"_step": None}, "must have a column 'throughput/total_tokens'"),
            ({"eval/c4_en-validation/CrossEntropyLoss": "low"}, "must be a finite number"),
            ({"eval/downstream_bpb/piqa_val_rc_5shot_bpb": "inf"}, "must be a finite number"),
        ],
    )
    def test_names_the_column(self, tmp_path: Path, columns: dict[str, object], words: str) -> None:
        write_runs(tmp_path, columns)
        with pytest.raises(FileError) as caught:
            read_checkpoints(tmp_path)
        assert_one_line(caught.value, "190M-0.5xC.csv", words)

    def test_names_a_file_without_rows(self, tmp_path: Path) -> None:
        write_runs(tmp_path, {})
        header = (tmp_path / "190M-0.5xC.csv").read_text().splitlines()[0]
        write(tmp_path, header + "\n", "190M-0.5xC.csv")
        with pytest.raises(FileError) as caught:
            read_checkpoints(tmp_path)
        assert_one_line(caught.value, "must have at least one row")

    def test_goes_on_to_the_next_file_where_the_first_is_good(self, tmp_path: Path) -> None:
        write_runs(tmp_path, {})
        with pytest.raises(FileError) as caught:
            read_checkpoints(tmp_path)
        assert_one_line(caught.value, "190M-1xC.csv", "must exist")
