"""The command `decide`: the verdict, its tables, and bad input before any sampling."""

import json

import pytest

from bayescale.fits.record import Fit
from helpers.command import run_here

DECISION = ["--draws", "60", "--chains", "2", "--worth", "5e6", "--threshold", "piqa=0.6,mmlu=0.3"]


class TestDecide:
    def test_says_the_verdict_and_what_it_rests_on(
        self, default_fit: Fit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bayescale.cli.options.fit", lambda *_, **__: default_fit)
        outcome = run_here("decide", *DECISION, "--json")
        answer = json.loads(outcome.out)
        assert outcome.status == (1 if answer["status"] == "fail" else 0)
        assert answer["verdict"] in {"fund", "do not fund", "undecided"}
        assert (answer["verdict"] == "undecided") == (answer["status"] == "fail")
        assert {row["task"] for row in answer["reach"]} == {"piqa", "mmlu", "every one"}
        assert answer["asked"]["value"] == "5,000,000 if every one is reached: piqa 60 %, mmlu 30 %"
        looked_at = {"cost, times", "thresholds, plus", "discrepancy, times"}
        assert {row["what"] for row in answer["flips"]} == (
            set() if answer["verdict"] == "undecided" else looked_at
        )
        assert all(row["cost"] > 0 for row in answer["options"])

    def test_as_tables(self, default_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bayescale.cli.options.fit", lambda *_, **__: default_fit)
        monkeypatch.setattr(Fit, "status", "pass")
        outcome = run_here(
            "decide",
            "--per-point",
            "1e5",
            "--baseline",
            "0.5",
            "--cost",
            "1e5",
            "--candidates",
            "1B-10xC=20, 6e8:2e11=10",
        )
        assert outcome.out.split(":")[0] in {"FUND", "DO NOT FUND", "GATHER EVIDENCE FIRST"}
        for words in (
            "asked: value 100,000 for each point",
            "What would change the verdict",
            "no evidence is worth more",
            "1B-10xC again",
        ):
            assert words in " ".join(outcome.out.split())

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["--dataset", "gadre2024"], "needs --worth and --threshold"),
            (["--dataset", "gadre2024", "--worth", "1e6"], "needs --worth and --threshold"),
            (["--threshold", "70"], "must lie in [0, 1]"),
            (["--threshold", "chess=0.5"], "tasks of the ladder"),
            (["--worth", "-5"], "above 0"),
            (["--cost", "-5"], "0 or more"),
            (["--risk-aversion", "-1"], "0 or more"),
            (["--most-regret", "2"], "[0, 1]"),
            (["--worth", "1e6", "--threshold", "high"], "must be a share"),
            (["--per-point", "1", "--worth", "1"], "replaces --worth and --threshold"),
            (["--device", "abacus"], "H100"),
            (["--baseline", "0.5"], "goes with --per-point"),
            (["--candidates", "chess"], "params:tokens or runs of the table"),
            (["--candidates", "1e9:1e11=-5"], "0 or more"),
            (["--candidates", "1e9:1e11", "--cost", "1e6"], "a price per candidate"),
            (["--price", "2,3,4"], "two with a comma"),
            (["--utilisation", "1.5"], "at most 1"),
        ],
    )
    def test_bad_input_is_told_before_any_sampling(
        self, words: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def sample(*_: object) -> None:
            raise AssertionError("it sampled first")

        monkeypatch.setattr("bayescale.fits.fit.sample_stages", sample)
        outcome = run_here("decide", *words)
        assert (outcome.status, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert expected in outcome.err
