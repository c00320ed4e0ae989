"""The commands `check` and `datasets`, and the version."""

import json
from pathlib import Path

import pandas as pd
import pytest

import bayescale
from helpers.command import Files, parse, run_here, run_table


class TestOtherCommands:
    def test_version(self) -> None:
        outcome = run_here("--version")
        assert outcome.status == 0
        assert outcome.out.startswith(f"bayescale {bayescale.__version__}\n")

    def test_datasets_are_listed_with_their_sources(self) -> None:
        outcome = run_here("datasets")
        assert (outcome.status, outcome.err) == (0, "")
        for words in (
            "ladder2024: 32 runs (16 fit, 2 target, 14 held_out), 1 corpus, 9 losses, 8 tasks",
            "arXiv 2412.04403",
            "gadre2024: 104 runs",
            "arXiv 2403.08540",
        ):
            assert words in outcome.out

    def test_datasets_as_json(self) -> None:
        outcome = run_here("datasets", "--json")
        listed = {d["name"]: d for d in json.loads(outcome.out)}
        assert outcome.status == 0
        assert {
            name: (d["runs"], len(d["corpora"]), len(d["tasks"])) for name, d in listed.items()
        } == {"ladder2024": (32, 1, 8), "gadre2024": (104, 3, 2)}
        assert all(d["source"] for d in listed.values())

    def test_check_says_what_is_in_a_table(self, files: Files) -> None:
        outcome = run_here("check", files.runs, "--tasks", files.tasks)
        assert (outcome.status, outcome.err) == (0, "")
        lines = outcome.out.splitlines()
        assert lines[:3] == [
            "runs: 20 runs (16 fit, 2 target, 2 held_out), 2 corpora, 3 losses, 2 tasks",
            "  runs.csv: CSV, 60 rows",
            "Nothing looks wrong.",
        ]
        for words in ("piqa", "1838", "web-8", "standard_error", "would tell most"):
            assert words in outcome.out

    def test_check_as_json(self, files: Files) -> None:
        outcome = run_here("check", files.runs, "--tasks", files.tasks, "--json")
        result = parse(outcome.out)
        assert result["losses"] == ["c4", "piqa", "mmlu"]
        assert result["checks"] == []
        assert [row["target"] for row in result["targets"]] == ["code-8", "web-8"]
        assert {row["task"]: row["items"] for row in result["task_limits"]}["piqa"] == 1838

    def test_check_refuses_what_a_forecast_refuses(self, files: Files, tmp_path: Path) -> None:
        few = run_table()
        few = few[few["run"].isin(["web-0", "web-2", "web-8"])]
        few.to_csv(tmp_path / "few.csv", index=False)
        told = [
            run_here(command, tmp_path / "few.csv", "--tasks", files.tasks)
            for command in ("check", "forecast")
        ]
        assert [outcome.status for outcome in told] == [2, 2]
        # A forecast says before it what looks wrong in the table.
        assert told[1].err.splitlines()[-1] == told[0].err.strip()
        assert "at least 3 fitted runs" in told[0].err

    def test_a_target_far_away_is_told_before_anything_is_sampled(self, files: Files) -> None:
        words = ("--tasks", files.tasks, "--params", "7e12", "--tokens", "1e15", "--corpus", "web")
        outcome = run_here("check", files.runs, *words)
        assert outcome.status == 0
        assert "more than 1e+06 times" in outcome.out

    def test_check_says_which_column_may_be_misspelled(self, tmp_path: Path) -> None:
        run_table().rename(columns={"accuracy": "acuracy"}).assign(notes="x").to_csv(
            tmp_path / "misspelled.csv", index=False
        )
        outcome = run_here("check", tmp_path / "misspelled.csv")
        assert outcome.status == 0
        assert outcome.err == (
            "bayescale: misspelled.csv: column 'acuracy' of the run table is left out: rename it "
            "if 'accuracy' was meant\n"
        )

    def test_a_misspelled_column_is_told_though_the_table_is_then_refused(
        self, tmp_path: Path
    ) -> None:
        twice = pd.concat([run_table().assign(steps=1), run_table().assign(steps=2)])
        twice.to_csv(tmp_path / "checkpoints.csv", index=False)
        outcome = run_here("check", tmp_path / "checkpoints.csv")
        assert outcome.status == 2
        assert "rename it if 'step' was meant" in outcome.err
        assert "duplicate row" in outcome.err

    def test_check_says_what_looks_wrong(self, files: Files, tmp_path: Path) -> None:
        table = run_table()
        table.loc[1, "accuracy"] = 0.02
        table.to_csv(tmp_path / "low.csv", index=False)
        outcome = run_here("check", tmp_path / "low.csv", "--tasks", files.tasks)
        assert outcome.status == 0
        assert "below chance 0.5" in " ".join(outcome.out.split())
        assert "piqa, web-0" in outcome.out

    def test_check_of_a_broken_table_is_bad_input(self, files: Files, tmp_path: Path) -> None:
        run_table().assign(accuracy=lambda f: 100 * f["accuracy"]).to_csv(
            tmp_path / "percent.csv", index=False
        )
        outcome = run_here("check", tmp_path / "percent.csv", "--tasks", files.tasks)
        assert (outcome.status, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert "divide the column by 100" in outcome.err


class TestConvert:
    def test_the_written_tables_give_the_same_ladder(self, tmp_path: Path) -> None:
        wide = pd.DataFrame(
            {
                "Name": ["a", "b", "c"],
                "N": ["100M", "200M", "400M"],
                "D": [2e9, 4e9, 8e9],
                "val_loss": [3.4, 3.1, 2.9],
                "piqa_acc": [0.6, 0.62, 0.1 + 0.57],
            }
        )
        wide.to_csv(tmp_path / "results.tsv", index=False, sep="\t")
        outcome = run_here("convert", tmp_path / "results.tsv", "--out", tmp_path / "runs.csv")
        assert outcome.status == 0
        assert "params from 'N'" in outcome.out
        written = bayescale.read_csv(tmp_path / "runs.csv", tasks=tmp_path / "runs.tasks.csv")
        with pytest.warns(UserWarning, match="Guessed"):
            assert written.digest() == bayescale.read_runs(tmp_path / "results.tsv").digest()
        assert written.task_table.loc["piqa"].tolist() == [0.5, 1838]

    def test_the_best_of_a_sweep(self, tmp_path: Path) -> None:
        rows = [
            {"run": f"{i}-{lr}", "params": 1e8 * 2**i, "tokens": 2e9 * 2**i, "loss": 3 - i / 9 + lr}
            for i in range(3)
            for lr in (0.0, 0.1)
        ]
        pd.DataFrame(rows).to_csv(tmp_path / "sweep.csv", index=False)
        words = ("convert", tmp_path / "sweep.csv", "--out", tmp_path / "runs.csv")
        outcome = run_here(*words, "--best-of-sweep")
        assert outcome.status == 0
        assert "optimistic" in outcome.out
        assert bayescale.read_csv(tmp_path / "runs.csv").runs.index.tolist() == [
            *["0-0.0", "1-0.0", "2-0.0"]
        ]

    def test_a_folder_that_is_not_there_is_told_before_anything_is_written(
        self, files: Files, tmp_path: Path
    ) -> None:
        outcome = run_here("convert", files.runs, "--out", tmp_path / "absent" / "runs.csv")
        assert outcome.status == 2
        assert "folder that exists" in outcome.err
