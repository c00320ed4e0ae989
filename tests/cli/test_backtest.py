"""The command `backtest`: its JSON, its files, its tables and its exit status."""

import time
from dataclasses import replace

import pandas as pd
import pytest

from helpers.backtests import written_backtest
from helpers.command import CHOICES, Files, Written, parse, run_here


@pytest.fixture(scope="module")
def tested(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A backtest at the default cuts, of which this ladder has one: all eight runs, the target and
    the held-out run beyond.
    """
    folder = tmp_path_factory.mktemp("backtest")
    options = [
        "--tasks",
        files.tasks,
        *CHOICES,
        "--draws",
        60,
        "--no-baselines",
        "--csv",
        folder / "b.csv",
        "--plot",
        folder / "b.svg",
        "--json",
    ]
    started = time.perf_counter()
    return Written(
        run_here("backtest", files.runs, *options), folder, time.perf_counter() - started
    )


class TestBacktest:
    @pytest.mark.slow
    def test_its_parts(self, tested: Written) -> None:
        answer = parse(tested.outcome.out)
        assert set(answer) == {
            "by",
            "status",
            "coverage",
            "scores",
            "folds",
            "cases",
            "seconds",
            "peak_memory_mb",
        }
        assert {row["model"] for row in answer["scores"]} == {"bayescale"}
        assert {(row["run"], row["quantity"], row["name"]) for row in answer["cases"]} == {
            (f"{corpus}-{i}", quantity, name)
            for corpus in ("web", "code")
            for i in (8, 9)
            for quantity, name in [
                ("loss", "c4"),
                ("loss", "piqa"),
                ("loss", "mmlu"),
                ("accuracy", "piqa"),
                ("accuracy", "mmlu"),
            ]
        }

    @pytest.mark.slow
    def test_failed_checks_of_a_fold_exit_with_1_and_are_named(self, tested: Written) -> None:
        answer = parse(tested.outcome.out)
        assert (tested.outcome.status, answer["status"]) == (1, "fail")
        assert any("ESS" in row["failed"] for row in answer["folds"] if row["model"] == "bayescale")

    @pytest.mark.slow
    def test_files(self, tested: Written) -> None:
        assert sorted(p.name for p in tested.folder.iterdir()) == ["b.csv", "b.svg"]
        assert len(pd.read_csv(tested.folder / "b.csv")) == len(parse(tested.outcome.out)["cases"])
        assert (tested.folder / "b.svg").read_bytes().startswith(b"<?xml")

    def test_printed(self, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
        made, asked = written_backtest(), {}
        failed = replace(made, folds=made.folds.assign(status="fail", failed="loss: R-hat 1.2"))
        monkeypatch.setattr(
            "bayescale.cli.backtest.make_backtest", lambda _, **given: asked.update(given) or failed
        )
        options = ["--cuts", "2e18,5e20", "--no-baselines", "--via", "c4"]
        outcome = run_here("backtest", files.runs, "--tasks", files.tasks, *options)
        assert (asked["cuts"], asked["baselines"], asked["via"]) == ([2e18, 5e20], False, "c4")
        assert outcome.status == 1
        assert "2 cuts of flops" in outcome.out
        assert "Coverage by extrapolation factor" in outcome.out
        assert "Fits with a failed check" in outcome.out

    @pytest.mark.parametrize(("options", "expected"), [([], True), (["--no-baselines"], False)])
    def test_baselines_are_scored_unless_declined(
        self,
        options: list[str],
        expected: bool,
        files: Files,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        made, asked = written_backtest(), {}
        monkeypatch.setattr(
            "bayescale.cli.backtest.make_backtest", lambda _, **given: asked.update(given) or made
        )
        run_here("backtest", files.runs, "--tasks", files.tasks, *options)
        assert asked["baselines"] is expected

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (["--by", "days"], "must be one of flops, params, tokens"),
            (["--cuts", "1e30"], "both sides"),
            (["--cuts", "x"], "numbers"),
        ],
    )
    def test_bad_input_exits_with_2(self, files: Files, options: list[str], expected: str) -> None:
        outcome = run_here("backtest", files.runs, "--tasks", files.tasks, *options)
        assert outcome.status == 2
        assert expected in outcome.err
