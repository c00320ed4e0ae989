"""The command `backtest`: its JSON, its files, its tables and its exit status."""

import time

import pandas as pd
import pytest

from helpers.command import CHOICES, Files, Full, here, parse


@pytest.fixture(scope="module")
def tested(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Full:
    """A backtest at the default cuts, of which this ladder has one: all eight runs, the target and
    the held-out run beyond.
    """
    folder = tmp_path_factory.mktemp("backtest")
    asked = [
        "--tasks",
        files.tasks,
        *CHOICES,
        "--draws",
        60,
        "--csv",
        folder / "b.csv",
        "--plot",
        folder / "b.svg",
        "--json",
    ]
    began = time.perf_counter()
    return Full(here("backtest", files.runs, *asked), folder, time.perf_counter() - began)


class TestBacktest:
    def test_its_parts(self, tested: Full) -> None:
        answer = parse(tested.told.out)
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
        assert {row["model"] for row in answer["scores"]} == {
            "bayescale",
            "no discrepancy",
            "unpooled",
            "point fits",
            "largest run",
        }
        assert {
            (row["run"], row["quantity"], row["name"])
            for row in answer["cases"]
            if row["model"] == "bayescale"
        } == {
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

    def test_failed_checks_of_a_fold_exit_with_1_and_are_named(self, tested: Full) -> None:
        answer = parse(tested.told.out)
        assert (tested.told.status, answer["status"]) == (1, "fail")
        assert any("ESS" in row["failed"] for row in answer["folds"] if row["model"] == "bayescale")

    def test_files(self, tested: Full) -> None:
        assert sorted(p.name for p in tested.folder.iterdir()) == ["b.csv", "b.svg"]
        assert len(pd.read_csv(tested.folder / "b.csv")) == len(parse(tested.told.out)["cases"])
        assert (tested.folder / "b.svg").read_bytes().startswith(b"<?xml")

    def test_printed(self, files: Files) -> None:
        told = here(
            "backtest",
            files.runs,
            "--tasks",
            files.tasks,
            *CHOICES,
            "--draws",
            60,
            "--cuts",
            "2e18,1e20",
            "--no-baselines",
        )
        assert told.status == 1
        assert "2 cuts of flops" in told.out
        assert "coverage by extrapolation factor" in told.out
        assert "fits with a check that failed" in told.out

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            (["--by", "days"], "must be one of flops, params, tokens"),
            (["--cuts", "1e30"], "both sides"),
            (["--cuts", "x"], "numbers"),
        ],
    )
    def test_bad_input_exits_with_2(self, files: Files, asked: list[str], said: str) -> None:
        told = here("backtest", files.runs, "--tasks", files.tasks, *asked)
        assert told.status == 2
        assert said in told.err
