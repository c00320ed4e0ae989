"""The task catalogue: its facts against published accuracies, its names, and what it fills in."""

import numpy as np
import pandas as pd
import pytest

from bayescale.checks import worst
from bayescale.data.catalogue import FACTS, fill_tasks, find_task, task_catalogue
from bayescale.data.datasets.released import read_embedded
from bayescale.data.readers.wide import ACCURACY
from bayescale.data.schema import TASKS, parse_runs, parse_tasks
from bayescale.errors import DataError
from helpers.tables import table

# Tasks of which public sources state different chances: the catalogue has none.
NO_CHANCE = {
    "agi_eval_lsat_ar",
    "agi_eval_lsat_lr",
    "agi_eval_lsat_rc",
    "bbq",
    "bigbench_elementary_math_qa",
    "bigbench_language_identification",
    "bigbench_logical_deduction",
    "bigbench_novel_concepts",
    "bigbench_understanding_fables",
    "math_qa",
    "mmlu_pro",
    "musr_object_placements",
    "siqa",
}
NO_ITEMS = {"coqa", "mmlu_other", "mmlu_stem"}
# Scores of the embedded data sets that are means over categories or over tasks.
MEANS = {"mmlu", "bbq", "jeopardy"}
# How many checkpoints a final accuracy is the mean of.
CHECKPOINTS = {"gadre2024": 1, "ladder2024": 5}
# acc and acc_stderr in a results file of lm-evaluation-harness, of a model of 410M parameters.
HARNESS = {
    "lambada_openai": (0.5162041529206287, 0.006962318518940979),
    "piqa": (0.6675734494015234, 0.010991141557445587),
    "arc_easy": (0.5210437710437711, 0.010250692602022562),
    "arc_challenge": (0.21331058020477817, 0.011970971742326334),
    "winogrande": (0.5367008681925809, 0.01401457845884326),
}


def stated(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame(columns)


class TestFacts:
    def test_every_row_obeys_the_rules_of_a_task_table(self) -> None:
        catalogue = task_catalogue()
        complete = catalogue.dropna(subset=list(FACTS)).reset_index()
        assert len(complete) == len(catalogue) - len(NO_CHANCE) - len(NO_ITEMS)
        TASKS.validate(complete[["task", *FACTS]])
        assert (complete["items"] % 1 == 0).all()
        assert (
            catalogue["metric"]
            .isin(["accuracy", "accuracy per character", "exact match", "f1", "pass@1"])
            .all()
        )
        assert catalogue["split"].isin(["test", "validation", "as released"]).all()
        assert (
            catalogue["source"].str.contains(r"arXiv \d{4}\.\d{5}|arXiv \d{4}\.\d{4}|\d{4};").all()
        )

    def test_an_empty_fact_has_its_reason(self) -> None:
        catalogue = task_catalogue()
        assert set(catalogue.index[catalogue["chance"].isna()]) == NO_CHANCE
        assert set(catalogue.index[catalogue["items"].isna()]) == NO_ITEMS
        empty = catalogue[catalogue[list(FACTS)].isna().any(axis="columns")]
        assert empty["source"].str.contains("differ|no one number").all()

    def test_generation_has_chance_0(self) -> None:
        catalogue = task_catalogue()
        is_generated = catalogue["metric"].isin(["exact match", "f1", "pass@1"])
        assert (catalogue.loc[is_generated, "chance"] == 0).all()

    @pytest.mark.parametrize("name", ["gadre2024", "ladder2024"])
    def test_agrees_with_the_embedded_task_tables(self, name: str) -> None:
        embedded = read_embedded(f"{name}_tasks.csv").dropna(subset=["chance"]).set_index("task")
        embedded = embedded.drop(["average17", "average46"], errors="ignore")
        # "siqa" of Gadre et al. is a cut of Social IQa: a chance of its own.
        known = task_catalogue().loc[[find_task(task) for task in embedded.index]]
        for fact in FACTS:
            agree = np.isclose(embedded[fact], known[fact]) | known[fact].isna()
            assert agree.all(), embedded.index[~agree].tolist()

    def test_a_table_changed_by_a_caller_changes_no_other(self) -> None:
        changed = task_catalogue()
        changed.loc["piqa", "chance"] = 0.9
        assert task_catalogue().loc["piqa", "chance"] == 0.5


class TestItems:
    @staticmethod
    def off_whole(accuracies: pd.Series, items: float, checkpoints: int) -> float:
        """The largest distance from a whole number of right answers."""
        right = accuracies.dropna() * items * checkpoints
        return float((right - right.round()).abs().max())

    @pytest.mark.parametrize("name", ["gadre2024", "ladder2024"])
    def test_published_accuracies_are_whole_numbers_of_right_answers(self, name: str) -> None:
        runs = read_embedded(f"{name}_runs.csv")
        scores = {
            column.removeprefix(ACCURACY): runs[column]
            for column in runs.columns
            if column.startswith(ACCURACY)
        }
        checked = 0
        for task, accuracies in scores.items():
            found = find_task(task)
            if found is None or found in MEANS | NO_ITEMS:
                continue
            items = task_catalogue().loc[found, "items"]
            assert self.off_whole(accuracies, items, CHECKPOINTS[name]) < 0.01, task
            # One item more, and they are not.
            if items > 100:
                assert self.off_whole(accuracies, items + 1, CHECKPOINTS[name]) > 0.01, task
            checked += 1
        assert checked == {"gadre2024": 41, "ladder2024": 9}[name]

    @pytest.mark.parametrize("task", HARNESS)
    def test_a_harness_standard_error_has_the_same_number_of_items(self, task: str) -> None:
        accuracy, error = HARNESS[task]
        # The harness divides by items - 1.
        assert task_catalogue().loc[task, "items"] == pytest.approx(
            accuracy * (1 - accuracy) / error**2 + 1, abs=1e-4
        )

    def test_the_subjects_of_mmlu_add_up(self) -> None:
        catalogue = task_catalogue()
        subjects = catalogue[catalogue["aliases"].str.startswith("hendrycksTest-")]
        assert len(subjects) == 57
        assert subjects["items"].sum() == catalogue.loc["mmlu", "items"]


class TestNames:
    def test_no_name_stands_for_two_tasks(self) -> None:
        catalogue = task_catalogue()
        names = [*catalogue.index, *filter(None, "|".join(catalogue["aliases"]).split("|"))]
        plain = [name.lower().replace("-", "_") for name in names]
        assert sorted(plain) == sorted(set(plain))
        owner = dict(zip(catalogue.index, catalogue.index, strict=True))
        for task, aliases in catalogue["aliases"].items():
            owner |= dict.fromkeys(filter(None, aliases.split("|")), task)
        assert {name: find_task(name) for name in names} == owner

    @pytest.mark.parametrize(
        ("name", "task"),
        [
            ("ARC-Challenge", "arc_challenge"),
            ("ai2_arc:challenge", "arc_challenge"),
            ("harness|arc:challenge|25", "arc_challenge"),
            ("leaderboard|hellaswag|10|0", "hellaswag"),
            ("hellaswag_zeroshot", "hellaswag"),
            ("mmlu_5shot", "mmlu"),
            ("MMLU (5-shot)", "mmlu"),
            ("mmlu_fewshot", "mmlu"),
            ("leaderboard_gpqa_main", "gpqa_main"),
            ("hendrycksTest-college_physics", "mmlu_college_physics"),
            ("Social IQa", "social_iqa"),
            ("  CSQA ", "commonsense_qa"),
            ("my_task", None),
            ("", None),
            ("|", None),
            ("arc", None),
            # another split has other items
            ("arc_easy_val", None),
        ],
    )
    def test_is_found_as_users_and_harnesses_write_it(self, name: str, task: str | None) -> None:
        assert find_task(name) == task


class TestFillTasks:
    def test_without_a_table_the_catalogue_gives_what_it_has_and_says_so(self) -> None:
        filled, checks = fill_tasks(["ARC-Challenge", "piqa", "my_task"], None)
        assert filled.to_dict("list") == {
            "task": ["ARC-Challenge", "piqa"],
            "chance": [0.25, 0.5],
            "items": [1172, 1838],
        }
        assert [check.advice for check in checks] == [
            "chance 0.25 and 1172 items of ARC-Challenge (as arc_challenge) are the catalogue's",
            "chance 0.5 and 1838 items of piqa are the catalogue's",
        ]
        assert worst(checks) == "pass"

    def test_a_stated_value_wins_and_only_empty_cells_are_filled(self) -> None:
        filled, checks = fill_tasks(
            ["hellaswag", "piqa"],
            stated(task=["piqa", "hellaswag"], items=[np.nan, 1000]),
        )
        assert filled.to_dict("list") == {
            "task": ["piqa", "hellaswag"],
            "chance": [0.5, 0.25],
            "items": [1838, 1000],
        }
        assert [check.advice for check in checks] == [
            "chance 0.5 and 1838 items of piqa are the catalogue's",
            "chance 0.25 of hellaswag is the catalogue's",
        ]

    @pytest.mark.parametrize(("chance", "warned"), [(0.25, True), (0.33, False), (0.333, False)])
    def test_a_chance_that_contradicts_the_catalogue_is_used_and_warned_of(
        self, chance: float, warned: bool
    ) -> None:
        filled, checks = fill_tasks(
            ["socialiqa"], stated(task=["socialiqa"], chance=[chance], items=[1954])
        )
        assert filled["chance"].tolist() == [chance]
        assert worst(checks) == ("warn" if warned else "pass")
        assert len(checks) == warned
        for check in checks:
            assert (check.value, check.limit) == (chance, pytest.approx(1 / 3))
            assert "stated chance 0.25 of socialiqa is used" in check.advice
            assert "0.3333 for social_iqa" in check.advice

    def test_what_public_sources_differ_on_is_the_users_to_state(self) -> None:
        filled, checks = fill_tasks(["siqa"], None)
        assert filled["items"].tolist() == [1954]
        assert filled["chance"].isna().all()
        assert [check.status for check in checks] == ["pass", "warn"]
        assert checks[1].advice.startswith("the catalogue has no chance of siqa (chance differs: ")
        for chance in (0.5, 1 / 3):
            _, checks = fill_tasks(["siqa"], stated(task=["siqa"], chance=[chance], items=[1954]))
            assert checks == []

    def test_rows_that_nobody_needs_and_faulty_rows_pass_through(self) -> None:
        own = stated(
            task=["other", "winogrande", "piqa", "piqa"],
            chance=[0.2, np.nan, "half", [0.5]],
            items=[50, np.nan, 1838, 1838],
        )
        filled, checks = fill_tasks(["piqa"], own)
        pd.testing.assert_frame_equal(filled, own, check_dtype=False)
        assert checks == []
        for unreadable in (own.drop(columns="task"), own.set_axis(["task"] * 3, axis="columns")):
            assert fill_tasks(["piqa"], unreadable)[0] is unreadable

    @pytest.mark.parametrize("value", [25, -0.1, 10**400, True, 1j, "0.1", [0.1], pd.Timestamp(0)])
    def test_what_is_no_chance_is_left_to_the_rules_of_the_table(self, value: object) -> None:
        filled, checks = fill_tasks(["piqa"], stated(task=["piqa"], chance=[value], items=[1838]))
        assert filled["chance"].tolist() == [value]
        assert checks == []

    def test_a_ladder_needs_no_task_table_for_known_tasks(self) -> None:
        runs = parse_runs(table())
        filled, _ = fill_tasks(runs.loc[runs["accuracy"].notna(), "task"].tolist(), None)
        assert parse_tasks(filled, runs).to_dict("list") == {
            "chance": [0.25, 0.5],
            "items": [14042, 1838],
        }
        unknown = runs.assign(task=runs["task"].replace("piqa", "my_task"))
        filled, _ = fill_tasks(["mmlu", "my_task"], None)
        with pytest.raises(DataError, match="chance of task 'my_task'"):
            parse_tasks(filled, unknown)
