"""The commands `check` and `datasets`, and the version."""

import json
from pathlib import Path

import pandas as pd

import bayescale
from helpers.command import Files, Outcome, run_here, run_table


class TestOtherCommands:
    def test_version(self) -> None:
        assert run_here("--version") == Outcome(0, f"bayescale {bayescale.__version__}\n", "")

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
        assert outcome == Outcome(
            0,
            "runs: 20 runs (16 fit, 2 target, 2 held_out), 2 corpora, 3 losses, 2 tasks\n"
            "Nothing looks wrong.\n",
            "",
        )

    def test_check_says_which_column_may_be_misspelled(self, tmp_path: Path) -> None:
        run_table().rename(columns={"accuracy": "acuracy"}).assign(notes="x").to_csv(
            tmp_path / "misspelled.csv", index=False
        )
        outcome = run_here("check", tmp_path / "misspelled.csv")
        assert (outcome.status, outcome.err) == (
            0,
            "bayescale: column 'acuracy' of the run table is left out: rename it if 'accuracy' was "
            "meant\n",
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
