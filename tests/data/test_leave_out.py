"""Runs left out by name or condition, and what the record says of them."""

import pytest

import bayescale as bs
from bayescale.data.leave_out import leave_out
from bayescale.errors import DataError, SettingError
from helpers.tables import ladder


@pytest.mark.parametrize(
    ("what", "left"),
    [
        ("b", "acd"),
        (["a", "d"], "bc"),
        ("params<2e8", "bcd"),
        ("params <= 200M", "cd"),
        ("corpus=code", "abd"),
        ("loss>2.9", "bcd"),
        (["role=target", "params<2e8"], "bc"),
    ],
)
def test_other_runs_stay(what: str | list[str], left: str) -> None:
    assert "".join(leave_out(ladder(), what).runs.index) == left


def test_the_record_says_which_runs_and_why() -> None:
    shorter = leave_out(leave_out(ladder(), "b", reason="it diverged"), "params<2e8")
    assert shorter.notes == ("left out by 'b': b: it diverged", "left out by 'params<2e8': a")
    assert shorter == ladder().where(run=["c", "d"]), "notes do not make another ladder"


@pytest.mark.parametrize("what", ["e", "size<3", "params<large", "corpus<web", "params<1e6<2"])
def test_what_names_no_run_and_no_condition_is_an_error(what: str) -> None:
    with pytest.raises(SettingError, match="leave_out"):
        leave_out(ladder(), what)


def test_at_least_one_run_stays() -> None:
    with pytest.raises(DataError, match="at least one run"):
        leave_out(ladder(), "params>0")


def test_a_condition_that_no_run_meets_is_on_record() -> None:
    assert leave_out(ladder(), "params<1").notes == ("left out by 'params<1': no run",)
    assert len(bs.load_dataset("ladder2024").notes) == 0
