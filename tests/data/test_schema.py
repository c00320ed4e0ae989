"""The rules of the two tables: what a bad table is told, and scores below chance."""

import numpy as np
import pandas as pd
import pytest

from bayescale.data.ladder import Ladder
from bayescale.errors import DataError
from helpers.tables import TASKS, assert_one_line, ladder, put, table


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
            "fix the row or drop it",
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
