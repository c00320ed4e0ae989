"""Tables of the command line: on a narrow page, and in a spreadsheet."""

import io

import pandas as pd
import pytest
from rich.console import Console

from bayescale.cli.tables import for_spreadsheets, print_frame

NAMES = ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "'quoted", "piqa", "1-2", "", "é=1"]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_a_formula_and_every_name_reads_back(name: str) -> None:
    frame = pd.DataFrame({"target": [name, "7B"], "mean": [-1.5, 0.25], "via": [None, name]})
    text = for_spreadsheets(frame).to_csv(index=False)
    read = pd.read_csv(io.StringIO(text), keep_default_na=False)
    assert not read["target"].str.startswith(("=", "+", "-", "@", "\t")).any()
    assert read["target"].str.removeprefix("'").tolist() == frame["target"].tolist()
    assert read["mean"].tolist() == [-1.5, 0.25], "numbers stay numbers"


def printed(frame: pd.DataFrame, width: int) -> str:
    out = io.StringIO()
    print_frame(Console(file=out, width=width), frame)
    return out.getvalue()


def test_a_frame_too_wide_for_the_page_is_printed_on_its_side() -> None:
    frame = pd.DataFrame({f"figure_{i}": [float(i), 12345.0 + i] for i in range(8)})
    narrow, wide = printed(frame, 60), printed(frame, 150)
    assert len(narrow.splitlines()) > len(wide.splitlines())
    assert "…" not in narrow
    for i in range(1, 8):
        (row,) = [line for line in narrow.splitlines() if f"figure_{i}" in line]
        name, *cells = (cell.strip() for cell in row.strip("│").split("│"))
        assert (name, float(cells[0]), cells[1][:4]) == (f"figure_{i}", i, "12,3")


def test_a_frame_with_many_rows_stays_upright() -> None:
    frame = pd.DataFrame({"a name of many letters": range(5), "another such name": range(5)})
    assert printed(frame, 30).count("4") == 2
