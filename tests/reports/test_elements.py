"""Tables, figures and text of a report as HTML."""

import pandas as pd

from bayescale.reports.elements import table
from bayescale.reports.report import Report


def test_text_from_a_table_is_no_markup(written: Report) -> None:
    cells = table(
        "c", pd.DataFrame({"a_b": ["<b>"], "x": [12345.6], "y": [float("nan")], "z": [True]})
    )
    assert cells.columns == ("a b", "x", "y", "z")
    assert [c.text for c in cells.rows[0]] == ["<b>", "12,346", "", "yes"]
    assert "<b>" not in written.html
