"""The result files of Gadre et al.: roles, figures, and what a wrong file is told."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from bayescale.data.ladder import Ladder
from bayescale.data.readers import read_gadre
from bayescale.data.readers.gadre2024 import LOSSES, TASKS_17
from bayescale.data.readers.wide import widen
from bayescale.errors import FileError
from helpers.mutations import damaged, refusal
from helpers.tables import assert_one_line, write


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
        corrected = tasks["chance"] * 100 != derived.loc[tasks.index, "random_baseline_pct"]
        assert list(tasks.index[corrected]) == ["commonsense_qa"]

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


# One model in the authors' form, with made-up figures.
FILES: dict[str, Any] = {
    "model": {
        "hyperparameters": {
            "params": 1_000_000,
            "tokens": 20_000_000,
            "model": "configs/open_lm_1b.json",
        },
        "dataset_name": "rpj",
        "results": [{"val_data": [f"data/{name}/x.tar"], "loss": 3.5} for name in LOSSES],
    },
    "evaluation": {"eval_metrics": {"icl": dict.fromkeys(TASKS_17, 0.6)}},
    "metadata": [[task, 1000, 25] for task in TASKS_17],
}


def read_files(folder: Path, files: Any) -> Ladder:
    """The ladder of one model, its three files written from a record of their content."""
    for name in ("models", "evals"):
        (folder / name).mkdir(exist_ok=True)
    parts = files if isinstance(files, dict) else {}
    write(folder / "models", json.dumps(parts.get("model")), "m.json")
    write(folder / "evals", json.dumps(parts.get("evaluation")), "evaluation_m_heavy.json")
    rows = parts.get("metadata")
    rows = rows if isinstance(rows, list) else []
    lines = [",".join(map(str, row)) for row in rows if isinstance(row, list)]
    header = "Eval Task,#datapoints,Random baseline"
    write(folder, "\n".join([header, *lines]) + "\n", "eval_metadata.csv")
    return read_gadre(folder)


class TestDamagedFiles:
    def test_an_undamaged_model_is_read(self, tmp_path: Path) -> None:
        ladder = read_files(tmp_path, FILES)
        assert list(ladder.runs.index) == ["redpajama-1.4B-M20"]
        assert len(ladder.tasks) == 19

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(files=damaged(FILES))
    def test_a_ladder_or_an_error_of_ours(self, tmp_path: Path, files: Any) -> None:
        assert "\n" not in refusal(lambda: read_files(tmp_path, files))

    @pytest.mark.parametrize(
        ("place", "value", "words"),
        [
            (("model", "hyperparameters", "params"), 0, "1 or more parameters"),
            (("model", "hyperparameters", "tokens"), "2e4", "finite number"),
            (("model", "hyperparameters", "tokens"), 10**400, "finite number"),
            (("model", "hyperparameters", "model"), 7, "a text"),
            (("model", "dataset_name"), ["rpj"], "a text"),
            (("model", "results"), 3, "a list"),
            (("evaluation", "eval_metrics", "icl"), [0.5], "an object"),
            (("evaluation", "eval_metrics", "icl", "squad"), "high", "finite number"),
            (("metadata", 3, 1), "many", "row 4"),
            (("metadata", 0, 0), TASKS_17[1], "twice"),
            (("metadata", 0, 0), "another", f"datapoints of task {TASKS_17[0]!r}"),
            (("metadata", 0, 1), 0, f"datapoints of task {TASKS_17[0]!r}"),
        ],
    )
    def test_the_field_is_named(
        self, tmp_path: Path, place: tuple[str | int, ...], value: object, words: str
    ) -> None:
        files = json.loads(json.dumps(FILES))
        inner = files
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        with pytest.raises(FileError) as caught:
            read_files(tmp_path, files)
        assert_one_line(caught.value, words)


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
