"""Candidates: the rules that the runs, the questions and the cost must keep."""

from collections.abc import Callable

import pytest

from bayescale.data.target import Target
from bayescale.decisions.candidate import Candidate
from bayescale.errors import SettingError


@pytest.mark.parametrize(
    "build",
    [
        lambda: Candidate(),
        lambda: Candidate(items=0.5),
        lambda: Candidate(items=2, cost=-1.0),
        lambda: Candidate([Target(1e9, 1e11, shift=0.1)]),
    ],
)
def test_bad_candidates_are_refused(build: Callable[[], Candidate]) -> None:
    with pytest.raises(SettingError, match="candidate"):
        build()


def test_a_candidate_without_a_name_is_named_by_its_runs() -> None:
    runs = [Target(1e9, 1e11, name="small"), Target(2e9, 1e11, name="larger")]
    assert Candidate(runs, items=4).label == "small + larger + 4 x the questions"
    assert Candidate(runs, name="both").label == "both"
