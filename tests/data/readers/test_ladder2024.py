"""The checkpoints of the ladder of 2024: roles, figures, and what a wrong file is told."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.data.ladder import Ladder
from bayescale.data.readers import read_checkpoints
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
