"""Rows per (run, task) from wide and tidy tables."""

import numpy as np
import pandas as pd
import pytest

from bayescale.data.readers.columns import find_columns
from bayescale.data.readers.rows import tidy_rows
from bayescale.errors import DataError


def rows(table: dict[str, object], **given: str) -> pd.DataFrame:
    frame = pd.DataFrame(table)
    found = find_columns(frame.columns, {k.replace("__", ":"): v for k, v in given.items()})
    of_run = pd.DataFrame({name: frame[s.column] for name, s in found.of_run.items()})
    return tidy_rows(of_run, frame, found)


def test_an_accuracy_goes_with_its_own_loss_else_with_the_first_one() -> None:
    made = rows(
        {
            "run": ["a", "b"],
            "loss:c4": [3.0, 2.8],
            "loss:piqa": [1.2, 1.1],
            "accuracy:piqa": [0.6, 0.7],
            "accuracy:mmlu": [0.25, 0.3],
        }
    )
    pairs = dict(zip(made["task"], made["loss_name"], strict=True))
    assert pairs == {"piqa": "piqa", "mmlu": "c4", "c4": "c4"}
    assert made.loc[made["task"] == "mmlu", "loss"].tolist() == [3.0, 2.8]
    assert made.loc[made["task"] == "c4", "accuracy"].isna().all()


def test_a_cell_without_a_loss_is_no_row_but_a_run_without_any_loss_stays() -> None:
    made = rows({"run": ["a", "b"], "loss:c4": [3.0, np.nan], "loss:pile": [2.0, np.nan]})
    assert made[["run", "loss_name"]].to_numpy().tolist() == [
        *[["a", "c4"], ["b", "c4"], ["a", "pile"], ["b", "pile"]]
    ]
    partly = rows({"run": ["a", "b"], "loss:c4": [3.0, np.nan], "loss:pile": [2.0, 1.9]})
    assert len(partly) == 3


def test_the_kind_of_a_column_is_the_unit_of_its_rows() -> None:
    made = rows({"run": ["a"], "ppl": [20.0], "x": [60.0]}, perplexity__c4="ppl", percent__piqa="x")
    scored = made[made["task"] == "piqa"].iloc[0]
    assert (scored["loss_unit"], scored["metric"], scored["loss"]) == ("perplexity", "percent", 20)


def test_a_tidy_table_may_state_kinds_by_row() -> None:
    table = {"run": ["a", "a"], "task": ["piqa", "mmlu"], "loss": [1.0, 2.0], "accuracy": [40, 0.3]}
    made = rows({**table, "metric": ["percent", None], "loss_unit": ["bits/byte", "nats/token"]})
    assert made["metric"].tolist()[0] == "percent"
    assert pd.isna(made["metric"][1])
    assert made["loss_unit"].tolist() == ["bits/byte", "nats/token"]


def test_a_tidy_table_has_one_column_of_losses() -> None:
    with pytest.raises(DataError, match="in one column"):
        rows({"run": ["a"], "task": ["t"], "val_loss": [1.0], "c4_loss": [2.0]})


def test_an_accuracy_must_name_its_task() -> None:
    with pytest.raises(DataError, match="must name its task"):
        rows({"run": ["a"], "loss": [1.0], "accuracy": [0.5]})


def test_an_accuracy_without_any_loss_to_go_with_is_an_error() -> None:
    table = {"run": ["a"], "loss:piqa": [1.0], "accuracy:piqa": [0.5], "accuracy:mmlu": [0.5]}
    with pytest.raises(DataError, match="loss of task 'mmlu'"):
        rows(table)


def test_a_table_without_losses_has_no_column_of_losses() -> None:
    assert "loss" not in rows({"run": ["a"], "accuracy:piqa": [0.5]})
