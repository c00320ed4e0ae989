"""Backtest: coverage and scores of its cases."""

from dataclasses import replace

import pandas as pd
import pytest

from bayescale.backtests.record import OURS, Backtest, factor_bin
from bayescale.errors import SettingError
from helpers.backtests import written_backtest


class TestSummaries:
    def test_coverage_counts_clusters_and_its_bootstrap_holds_it(self) -> None:
        found = written_backtest().coverage()
        assert set(found["prob"]) == {0.5, 0.8, 0.9, 0.95}
        assert found["coverage"].between(found["lower"], found["upper"]).all()
        by_prob = found.groupby(["quantity", "factor"])["coverage"]
        assert by_prob.apply(lambda c: c.is_monotonic_increasing).all(), (
            "a wider interval holds more"
        )

    def test_scores_of_made_up_cases(self) -> None:
        base = {
            "model": OURS,
            "cut": 1.0,
            "corpus": "a",
            "quantity": "accuracy",
            "role": "fit",
            "extrapolation_factor": 2.0,
            "mean": 0.5,
            "sd": 0.1,
        }
        ends = {
            f"{end}_{p}": v for end, v in (("lower", 0.4), ("upper", 0.6)) for p in (50, 80, 90, 95)
        }
        rows = [
            base
            | ends
            | {
                "run": f"r{i}",
                "name": name,
                "actual": a,
                "median": 0.5,
                "error": 100 * (0.5 - a),
                "crps": c,
                "interval_score": 20.0,
            }
            for i, (name, a, c) in enumerate([("t", 0.45, 1.0), ("t", 0.75, 3.0), ("u", 0.5, 5.0)])
        ]
        made = Backtest(
            pd.DataFrame(rows),
            pd.DataFrame([{"model": OURS, "cut": 1.0, "status": "pass", "failed": ""}]),
            "flops",
        )
        scores = made.scores().iloc[0]
        assert scores["crps"] == pytest.approx((2.0 + 5.0) / 2), "within a series first"
        assert scores["inside_90"] == pytest.approx((0.5 + 1.0) / 2)
        assert scores["absolute_error"] == pytest.approx((15.0 + 0.0) / 2)
        assert scores["width_90"] == pytest.approx(20.0)
        assert made.coverage().query("prob == 0.9")["clusters"].item() == 1, "one cut"

    def test_bins(self) -> None:
        assert list(factor_bin(pd.Series([0.5, 2.0, 5.0, 20.0, 50.0, 200.0])).astype(str)) == [
            "up to 1",
            "1-3",
            "3-10",
            "10-30",
            "30-100",
            "> 100",
        ]


class TestSettings:
    def test_a_model_that_was_not_tested_is_told(self) -> None:
        made = written_backtest()
        baseline = made.cases.assign(model="no discrepancy")
        both = replace(made, cases=pd.concat([made.cases, baseline], ignore_index=True))
        with pytest.raises(SettingError, match="no discrepancy"):
            both.coverage("nodiscrepancy")
