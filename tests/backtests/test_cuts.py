"""The ladder as it stood at earlier cuts."""

import numpy as np
import pandas as pd
import pytest

from bayescale.backtests.cuts import below, cuts, enough_runs, one_measure
from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder


def table_of(
    compute: list[float], params: list[float] | None = None, flops: list[float] | None = None
) -> Ladder:
    """Runs of the given 6ND, one loss each; `flops` are what was measured."""
    rows = pd.DataFrame(
        {
            "run": [f"run {i}" for i in range(len(compute))],
            "params": 1e8 if params is None else params,
            "task": "c4",
            "loss": 3.0,
        }
    )
    rows["tokens"] = np.array(compute) / (6 * rows["params"])
    return Ladder.from_frame(rows if flops is None else rows.assign(flops=flops))


class TestCuts:
    def test_cuts_of_a_ladder_cut_short_are_those_of_the_whole(self) -> None:
        ladder = load_dataset("ladder2024")
        compute = ladder.with_role("fit").compute()
        whole = cuts(compute, first=float(compute.min()), ratio=1.5)
        assert len(whole) > 5
        for cut in whole[2:]:
            assert cuts(compute[compute <= cut], first=float(compute.min()), ratio=1.5) == [
                c for c in whole if c < cut
            ]

    def test_each_cut_leaves_a_larger_run_and_stands_a_ratio_above_the_last(self) -> None:
        compute = pd.Series([1.0, 2.0, 3.0, 8.0, 8.1, 20.0])
        # from 2: 2, then the first at 4 or more that is not the largest run or its like
        assert cuts(compute, first=2.0, ratio=2.0) == [2.0, 8.0]
        assert cuts(compute, first=1.0, ratio=2.0) == [1.0, 2.0, 8.0]
        assert cuts(pd.Series([1.0, 1.01]), first=1.0, ratio=2.0) == [], "reruns of one run"

    def test_below_keeps_reruns_on_one_side(self) -> None:
        ladder = table_of([1e18, 1.01e18, 1.1e18])
        assert set(below(ladder, 1e18).frame["run"]) == {"run 0", "run 1"}


class TestEnoughRuns:
    def test_every_series_has_its_runs_and_three_sizes(self) -> None:
        ladder = table_of([1e18, 2e18, 4e18, 8e18], params=[1e8, 1e8, 2e8, 4e8])
        compute = ladder.compute()
        assert enough_runs(ladder, 1, compute) == pytest.approx(8e18), "the third size"
        assert enough_runs(ladder, 4, compute) == pytest.approx(8e18)
        assert enough_runs(ladder, 5, compute) == float("inf")

    def test_a_series_of_two_sizes_needs_both(self) -> None:
        ladder = table_of([1e18, 2e18, 4e18, 8e18], params=[1e8, 1e8, 2e8, 2e8])
        assert enough_runs(ladder, 1, ladder.compute()) == pytest.approx(4e18)


class TestOneMeasure:
    def test_compute_is_measured_for_all_runs_or_for_none(self) -> None:
        whole = table_of([1e18, 2e18, 4e18], flops=[1.5e18, 2.5e18, 4.5e18])
        assert one_measure(whole).frame["flops"].notna().all()
        part = table_of([1e18, 2e18, 4e18], flops=[1.5e18, 2.5e18, np.nan])
        assert one_measure(part).frame["flops"].isna().all()
        assert part.frame["flops"].notna().any(), "a ladder never changes"
