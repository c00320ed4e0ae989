"""The command `reproduce`: JSON, tables, and its exit status."""

from __future__ import annotations

import json

import pytest

from bayescale.cli.group import run_command
from bayescale.data.datasets.released import load_released


class TestReproduce:
    def test_command_prints_json_and_exits_1_where_a_figure_differs(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["reproduce", "gadre2024", "--analysis", "coefficients", "--json"]
        assert run_command(arguments) == 0
        answer = json.loads(capsys.readouterr().out)
        assert answer["agrees"] is True
        assert {"corpus", "fit", "coefficient", "released", "here", "bound", "agrees"} <= set(
            answer["analyses"][0]["rows"][0]
        )
        wrong = load_released("gadre2024") * 1.001
        monkeypatch.setattr("bayescale.papers.gadre_points.load_released", lambda name: wrong)
        assert run_command(arguments) == 1
        assert json.loads(capsys.readouterr().out)["agrees"] is False

    def test_command_prints_tables(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_command(["reproduce", "gadre2024", "--analysis", "compute"]) == 0
        assert "redpajama-1.4B-M640" in capsys.readouterr().out
