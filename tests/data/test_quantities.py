"""Cells as numbers: sizes with a suffix, and what is told of a cell that is no number."""

import datetime

import numpy as np
import pandas as pd
import pytest

from bayescale.data.quantities import sizes, suffixed, to_floats, without_decimal_commas
from bayescale.errors import DataError


@pytest.mark.parametrize(
    ("text", "size"),
    [("1.3B", 1.3e9), ("370m", 370e6), (" 4 T ", 4e12), ("1e3K", 1e6), ("2G", 2e9), (".5P", 5e14)],
)
def test_a_suffix_multiplies(text: str, size: float) -> None:
    assert suffixed(text) == pytest.approx(size, rel=1e-15)


@pytest.mark.parametrize("text", ["1.3", "B", "1.3 Billion", "1,3B", "-1B", "", 3.0, None])
def test_any_other_cell_has_no_suffix(text: object) -> None:
    assert np.isnan(suffixed(text))


def test_floats_are_read_to_the_last_digit_and_words_for_nothing_are_empty() -> None:
    column = pd.Series(["0.1", " 2e9 ", 3, np.float32(0.5), "NaN", "n/a", "", None, pd.NA])
    numbers = to_floats(column, "column 'x'")
    assert numbers[:4].tolist() == [0.1, 2e9, 3.0, 0.5]
    assert numbers[4:].isna().all()


@pytest.mark.parametrize(
    ("cell", "got", "way_out"),
    [
        ("111M", "'111M'", "write 111000000"),
        ("27 %", "'27 %'", "0.27"),
        ("1,316", "'1,316'", "write 1316"),
        ("low", "'low'", "fix the cell"),
        (True, "True", "fix the cell"),
        (np.bool_(True), "True", "fix the cell"),
        (datetime.date(2024, 1, 1), "datetime.date", "fix the cell"),
        (1 + 2j, "(1+2j)", "fix the cell"),
        (10**400, "1000", "fix the cell"),
        (["1"], "['1']", "fix the cell"),
        ("x" * 500, "xxx...", "fix the cell"),
    ],
)
def test_a_cell_that_is_no_number_is_told_with_a_way_out(
    cell: object, got: str, way_out: str
) -> None:
    with pytest.raises(DataError) as caught:
        to_floats(pd.Series([1.0, cell, cell], dtype=object), "column 'loss'")
    assert caught.value.what == "column 'loss', row 2"
    assert got in caught.value.got
    assert "1 more rows" in caught.value.got
    assert way_out in caught.value.way_out
    assert len(str(caught.value)) < 300


def test_sizes_take_suffixes_and_groups_of_digits_beside_numbers() -> None:
    numbers, had_suffix = sizes(pd.Series(["1.3B", "1,316,000,000", 2e9, None]), "column 'N'")
    assert numbers[:3].tolist() == [1.3e9, 1316e6, 2e9]
    assert np.isnan(numbers[3])
    assert had_suffix
    assert not sizes(pd.Series([1e9, "2e9"]), "column 'N'")[1]
    with pytest.raises(DataError, match="or a size such as"):
        sizes(pd.Series(["large"]), "column 'N'")


def test_decimal_commas_are_points_and_groups_are_left() -> None:
    column = without_decimal_commas(pd.Series(["2,566", "-1,5e3", "a,b", 3]))
    assert column.tolist() == ["2.566", "-1.5e3", "a,b", 3]
