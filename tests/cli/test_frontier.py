"""The command `frontier`: the library's figures; bad input before any sampling."""

from pathlib import Path

import pytest

from bayescale.fits.record import Fit
from bayescale.forecasts.frontier import frontier
from helpers.command import parse, run_here


@pytest.mark.usefixtures("no_sampling")
class TestFrontier:
    def test_figures_are_those_of_the_library(self, saved: Path, default_fit: Fit) -> None:
        words = ["--budgets", "1e22,1e23", "--multipliers", "100", "--prob", "0.5"]
        outcome = run_here("frontier", "--fit", saved, *words, "--json")
        answer = parse(outcome.out)
        assert outcome.status == (1 if default_fit.status == "fail" else 0)
        assert (answer["loss_name"], answer["prob"]) == ("c4", 0.5)
        wanted = frontier(default_fit, [1e22, 1e23], multipliers=[100], prob=0.5)
        assert [row["quantity"] for row in answer["rows"]] == list(wanted["quantity"])
        for name in ("flops", "median", "lower", "upper", "edge"):
            assert [row[name] for row in answer["rows"]] == pytest.approx(list(wanted[name]))

    @pytest.mark.slow
    def test_one_table_per_budget(self, saved: Path) -> None:
        out = run_here("frontier", "--fit", saved, "--budgets", "1e22,1e23").out
        assert out.count("optimal tokens per parameter") == 2
        assert out.count("loss given up at 640 tokens per parameter, %") == 2
        assert "1e+22 FLOPs: 5.09 x the largest fitted compute" in out

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ([], "--budgets"),
            (["--budgets", "much"], "--budgets: must be positive numbers"),
            (["--budgets", "1e22,-1"], "--budgets: must be positive numbers"),
            (["--budgets", "1e22", "--multipliers", "inf"], "--multipliers: must be positive"),
            (["--budgets", "1e22", "--law", "compute"], "knows only compute"),
            (["--budgets", "1e22", "--loss-name", "pile"], "must be one that was fitted"),
            (["--budgets", "1e21", "--dataset", "gadre2024"], "must be one that was fitted"),
            (["--budgets", "1e22", "--prob", "0"], "between 0 and 1"),
        ],
    )
    def test_bad_input(self, words: list[str], expected: str) -> None:
        outcome = run_here("frontier", *words)
        assert (outcome.status, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert expected in outcome.err
