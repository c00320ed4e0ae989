"""From a table of runs to rectangles: one row for each series, short rows filled up."""

import numpy as np
import pandas as pd
import pytest

from bayescale.errors import DataError
from bayescale.models.rectangles import (
    deviation_from_last,
    end_of_group,
    rectangle,
    side_by_side,
    split_into_series,
)

ROWS = pd.DataFrame(
    [
        (corpus, name, f"{corpus}-{i}", float(10 * k + i))
        for k, (corpus, name, runs) in enumerate(
            [("web", "c4", 4), ("web", "quiz", 3), ("code", "c4", 5)]
        )
        for i in range(runs)
    ],
    columns=["corpus", "loss_name", "run", "loss"],
)


class TestSeries:
    def test_series_stand_in_the_order_of_the_table(self) -> None:
        groups, tables = split_into_series(ROWS, "loss_name", lambda name: f"kind of {name}")
        assert groups.pairs == [("web", "c4"), ("web", "quiz"), ("code", "c4")]
        assert [len(table) for table in tables] == [4, 3, 5]
        assert groups.kinds == ("kind of c4", "kind of quiz")
        assert groups.kind == (0, 1, 0)
        assert groups.name_of_names == "loss_name"
        for (corpus, name), table in zip(groups.pairs, tables, strict=True):
            assert set(table["corpus"]) == {corpus}
            assert set(table["loss_name"]) == {name}

    def test_a_series_has_three_runs_whatever_its_checkpoints(self) -> None:
        few = ROWS[ROWS["run"].isin(["web-0", "web-1"])]
        with pytest.raises(DataError, match="at least 3 fitted runs; got 2") as caught:
            split_into_series(pd.concat([few, few]), "loss_name", str)
        assert caught.value.what.startswith("2 series of 2: loss name 'c4' on corpus 'web', ")
        only = few[few["loss_name"] == "c4"]
        with pytest.raises(DataError) as caught:
            split_into_series(only, "loss_name", str)
        assert caught.value.what == "loss name 'c4' on corpus 'web'"


class TestGroups:
    def test_rows_with_one_label_come_together_and_know_their_first(self) -> None:
        table = pd.DataFrame({"loss": [0.0, 1.0, 2.0, 3.0, 4.0]})
        (found,), first = side_by_side([table], [np.array(["a", "b", "a", "c", "b"])])
        assert first is not None
        assert list(found["loss"]) == [0.0, 2.0, 1.0, 4.0, 3.0]
        assert first.tolist() == [[0, 0, 2, 2, 4]]

    def test_cells_that_fill_up_a_row_stand_alone(self) -> None:
        tables = [pd.DataFrame({"loss": np.arange(float(n))}) for n in (2, 4)]
        _, first = side_by_side(tables, [np.array(["a", "a"]), np.array(["a", "b", "c", "c"])])
        assert first is not None
        assert first.tolist() == [[0, 0, 2, 3], [0, 1, 2, 2]]

    def test_without_repeats_nothing_moves(self) -> None:
        table = pd.DataFrame({"loss": [2.0, 1.0]})
        tables, first = side_by_side([table], [np.array(["b", "a"])])
        assert first is None
        assert tables[0] is table


class TestDeviation:
    def test_it_is_measured_from_the_last_cell_of_each_group(self) -> None:
        z = np.array([[3.0, 2.0, 1.0, 5.0, 4.5]])
        first = np.array([[0, 0, 0, 3, 3]])
        found = deviation_from_last(z, np.ones((1, 5), bool), first)
        np.testing.assert_allclose(found, [[2.0, 1.0, 0.0, 0.5, 0.0]])

    def test_the_cells_of_a_group_err_where_it_ends(self) -> None:
        x = np.arange(8.0).reshape(1, 4, 2)
        seen = np.array([[True, True, True, False]])
        first = np.array([[0, 0, 2, 3]])
        ends = end_of_group(x, seen, first)
        np.testing.assert_array_equal(ends[0, :3], x[0, [1, 1, 2]])
        np.testing.assert_array_equal(end_of_group(x, seen, None), x)

    def test_cells_that_are_not_seen_count_for_nothing(self) -> None:
        z = np.array([[3.0, 2.0, 99.0]])
        seen = np.array([[True, True, False]])
        found = deviation_from_last(z, seen, np.array([[0, 0, 0]]))
        np.testing.assert_allclose(found, [[1.0, 0.0, 0.0]])


class TestRectangle:
    def test_short_rows_repeat_their_own_first_value(self) -> None:
        _, tables = split_into_series(ROWS, "loss_name", str)
        found = rectangle(tables, "loss")
        assert found.shape == (3, 5)
        np.testing.assert_allclose(found[1], [10.0, 11.0, 12.0, 10.0, 10.0])
        np.testing.assert_allclose(found[2], [20.0, 21.0, 22.0, 23.0, 24.0])

    def test_short_rows_may_be_filled_with_a_text_or_a_number(self) -> None:
        _, tables = split_into_series(ROWS, "loss_name", str)
        runs = rectangle(tables, "run", "")
        assert runs[1].tolist() == ["web-0", "web-1", "web-2", "", ""]
        assert np.isnan(rectangle(tables, "loss", float("nan"))[1, 3:]).all()
