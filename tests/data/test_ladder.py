"""Ladder: it never changes, its parts, changed copies, when two are equal, which compute counts."""

import dataclasses
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from bayescale.data.ladder import Ladder
from bayescale.data.target import Target
from bayescale.errors import BayescaleError, DataError, SettingError
from helpers.tables import TASKS, assert_one_line, ladder, put, table


class TestImmutable:
    def test_views_are_copies(self) -> None:
        made = ladder()
        before = made.digest()
        for view in (made.frame, made.runs, made.task_table, made.compute().to_frame()):
            view.iloc[:, :] = view.iloc[::-1].to_numpy()
            view["new"] = 1
        for names in (made.tasks, made.corpora, made.loss_names):
            names.append("new")
        made.loss_name_of["mmlu"] = "other"
        assert made.digest() == before
        assert made == ladder()

    def test_the_frame_it_was_made_of_may_change(self) -> None:
        frame, tasks = table(), TASKS.copy()
        made = ladder(frame, tasks)
        frame["loss"], tasks["chance"] = 9.0, 0.0
        assert made == ladder()

    def test_making_it_changes_no_frame(self) -> None:
        frame, tasks = table(), TASKS.copy()
        ladder(frame, tasks)
        pd.testing.assert_frame_equal(frame, table())
        pd.testing.assert_frame_equal(tasks, TASKS)

    @pytest.mark.parametrize("record", [ladder(), Target(1e9, 2e10)])
    def test_fields_cannot_be_set(self, record: Ladder | Target) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            record.name = "other"  # type: ignore[misc]


class TestParts:
    def test_where_takes_a_value_or_several(self) -> None:
        made = ladder()
        assert made.where(corpus="code").runs.index.tolist() == ["c"]
        assert made.where(task=["piqa", "c4"], run=("a", "d")).frame[
            ["run", "task"]
        ].to_numpy().tolist() == [
            ["a", "piqa"],
            ["a", "c4"],
            ["d", "piqa"],
            ["d", "c4"],
        ]
        assert made.where(params=4e8).runs.index.tolist() == ["c"]
        assert len(made.frame) == 12

    def test_a_part_knows_only_its_own_tasks(self) -> None:
        assert ladder().where(task="piqa").tasks == ["piqa"]
        assert ladder().where(task="c4").tasks == []

    @pytest.mark.parametrize(
        ("limits", "left"),
        [
            ({"params": 2e8}, "ab"),
            ({"tokens": 8e9}, "abc"),
            ({"flops": 6 * 2e8 * 4e9}, "ab"),
            ({"params": 4e8, "tokens": 2e9}, "a"),
        ],
    )
    def test_up_to_keeps_the_limit_itself(self, limits: dict[str, float], left: str) -> None:
        assert "".join(ladder().up_to(**limits).runs.index) == left

    def test_up_to_goes_by_measured_compute_where_there_is_one(self) -> None:
        measured = ladder(
            table().assign(flops=lambda f: f["run"].map({"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}))
        )
        assert "".join(measured.up_to(flops=2.0).runs.index) == "cd"

    def test_roles(self) -> None:
        made = ladder()
        assert made.with_role("fit").runs.index.tolist() == ["a", "b"]
        assert made.with_role("link", "target").runs.index.tolist() == ["c", "d"]
        (target,) = made.targets()
        assert (target.label, target.params, target.tokens, target.corpus, target.flops) == (
            "d",
            8e9,
            1e12,
            "web",
            None,
        )
        assert [t.label for t in made.targets("fit", "link")] == ["c", "a", "b"]

    @pytest.mark.parametrize(
        ("ask", "error", "words"),
        [
            (lambda one: one.where(corpora="web"), SettingError, "column 'corpora'"),
            (
                lambda one: one.where(corpus="Web"),
                DataError,
                "must be a corpus of the ladder; got none such; use web",
            ),
            (lambda one: one.where(task=["piqa", "mmlo"]), DataError, "task 'mmlo'"),
            (
                lambda one: one.where(corpus="code", role="fit"),
                DataError,
                "must leave at least one row",
            ),
            (lambda one: one.up_to(flops=1.0), DataError, "loosen the condition"),
            (lambda one: one.with_role("train"), SettingError, "fit, link, target, held_out"),
            (lambda one: one.with_role("held_out"), DataError, "must leave at least one row"),
        ],
    )
    def test_a_part_that_is_none(
        self, ask: Callable[[Ladder], Ladder], error: type[BayescaleError], words: str
    ) -> None:
        with pytest.raises(error) as caught:
            ask(ladder())
        assert_one_line(caught.value, words)

    def test_a_column_that_may_be_misspelled_is_warned_of(self) -> None:
        with pytest.warns(
            UserWarning,
            match="'Corpus' of the run table is left out: rename it if 'corpus' was meant",
        ):
            ladder(table().rename(columns={"corpus": "Corpus"}))
        with warnings.catch_warnings(action="error"):
            ladder(table().assign(notes="x", seeds=1).assign(seed=1))

    def test_defaults(self) -> None:
        made = ladder(table().drop(columns=["corpus", "role", "accuracy"]), None)
        assert (made.corpora, made.tasks, set(made.runs["role"])) == (["default"], [], {"fit"})
        assert made.loss_name_of == {"mmlu": "mmlu", "piqa": "piqa", "c4": "c4"}


class TestChanges:
    def test_with_role_of_changes_the_role_of_these_runs_only(self) -> None:
        before = ladder()
        after = before.with_role_of(["b", "d"], "held_out")
        assert after.runs["role"].to_dict() == {
            "a": "fit",
            "b": "held_out",
            "c": "link",
            "d": "held_out",
        }
        pd.testing.assert_frame_equal(
            after.frame.drop(columns="role"), before.frame.drop(columns="role")
        )
        assert before == ladder()

    @pytest.mark.parametrize(
        ("runs", "role", "error", "words"),
        [
            (["a", "z"], "fit", DataError, "run 'z': must be a run of the ladder"),
            (["a"], "train", SettingError, "role: must be one of fit, link, target, held_out"),
        ],
    )
    def test_with_role_of_takes_known_runs_and_roles(
        self, runs: list[str], role: str, error: type[BayescaleError], words: str
    ) -> None:
        with pytest.raises(error) as caught:
            ladder().with_role_of(runs, role)
        assert_one_line(caught.value, words)

    def test_without_flops_counts_6nd_for_all_runs(self) -> None:
        measured = ladder(table().assign(flops=1e18))
        assert not measured.without_flops().compute_is_measured
        assert measured.without_flops() == ladder()
        assert measured.compute_is_measured

    def test_with_rows_knows_the_losses_of_known_tasks(self) -> None:
        before = ladder()
        rows = before.where(run="b").frame.assign(run="e", role="link")
        after = before.with_rows(rows.drop(columns="loss_name"))
        pd.testing.assert_frame_equal(after.frame.iloc[:12], before.frame)
        assert after.loss_name_of == before.loss_name_of
        assert after.runs.loc["e", "role"] == "link"
        assert before == ladder()

    def test_with_rows_needs_no_corpus_where_there_is_one(self) -> None:
        before = ladder().where(corpus="web")
        rows = before.where(run="b").frame.assign(run="e")
        assert before.with_rows(rows.drop(columns="corpus")).corpora == ["web"]

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda rows: rows, "new runs: must have names that the ladder lacks; got 'b'"),
            (lambda rows: rows.drop(columns="task"), "column 'task' of the new runs"),
        ],
    )
    def test_with_rows_takes_new_runs_only(
        self, change: Callable[[pd.DataFrame], pd.DataFrame], words: str
    ) -> None:
        with pytest.raises(DataError) as caught:
            ladder().with_rows(change(ladder().where(run="b").frame))
        assert_one_line(caught.value, words)


class TestEquality:
    def test_same_figures_are_equal_and_hash_alike(self) -> None:
        assert ladder() == ladder()
        assert hash(ladder()) == hash(ladder())
        assert len({ladder(), ladder()}) == 1

    @pytest.mark.parametrize(
        "change",
        [
            put("loss", np.nextafter(1.1, 2)),
            put("accuracy", np.nan),
            put("loss_name", "mmlu bits", slice(None, None, 3)),
        ],
    )
    def test_the_last_digit_of_a_figure_tells(
        self, change: Callable[[pd.DataFrame], pd.DataFrame]
    ) -> None:
        other = ladder(change(table()))
        assert other.digest() != ladder().digest()
        assert other != ladder()

    def test_the_task_table_tells(self) -> None:
        assert ladder(tasks=TASKS.assign(chance=0.2)).digest() != ladder().digest()

    def test_settings_tell_but_are_not_in_the_digest(self) -> None:
        other = Ladder.from_frame(table(), tasks=TASKS, law="gadre")
        assert other.digest() == ladder().digest()
        assert other != ladder()

    def test_a_ladder_is_nothing_else(self) -> None:
        assert ladder() != "ladder"


class TestCompute:
    def test_measured_only_where_every_run_that_a_fit_sees_is(self) -> None:
        flops = {"a": 1e18, "b": 5e18, "c": 2e19, "d": 5e22}
        whole = ladder(table().assign(flops=lambda f: f["run"].map(flops)))
        assert whole.compute_is_measured
        assert whole.compute().to_dict() == flops
        for run, measured in (("a", False), ("c", False), ("d", True)):
            part = ladder(
                table().assign(flops=lambda f, run=run: f["run"].map({**flops, run: np.nan}))
            )
            assert part.compute_is_measured is measured
        assert not ladder().compute_is_measured
        assert ladder().compute().to_dict() == pytest.approx(
            {"a": 6 * 1e8 * 2e9, "b": 6 * 2e8 * 4e9, "c": 6 * 4e8 * 8e9, "d": 6 * 8e9 * 1e12}
        )

    def test_either_may_be_asked_for(self) -> None:
        whole = ladder(table().assign(flops=1e18))
        assert set(whole.compute(measured=True)) == {1e18}
        assert whole.compute(measured=False).to_dict() == pytest.approx(
            ladder().compute().to_dict()
        )
