"""Evidence on offer, and what a wrong candidate is told."""

from typing import Any

import pytest

from bayescale.data.target import Target
from bayescale.decisions.candidate import Candidate
from bayescale.errors import SettingError


class TestEvidence:
    @pytest.mark.parametrize(
        "build",
        [
            lambda: Candidate(),
            lambda: Candidate(items=0.5),
            lambda: Candidate(items=2, cost=-1.0),
            lambda: Candidate([Target(1e9, 1e11, shift=0.1)]),
        ],
    )
    def test_candidates_that_are_none(self, build: Any) -> None:
        with pytest.raises(SettingError, match="candidate"):
            build()
