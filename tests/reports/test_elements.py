"""Tables, figures and text of a report as HTML."""

import base64

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from bayescale.reports.elements import picture, table


def test_text_from_a_table_is_no_markup() -> None:
    cells = table(
        "c", pd.DataFrame({"a_b": ["<b>"], "x": [12345.6], "y": [float("nan")], "z": [True]})
    )
    assert cells.columns == ("a b", "x", "y", "z")
    assert [c.text for c in cells.rows[0]] == ["<b>", "12,346", "", "yes"]


@pytest.mark.parametrize(
    ("value", "text", "is_text"),
    [
        (True, "yes", True),
        (np.False_, "no", True),
        (1234567, "1,234,567", False),
        (12345.6, "12,346", False),
        (0.0123456, "0.0123", False),
        (2.5e12, "2.5e+12", False),
        (float("nan"), "", False),
        (None, "", True),
        ("a <b>", "a <b>", True),
    ],
)
def test_a_cell_shows_its_value_to_three_digits(value: object, text: str, is_text: bool) -> None:
    frame = pd.DataFrame({"x": pd.Series([value], dtype=object)})
    (cell,) = table("c", frame).rows[0]
    assert (cell.text, cell.is_text) == (text, is_text)


def test_columns_know_whether_they_hold_text() -> None:
    frame = pd.DataFrame({"task": ["piqa"], "accuracy": [0.5]})
    assert table("c", frame).text_columns == (True, False)
    assert table("c", frame.iloc[:0]).text_columns == (False, False)


def test_a_picture_is_a_whole_png_and_its_figure_is_closed() -> None:
    before = plt.get_fignums()
    _, ax = plt.subplots()
    found = picture(ax, "an empty figure")
    assert base64.b64decode(found.png).startswith(b"\x89PNG")
    assert found.alternative == "an empty figure"
    assert plt.get_fignums() == before


def test_a_long_table_says_how_many_rows_it_shows() -> None:
    frame = pd.DataFrame({"x": range(5)})
    short = table("Runs", frame, most=2)
    assert (short.caption, len(short.rows)) == ("Runs (the first 2 of 5 rows)", 2)
    assert table("Runs", frame, most=5).caption == "Runs"
