"""Values of files of results: the right kind comes back, any other is named."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bayescale.data.readers.fields import (
    as_number,
    as_numbers,
    number_columns,
    pick_list,
    pick_mapping,
    pick_number,
    pick_text,
    record_of,
)
from bayescale.data.readers.parse import read_json
from bayescale.errors import FileError
from helpers.tables import assert_one_line, write

PATH = Path("results.json")
RECORD = {"a": {"number": 2, "text": "x", "list": [1], "big": 10**400, "yes": True}}


@pytest.mark.parametrize(
    ("value", "number"),
    [(2, 2.0), (0.5, 0.5), (-1, -1.0), (0, 0.0), (1e308, 1e308), (np.int64(3), 3.0)],
)
def test_a_finite_number_is_a_number(value: object, number: float) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize(
    "value", [None, True, False, "1", "N/A", 10**400, math.nan, math.inf, [1], 1j, np.bool_(True)]
)
def test_everything_else_is_nan(value: object) -> None:
    assert math.isnan(as_number(value))


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        ([1, 2], [1.0, 2.0]),
        (["1", "2e3", "x", None], [1.0, 2000.0, math.nan, math.nan]),
        ([True, False], [math.nan, math.nan]),
        ([10**400, "1", [0], 2], [math.nan, 1.0, math.nan, 2.0]),
        (["1" * 400, "inf", "NaN"], [math.nan, math.nan, math.nan]),
        ([], []),
    ],
)
def test_a_column_has_numbers_where_cells_are(cells: list[Any], numbers: list[float]) -> None:
    column = as_numbers(pd.Series(cells, index=range(5, 5 + len(cells))))
    np.testing.assert_array_equal(column, numbers)
    assert column.dtype == float
    assert list(column.index) == list(range(5, 5 + len(cells)))


def test_the_right_kind_comes_back() -> None:
    assert pick_number(RECORD, "a", "number", path=PATH) == 2.0
    assert pick_number(RECORD, "a", "list", 0, path=PATH) == 1.0
    assert pick_text(RECORD, "a", "text", path=PATH) == "x"
    assert pick_list(RECORD, "a", "list", path=PATH) == [1]
    assert pick_mapping(RECORD, "a", path=PATH) == RECORD["a"]


@pytest.mark.parametrize(
    ("take", "field", "kind"),
    [
        (pick_number, "text", "a finite number"),
        (pick_number, "yes", "a finite number"),
        (pick_number, "big", "a finite number"),
        (pick_text, "number", "a text"),
        (pick_list, "text", "a list"),
        (pick_mapping, "list", "an object"),
    ],
)
def test_another_kind_is_named(take: Callable[..., Any], field: str, kind: str) -> None:
    with pytest.raises(FileError) as caught:
        take(RECORD, "a", field, path=PATH)
    assert_one_line(caught.value, "results.json", kind, f"'a.{field}'")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("take", [pick_number, pick_text, pick_list, pick_mapping])
def test_a_missing_field_is_named(take: Callable[..., Any]) -> None:
    with pytest.raises(FileError) as caught:
        take(RECORD, "a", "absent", path=PATH)
    assert_one_line(caught.value, "must have a field 'a.absent'")


def test_columns_are_floats_and_an_empty_cell_is_nan() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": [0.5, None], "c": ["x", "y"]})
    numbers = number_columns(table, ["b", "a", "b"], PATH)
    assert list(numbers) == ["b", "a"]
    np.testing.assert_array_equal(numbers, [[0.5, 1], [np.nan, 2]])
    assert set(numbers.dtypes) == {np.dtype(float)}


@pytest.mark.parametrize(
    "cells", [[1, "two"], [1, math.inf], [False, True], [1, 10**400], ["1", "x"]]
)
def test_a_cell_that_is_no_number_is_named(cells: list[object]) -> None:
    with pytest.raises(FileError) as caught:
        number_columns(pd.DataFrame({"a": cells}), ["a"], PATH)
    assert_one_line(caught.value, "column 'a', row", "must be a finite number")


def test_numbers_written_as_text_are_read() -> None:
    numbers = number_columns(pd.DataFrame({"a": ["1", "2e3", None]}), ["a"], PATH)
    np.testing.assert_array_equal(numbers["a"], [1, 2000, np.nan])


def test_a_missing_column_is_named() -> None:
    with pytest.raises(FileError) as caught:
        number_columns(pd.DataFrame({"a": [1]}), ["b"], PATH)
    assert_one_line(caught.value, "must have a column 'b'; got 1 others")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 200_000 + "]" * 200_000, "too deep"),
        ('{"a": ' + "1" * 5000 + "}", "thousands of digits"),
        (r'{"\ud800": 1}', "half of a surrogate pair"),
        ("{", "must be JSON"),
    ],
)
def test_json_that_no_table_can_hold_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FileError) as caught:
        read_json(write(tmp_path, text, "a.json"))
    assert_one_line(caught.value, "a.json", words)


def test_a_record_is_read(tmp_path: Path) -> None:
    assert read_json(write(tmp_path, '{"a\\n": [1, NaN]}', "a.json")).keys() == {"a\n"}


def test_a_record_is_a_whole_file_of_one_object(tmp_path: Path) -> None:
    assert record_of(write(tmp_path, ' {"results": {}}')) == {"results": {}}
    for text in ('{"a": 1}\n{"a": 2}', "[1]", "run,params\n", "{broken"):
        assert record_of(write(tmp_path, text)) is None
    assert record_of(tmp_path) is None
    assert record_of(tmp_path / "absent") is None
