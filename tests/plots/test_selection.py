"""What the figures choose from a record: a word, cases of a backtest, series and a unit."""

import pytest

from bayescale.errors import SettingError
from bayescale.models.pooling import Groups
from bayescale.plots.selection import backtest_cases, choose, rows_by_name, unit_of
from helpers.backtests import written_backtest


def test_none_chooses_the_first_word() -> None:
    assert choose("task", None, ["mmlu", "piqa"]) == "mmlu"
    assert choose("task", "piqa", ["mmlu", "piqa"]) == "piqa"


def test_an_unknown_word_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SettingError, match=r"task.*mmlu, piqa.*'pika'.*leave it out"):
        choose("task", "pika", ["mmlu", "piqa"])


def test_baselines_are_left_out() -> None:
    backtest = written_backtest("loss")
    backtest.cases.loc[0, "model"] = "largest run"
    quantity, cases = backtest_cases(backtest, None)
    assert quantity == "loss"
    assert len(cases) == len(backtest.cases) - 1


def test_rows_are_those_of_one_corpus() -> None:
    groups = Groups(
        corpora=("web", "books"),
        names=("mmlu", "piqa"),
        kinds=("task",),
        corpus=(0, 1, 1),
        name=(1, 0, 1),
        kind=(0, 0, 0),
        name_of_names="task",
    )
    assert rows_by_name(groups, "books") == {"mmlu": 1, "piqa": 2}


def test_a_missing_unit_is_stated_to_be_missing() -> None:
    assert unit_of({"c4": "nats/token"}, "c4") == "nats/token"
    assert unit_of({}, "c4") == "unit not stated"
