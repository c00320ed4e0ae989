"""The command `simulate`: three files that the library reads back; bad input."""

import json
from pathlib import Path

import pytest

from bayescale.data.readers import read_csv
from bayescale.fits.simulate import simulate
from helpers.command import parse, run_here

SIZES = ["--sizes", "1e8:2e9,3e8:6e9,1e9:2e10", "--targets", "7e9:1e12"]


class TestSimulate:
    def test_the_files_hold_what_the_library_draws(self, tmp_path: Path) -> None:
        folder = tmp_path / "made"
        words = [*SIZES, "--corpus", "web", "--corpus", "code", "--task", "quiz", "--seed", "4"]
        outcome = run_here("simulate", folder, *words, "--json")
        assert (outcome.status, outcome.err) == (0, "")
        wanted = simulate(
            params=[1e8, 3e8, 1e9],
            tokens=[2e9, 6e9, 2e10],
            targets=[(7e9, 1e12)],
            corpora=["web", "code"],
            tasks=["quiz"],
            seed=4,
        )
        ladder = read_csv(folder / "runs.csv", tasks=folder / "tasks.csv")
        assert ladder.digest() == wanted.ladder.digest()
        truth = json.loads((folder / "truth.json").read_text())
        assert truth["series"] == [["web", "quiz"], ["code", "quiz"]]
        assert set(truth["loss_truth"]) == set(wanted.loss_truth)
        assert truth["loss_truth"]["L0"] == pytest.approx(wanted.loss_truth["L0"].tolist())
        answer = parse(outcome.out)
        assert {name: answer[name] for name in truth} == truth
        assert sorted(path.name for path in folder.iterdir()) == [
            "runs.csv",
            "tasks.csv",
            "truth.json",
        ]

    def test_without_arguments_it_is_a_ladder_with_a_target(self, tmp_path: Path) -> None:
        outcome = run_here("simulate", tmp_path)
        assert outcome.status == 0
        assert "17 runs in runs.csv" in outcome.out
        checked = run_here("check", tmp_path / "runs.csv", "--tasks", tmp_path / "tasks.csv")
        assert "17 runs (16 fit, 1 target)" in checked.out

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["--sizes", "1e8"], "--sizes: must be params:tokens"),
            (["--sizes", "1e8:2e9:3"], "--sizes: must be params:tokens"),
            (["--targets", "large"], "--targets: must be params:tokens"),
            (["--law", "kaplan"], "'kaplan'"),
            (["--discrepancy", "some"], "discrepancy"),
            (["--seed", "-1"], "seed"),
            (["--sizes", "-1e8:2e9"], "params"),
        ],
    )
    def test_bad_input_writes_nothing(
        self, words: list[str], expected: str, tmp_path: Path
    ) -> None:
        outcome = run_here("simulate", tmp_path / "made", *words)
        assert (outcome.status, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert expected in outcome.err
        assert list(tmp_path.iterdir()) == []
