"""The command `report`: the page of the worked example."""

import json
from pathlib import Path

import pytest

from bayescale.fits.record import Fit
from helpers.command import here


class TestDecide:
    def test_a_report_of_the_worked_example_is_written_whole_and_says_what_is_missing(
        self, default_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bayescale.cli.options.fit", lambda *_, **__: default_fit)
        assert here("report", "--output", tmp_path / "r.html", "--json").status == (
            1 if default_fit.status == "fail" else 0
        )
        monkeypatch.setattr(Fit, "status", "pass")
        told = here("report", "--output", tmp_path / "r.html", "--json")
        found = json.loads(told.out)
        assert told.status == 0
        assert found["bytes"] == (tmp_path / "r.html").stat().st_size
        assert list(found["missing"]) == ["How such forecasts have held"]
        bad = here("report", "--output", tmp_path / "nowhere" / "r.html")
        assert (bad.status, bad.out) == (2, "")
        assert "in a folder that exists" in bad.err
