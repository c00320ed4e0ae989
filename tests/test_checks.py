"""Lists of checks: the gravest status, and the table."""

from typing import get_args

import pytest

from bayescale.checks import Check, Status, to_frame, worst


def check(status: Status) -> Check:
    return Check(f"a check that is {status}", status, 1.5, 1.0, "sample more")


@pytest.mark.parametrize(
    ("statuses", "gravest"),
    [
        ([], "pass"),
        (["pass"], "pass"),
        (["pass", "warn", "pass"], "warn"),
        (["warn", "fail", "pass"], "fail"),
        (["not run"], "fail"),
        (["warn", "not run"], "fail"),
    ],
)
def test_the_gravest_status_wins_and_an_unknown_result_is_a_failure(
    statuses: list[Status], gravest: Status
) -> None:
    assert worst(check(status) for status in statuses) == gravest


def test_no_list_as_a_whole_is_not_run() -> None:
    known = get_args(Status)
    assert "not run" not in {worst([check(one), check(other)]) for one in known for other in known}


def test_the_table_has_one_row_per_check_in_their_order() -> None:
    frame = to_frame([check("fail"), check("pass")])
    assert list(frame.columns) == ["check", "status", "value", "limit", "advice"]
    assert list(frame["status"]) == ["fail", "pass"]
    assert (frame["value"] == 1.5).all()
    assert list(to_frame([]).columns) == list(frame.columns)
