"""The command `report`: the page of the worked example."""

import json
from pathlib import Path

import pytest

from bayescale.fits.record import Fit
from helpers.command import run_here


class TestReport:
    def test_a_report_of_the_worked_example_is_written_whole_and_says_what_is_missing(
        self, default_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bayescale.cli.options.fit", lambda *_, **__: default_fit)
        assert run_here("report", "--output", tmp_path / "r.html", "--json").status == (
            1 if default_fit.status == "fail" else 0
        )
        monkeypatch.setattr(Fit, "status", "pass")
        outcome = run_here("report", "--output", tmp_path / "r.html", "--json")
        answer = json.loads(outcome.out)
        assert outcome.status == 0
        assert answer["bytes"] == (tmp_path / "r.html").stat().st_size
        assert list(answer["missing"]) == ["How such forecasts have held"]
        bad = run_here("report", "--output", tmp_path / "nowhere" / "r.html")
        assert (bad.status, bad.out) == (2, "")
        assert "in a folder that exists" in bad.err
