"""The command `report`: the page of the worked example."""

import json
from pathlib import Path

import pytest

from bayescale.fits.record import Fit
from bayescale.reports.report import Report
from helpers.command import run_here

# A value of one's own: the worked example has candidates, which take long to value.
ASKED = ["--worth", "3e6", "--threshold", "0.7"]


class TestReport:
    @pytest.mark.slow
    def test_a_report_of_the_worked_example_is_written_whole_and_says_what_is_missing(
        self, default_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bayescale.cli.options.fit", lambda *_, **__: default_fit)
        monkeypatch.setattr(Fit, "status", "pass")
        outcome = run_here("report", "--output", tmp_path / "r.html", "--json")
        answer = json.loads(outcome.out)
        assert outcome.status == 0
        assert answer["bytes"] == (tmp_path / "r.html").stat().st_size
        assert list(answer["missing"]) == ["How such forecasts have held"]
        bad = run_here("report", "--output", tmp_path / "nowhere" / "r.html")
        assert (bad.status, bad.out) == (2, "")
        assert "in a folder that exists" in bad.err

    def test_the_backtest_is_at_the_cuts_asked_for(
        self, default_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[object] = []
        monkeypatch.setattr("bayescale.cli.options.fit", lambda *_, **__: default_fit)
        monkeypatch.setattr(Fit, "status", "pass")
        monkeypatch.setattr("bayescale.cli.report.make_report", lambda *_, **__: Report("", ()))
        monkeypatch.setattr(
            "bayescale.cli.report.make_backtest", lambda _, **names: asked.append(names["cuts"])
        )
        words = ["report", "--output", tmp_path / "r.html", *ASKED, "--cuts", "1e20,3e20"]
        assert run_here(*words, "--backtest").status == 0
        assert asked == [[1e20, 3e20]]
        alone = run_here(*words)
        assert (alone.status, alone.err.count("\n")) == (2, 1)
        assert "goes with --backtest" in alone.err

    def test_failed_checks_exit_with_1(
        self, default_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bayescale.cli.options.fit", lambda *_, **__: default_fit)
        monkeypatch.setattr(Fit, "status", "fail")
        monkeypatch.setattr("bayescale.cli.report.make_report", lambda *_, **__: Report("", ()))
        outcome = run_here("report", "--output", tmp_path / "r.html", *ASKED, "--json")
        assert (outcome.status, json.loads(outcome.out)["status"]) == (1, "fail")
