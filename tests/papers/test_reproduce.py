"""reproduce: analyses that need the checkpoint files say so, and bad settings are errors."""

from __future__ import annotations

import pytest

from bayescale.errors import FileError, SettingError
from bayescale.papers.reproduce import PAPERS, reproduce


class TestAsking:
    def test_what_needs_checkpoints_is_left_out_with_a_line(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(
            PAPERS,
            "bhagia2024",
            {name: PAPERS["bhagia2024"][name] for name in ("step1", "chained")},
        )
        reproduction = reproduce("bhagia2024")
        assert [analysis.name for analysis in reproduction.analyses] == ["step1"]
        assert "allenai/OLMo-ladder" in reproduction.left_out["chained"]

    def test_asked_for_by_name_it_is_an_error(self) -> None:
        with pytest.raises(FileError, match=r"'chained': needs every checkpoint .*--data"):
            reproduce("bhagia2024", analysis="chained")

    @pytest.mark.parametrize(
        ("paper", "settings", "message"),
        [
            ("kaplan2020", {}, "paper: must be one of gadre2024, bhagia2024"),
            ("gadre2024", {"analysis": "step1"}, "analysis: must be one of coefficients"),
            ("gadre2024", {"analysis": "starts", "starts": 1}, "starts: must be 2 or more"),
        ],
    )
    def test_bad_settings(self, paper: str, settings: dict, message: str) -> None:
        with pytest.raises(SettingError, match=message):
            reproduce(paper, **settings)
