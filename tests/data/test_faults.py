"""Faults of a table are told together, each with its rows and runs."""

import numpy as np
import pandas as pd
import pytest

from bayescale.data.faults import raise_all, validate
from bayescale.data.schema import RUNS
from bayescale.errors import DataError
from helpers.tables import assert_one_line, ladder, put, table


def test_one_fault_is_raised_as_it_is_and_none_raises_nothing() -> None:
    fault = DataError("column 'x'", rule="must be there", got="none", way_out="add it")
    raise_all([], "run table")
    with pytest.raises(DataError) as caught:
        raise_all([fault], "run table")
    assert caught.value is fault


def test_several_faults_of_one_table_are_one_message() -> None:
    frame = put("params", -1.0)(put("loss", np.nan)(table()))
    with pytest.raises(DataError) as caught:
        ladder(put("tokens", "many", row=0)(frame))
    assert_one_line(
        caught.value, "3 faults of the run table", "'tokens', row 1", "'params'", "'loss'"
    )


def test_the_rows_and_runs_of_a_fault_are_named() -> None:
    frame = put("loss", np.nan, row=0)(put("loss", np.nan, row=3)(table()))
    with pytest.raises(DataError) as caught:
        ladder(frame)
    assert_one_line(caught.value, "rows 1, 4 (runs 'a', 'b')", "fix the rows or drop them")


def test_a_sound_frame_has_no_faults() -> None:
    rows = ladder().frame
    validated, faults = validate(RUNS, rows, "run table")
    assert faults == []
    assert validated.equals(rows)


def test_a_centred_score_is_told_what_it_is() -> None:
    with pytest.raises(DataError, match="centred"):
        ladder(pd.DataFrame(put("accuracy", -0.066)(table())))
