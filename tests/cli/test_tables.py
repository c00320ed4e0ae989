"""Tables of the command line: what a spreadsheet does with the names in a CSV file."""

import io

import pandas as pd
import pytest

from bayescale.cli.tables import for_spreadsheets

NAMES = ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "'quoted", "piqa", "1-2", "", "é=1"]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_a_formula_and_every_name_reads_back(name: str) -> None:
    frame = pd.DataFrame({"target": [name, "7B"], "mean": [-1.5, 0.25], "via": [None, name]})
    text = for_spreadsheets(frame).to_csv(index=False)
    read = pd.read_csv(io.StringIO(text), keep_default_na=False)
    assert not read["target"].str.startswith(("=", "+", "-", "@", "\t")).any()
    assert read["target"].str.removeprefix("'").tolist() == frame["target"].tolist()
    assert read["mean"].tolist() == [-1.5, 0.25], "numbers stay numbers"
