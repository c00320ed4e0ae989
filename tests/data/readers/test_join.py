"""Other files about the same runs are joined by name, and what has no partner is told."""

from pathlib import Path

import pandas as pd
import pytest

from bayescale.data.readers.join import add_columns, add_scores, items_of, read_others
from bayescale.errors import DataError
from helpers.tables import write

ROWS = pd.DataFrame(
    {"run": ["a", "b"], "task": "c4", "loss": [3.0, 2.8], "loss_unit": "nats/token"}
)


def scores(**columns: object) -> pd.DataFrame:
    known = {"run": ["a", "B"], "task": "piqa", "accuracy": [0.6, 0.7], "items": 1838.0}
    return pd.DataFrame({**known, **columns})


def test_a_score_goes_with_the_first_loss_and_capitals_do_not_matter() -> None:
    rows, notes = add_scores(ROWS, scores())
    scored = rows[rows["task"] == "piqa"]
    assert scored["run"].tolist() == ["a", "b"]
    assert scored["accuracy"].tolist() == [0.6, 0.7]
    assert scored["loss_name"].tolist() == ["c4", "c4"]
    assert scored["loss"].tolist() == [3.0, 2.8]
    assert len(rows) == 4
    assert notes == []


def test_a_score_goes_with_the_loss_of_its_task_where_there_is_one() -> None:
    own = ROWS.assign(task="piqa", loss=[1.2, 1.1])
    rows, _ = add_scores(pd.concat([ROWS, own]), scores())
    scored = rows[rows["task"] == "piqa"]
    assert scored["loss"].tolist() == [1.2, 1.1]
    assert scored["loss_name"].tolist() == ["piqa", "piqa"]


def test_runs_without_a_partner_are_told_or_refused() -> None:
    _, notes = add_scores(ROWS, scores(run=["a", "z"]))
    assert notes == [
        "scores of runs that the table lacks, left out: z; runs of the table without scores: b"
    ]
    with pytest.raises(DataError, match="got y, z; the table has a, b"):
        add_scores(ROWS, scores(run=["y", "z"]))


def test_a_score_that_both_have_is_an_error() -> None:
    rows, _ = add_scores(ROWS, scores())
    with pytest.raises(DataError, match="one place"):
        add_scores(rows, scores())


def test_items_count_where_all_runs_agree() -> None:
    assert items_of(scores()) == {"piqa": 1838.0}
    assert items_of(scores(items=[1838.0, 100.0])) == {}
    assert items_of(scores(items=float("nan"))) == {}


def test_columns_of_other_tables_are_added_and_the_own_ones_stay(tmp_path: Path) -> None:
    path = write(tmp_path, "run,loss,params\na,9,1\nz,9,1\n", "more.csv")
    table = pd.DataFrame({"Name": ["a", "b"], "params": [1e8, 2e8]})
    joined = add_columns(table, "Name", read_others([path], None).columns)
    assert joined["params"].tolist() == [1e8, 2e8]
    assert joined["loss"].tolist()[0] == "9"
    assert pd.isna(joined["loss"][1])


@pytest.mark.parametrize("text", ["name,loss\na,9\n", "run,loss\na,9\na,8\n"])
def test_a_table_to_join_has_one_row_per_run(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="one row for each run"):
        read_others([write(tmp_path, text, "more.csv")], None)


def test_nothing_to_join_is_nothing() -> None:
    columns, table, notes = read_others([], None)
    assert columns.empty
    assert table.empty
    assert notes == []
