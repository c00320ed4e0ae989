"""Rules that a whole table keeps: units of sizes, compute, and values that must agree."""

import pytest

from bayescale.data.table_rules import table_faults
from bayescale.errors import DataError
from helpers.tables import assert_one_line, ladder, table


def test_a_sound_table_has_no_faults() -> None:
    assert table_faults(ladder().frame) == []


@pytest.mark.parametrize(("column", "unit"), [("params", 1e9), ("tokens", 1e9), ("params", 1e6)])
def test_sizes_in_billions_are_refused_with_the_fix(column: str, unit: float) -> None:
    frame = table()
    frame[column] /= unit
    with pytest.raises(DataError) as caught:
        ladder(frame)
    assert_one_line(
        caught.value, f"column {column!r}", "billions or millions", f"{column}=COLUMN*1e9"
    )


def test_small_sizes_beside_a_large_one_are_sizes() -> None:
    frame = table()
    frame.loc[frame["run"] == "a", "params"] = 12.0
    assert len(ladder(frame).runs) == 4


def test_compute_must_be_finite() -> None:
    frame = table().assign(params=1e200, tokens=1e200)
    with pytest.raises(DataError) as caught:
        ladder(frame)
    assert_one_line(caught.value, "finite training compute", "check their units")


def test_names_that_differ_by_blanks_are_one_run() -> None:
    frame = table()
    frame.loc[0, "run"] = "a "
    assert list(ladder(frame).runs.index) == ["a", "b", "c", "d"]
