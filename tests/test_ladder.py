"""Ladder and Target: what a bad table is told, that a ladder never changes, and which compute it
uses.
"""

import dataclasses
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from bayescale.checks import worst
from bayescale.data.ladder import Ladder
from bayescale.data.target import Conventions, Target
from bayescale.errors import BayescaleError, DataError, SettingError

TASKS = pd.DataFrame({"task": ["mmlu", "piqa"], "chance": [0.25, 0.5], "items": [14042, 1838]})


def table() -> pd.DataFrame:
    """Four runs on two corpora, two tasks each and a declared series without accuracies."""
    runs = [
        ("a", 1e8, 2e9, "web", "fit"),
        ("b", 2e8, 4e9, "web", "fit"),
        ("c", 4e8, 8e9, "code", "link"),
        ("d", 8e9, 1e12, "web", "target"),
    ]
    rows = []
    for i, (run, params, tokens, corpus, role) in enumerate(runs):
        common = {"run": run, "params": params, "tokens": tokens, "corpus": corpus, "role": role}
        rows += [
            {**common, "task": t, "loss": 1.2 - 0.1 * i + 0.3 * j, "accuracy": 0.5 + 0.05 * i}
            for j, t in enumerate(TASKS["task"])
        ]
        rows.append({**common, "task": "c4", "loss": 3.0 - 0.2 * i, "accuracy": np.nan})
    return pd.DataFrame(rows)


def ladder(frame: pd.DataFrame | None = None, tasks: pd.DataFrame | None = TASKS) -> Ladder:
    return Ladder.from_frame(table() if frame is None else frame, tasks=tasks)


def put(column: str, value: object, row: int = 3) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The table with one cell changed."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype(object)
        frame.loc[row, column] = value
        return frame

    return change


def assert_one_line(error: BayescaleError, *words: str) -> None:
    text = str(error)
    assert "\n" not in text
    assert text.count("; ") >= 2, "what: rule; got; way out"
    for word in words:
        assert word in text


class TestBadTables:
    @pytest.mark.parametrize("column", ["run", "params", "tokens", "task", "loss"])
    def test_missing_column(self, column: str) -> None:
        with pytest.raises(DataError) as caught:
            ladder(table().drop(columns=column))
        assert_one_line(
            caught.value, f"column {column!r}", "must be there", "add or rename the column"
        )

    @pytest.mark.parametrize("column", ["params", "tokens", "loss", "accuracy", "flops", "step"])
    def test_column_of_strings(self, column: str) -> None:
        with pytest.raises(DataError) as caught:
            ladder(table().assign(**{column: "7B"}))
        assert_one_line(caught.value, f"column {column!r}, row 1", "must be a number", "'7B'")

    @pytest.mark.parametrize("column", ["loss", "params", "tokens"])
    @pytest.mark.parametrize("value", [-1.0, 0.0, np.inf, -np.inf])
    def test_sizes_and_losses_are_positive_and_finite(self, column: str, value: float) -> None:
        with pytest.raises(DataError) as caught:
            ladder(put(column, value)(table()))
        assert_one_line(
            caught.value,
            f"column {column!r}",
            "row 4 (run 'b', task 'mmlu')",
            "must be a positive finite number",
            f"got {value}",
        )

    @pytest.mark.parametrize("column", ["loss", "params", "tokens"])
    @pytest.mark.parametrize("value", [np.nan, None])
    def test_sizes_and_losses_are_there(self, column: str, value: object) -> None:
        with pytest.raises(DataError) as caught:
            ladder(put(column, value)(table()))
        assert_one_line(
            caught.value,
            f"column {column!r}",
            "row 4 (run 'b', task 'mmlu')",
            "an empty cell",
            "mend the row or drop it",
        )

    @pytest.mark.parametrize("value", [-0.01, -30.0, np.inf])
    def test_accuracy_is_a_share(self, value: float) -> None:
        with pytest.raises(DataError) as caught:
            ladder(put("accuracy", value)(table()))
        assert_one_line(
            caught.value, "column 'accuracy'", "run 'b'", "share in [0, 1]", f"got {value}"
        )
        assert "divide" not in str(caught.value)

    @pytest.mark.parametrize("value", [1.5, 55.0, 100.0])
    def test_accuracy_in_percent_is_told_to_divide(self, value: float) -> None:
        with pytest.raises(DataError) as caught:
            ladder(put("accuracy", value)(table()))
        assert_one_line(
            caught.value,
            "column 'accuracy'",
            "not a percentage",
            f"got {value}",
            "divide the column by 100",
        )

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_accuracy_may_reach_its_bounds(self, value: float) -> None:
        assert value in ladder(put("accuracy", value)(table())).frame["accuracy"].to_numpy()

    def test_duplicate_run_and_task(self) -> None:
        frame = table()
        with pytest.raises(DataError) as caught:
            ladder(pd.concat([frame, frame.iloc[[4]]]))
        assert_one_line(
            caught.value, "duplicate row 13", "(run, task)", "run 'b', task 'piqa' twice"
        )

    def test_checkpoints_of_a_run_are_no_duplicates(self) -> None:
        frame = table()
        assert len(
            ladder(pd.concat([frame.assign(step=1), frame.assign(step=2)])).frame
        ) == 2 * len(frame)

    @pytest.mark.parametrize(
        "tasks",
        [None, TASKS.iloc[:1], TASKS.assign(chance=[0.25, np.nan]), TASKS.assign(items=[1, None])],
        ids=["no table", "no row", "chance", "items"],
    )
    def test_chance_or_items_missing(self, tasks: pd.DataFrame | None) -> None:
        with pytest.raises(DataError) as caught:
            ladder(tasks=tasks)
        assert_one_line(
            caught.value,
            "of task",
            "'mmlu'" if tasks is None else "'piqa'",
            "needs its chance",
            "columns task, chance, items",
        )

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("chance", 25.0),
            ("chance", 1.0),
            ("chance", -0.1),
            ("items", 0),
            ("items", np.inf),
            ("chance", "25%"),
        ],
    )
    def test_task_table_out_of_range(self, column: str, value: object) -> None:
        with pytest.raises(DataError) as caught:
            ladder(tasks=put(column, value, row=1)(TASKS))
        assert_one_line(caught.value, f"column {column!r}", "row 2", str(value))

    def test_task_given_twice_in_the_task_table(self) -> None:
        with pytest.raises(DataError) as caught:
            ladder(tasks=pd.concat([TASKS, TASKS]))
        assert_one_line(caught.value, "'task' of the task table", "twice")

    def test_a_table_is_a_data_frame(self) -> None:
        with pytest.raises(DataError) as caught:
            Ladder.from_frame([1, 2])  # type: ignore[arg-type]
        assert_one_line(caught.value, "the run table", "pandas DataFrame", "got list")

    def test_empty_table(self) -> None:
        with pytest.raises(DataError) as caught:
            ladder(table().iloc[:0])
        assert_one_line(caught.value, "must have at least one row", "empty table")

    @pytest.mark.parametrize(
        ("column", "value"), [("params", 3e8), ("tokens", 1.0), ("flops", 1e20), ("role", "target")]
    )
    def test_a_run_is_one_run(self, column: str, value: object) -> None:
        with pytest.raises(DataError) as caught:
            ladder(put(column, value)(table()))
        assert_one_line(
            caught.value, f"column {column!r} of run 'b'", "same in every row", "different names"
        )

    def test_a_run_has_one_corpus(self) -> None:
        with pytest.raises(DataError) as caught:
            ladder(put("corpus", "code")(table()))
        assert_one_line(caught.value, "column 'corpus' of run 'b'", "code, web")

    def test_tasks_of_one_loss_name_share_its_losses(self) -> None:
        with pytest.raises(DataError) as caught:
            ladder(table().assign(loss_name="c4"))
        assert_one_line(caught.value, "column 'loss' of run 'a'", "same in every row")

    @pytest.mark.parametrize(
        ("column", "value", "words"),
        [
            ("role", "train", "fit, link, target, held_out"),
            ("run", " ", "must not be empty"),
            ("task", None, "must not be empty"),
        ],
    )
    def test_names_and_roles(self, column: str, value: object, words: str) -> None:
        with pytest.raises(DataError) as caught:
            ladder(put(column, value)(table()))
        assert_one_line(caught.value, f"column {column!r}", "row 4", words)


class TestBelowChance:
    @pytest.mark.parametrize(("sd_below", "warned"), [(4.9, False), (5.1, True), (60.0, True)])
    def test_warns_where_guessing_would_not_scatter_that_far(
        self, sd_below: float, warned: bool
    ) -> None:
        accuracy = 0.25 - sd_below * np.sqrt(0.25 * 0.75 / 14042)
        found = ladder(put("accuracy", accuracy)(table())).checks()
        assert worst(found) == ("warn" if warned else "pass")
        assert [c.check for c in found] == (["accuracy above chance: mmlu, b"] if warned else [])
        for check in found:
            assert check.value == pytest.approx(-sd_below)
            assert "check the task's chance" in check.advice

    def test_zero_at_chance_zero_is_no_news(self) -> None:
        assert ladder(put("accuracy", 0.0)(table()), tasks=TASKS.assign(chance=0.0)).checks() == []


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
                "must be a corpus of the ladder; got none such; use some of web, code",
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


class TestTarget:
    @pytest.mark.parametrize("what", ["params", "tokens", "flops", "unique_tokens"])
    @pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "seven", "7e9", True, [7e9]])
    def test_sizes_are_positive_and_finite(self, what: str, value: object) -> None:
        with pytest.raises(DataError) as caught:
            Target(**{"params": 7e9, "tokens": 1e12, what: value})  # type: ignore[arg-type]
        assert_one_line(
            caught.value,
            f"{what} of the target",
            "must be a positive finite number",
            f"got {value!r}",
        )

    @pytest.mark.parametrize("what", ["params", "tokens"])
    def test_sizes_are_needed(self, what: str) -> None:
        with pytest.raises(DataError, match=f"{what} of the target"):
            Target(**{"params": 7e9, "tokens": 1e12, what: None})  # type: ignore[arg-type]

    def test_shift_may_be_zero_not_less(self) -> None:
        assert Target(7e9, 1e12, shift=0).shift == 0.0
        with pytest.raises(DataError, match="shift of the target"):
            Target(7e9, 1e12, shift=-0.01)

    def test_named_by_its_size_unless_named(self) -> None:
        assert Target(7e9, 1.5e12).label == "7e+09 params, 1.5e+12 tokens"
        assert Target(7e9, 1.5e12, name="7B").label == "7B"
        assert Target(7e9, 1.5e12) == Target(7_000_000_000, 1.5e12)

    def test_conventions_cannot_be_changed_later(self) -> None:
        units = {"c4": "nats/token"}
        conventions = Conventions(loss_units=units)
        units["c4"] = "bits/byte"
        assert conventions.loss_units == {"c4": "nats/token"}
        with pytest.raises(TypeError):
            conventions.loss_units["c4"] = "bits/byte"  # type: ignore[index]

    def test_compute_is_6nd(self) -> None:
        assert Target(7e9, 1e12).compute_6nd == 4.2e22


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
