"""The command `required`: the library's answer, as JSON and in words; bad input before sampling."""

from pathlib import Path

import pytest

from bayescale.decisions.required import required
from bayescale.fits.record import Fit
from helpers.command import parse, run_here


@pytest.mark.usefixtures("no_sampling")
class TestRequired:
    def test_the_answer_is_that_of_the_library(self, saved: Path, default_fit: Fit) -> None:
        words = ["--accuracy", "0.6", "--task", "hellaswag", "--with-prob", "0.5"]
        outcome = run_here("required", "--fit", saved, *words, "--multiplier", "50", "--json")
        answer = parse(outcome.out)
        wanted = required(default_fit, "hellaswag", 0.6, 0.5, multiplier=50)
        assert outcome.status == (1 if wanted.status == "fail" else 0)
        assert wanted.flops is not None
        assert answer["flops"] == pytest.approx(wanted.flops)
        assert answer["answer"] == wanted.answer
        assert len(answer["rows"]) == len(wanted.table)

    @pytest.mark.slow
    def test_the_mean_of_several_tasks_in_words(self, saved: Path, default_fit: Fit) -> None:
        words = ["--accuracy", "0.6", "--task", "hellaswag", "--task", "piqa"]
        out = run_here("required", "--fit", saved, *words, "--with-prob", "0.5").out
        wanted = required(default_fit, ["hellaswag", "piqa"], 0.6, 0.5)
        assert wanted.answer in " ".join(out.split())

    @pytest.mark.slow
    def test_all_tasks_and_out_of_reach(self, saved: Path) -> None:
        outcome = run_here("required", "--fit", saved, "--accuracy", "0.999", "--json")
        answer = parse(outcome.out)
        assert answer["flops"] is None
        assert "is not within the range that this ladder can speak for" in answer["answer"]

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ([], "--accuracy"),
            (["--accuracy", "70"], "must lie between 0 and 1"),
            (["--accuracy", "0.7", "--with-prob", "1"], "must lie between 0 and 1"),
            (["--accuracy", "0.7", "--task", "chess"], "--task: must be tasks of the ladder"),
            (["--accuracy", "0.7", "--params", "1e9", "--multiplier", "20"], "fix N, or D / N"),
            (["--accuracy", "0.7", "--params", "-1"], "must have positive sizes"),
            (["--accuracy", "0.7", "--dataset", "gadre2024"], "--corpus"),
        ],
    )
    def test_bad_input(self, words: list[str], expected: str) -> None:
        outcome = run_here("required", *words)
        assert (outcome.status, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert expected in outcome.err
