"""Splits of a backtest: which cuts a ladder has by default."""

import pandas as pd
import pytest

from bayescale.backtests.splits import check_cuts, default_cuts, size_of
from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.errors import DataError


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    return load_dataset("ladder2024")


def test_a_series_of_two_sizes_leaves_the_others_their_cuts() -> None:
    sizes = {"web": [1e8, 2e8, 4e8, 8e8], "code": [1e8, 8e8]}
    rows = [
        {
            "run": f"{corpus}-{n}-{i}",
            "corpus": corpus,
            "params": n,
            "tokens": 2e9 * 3**i,
            "task": "validation",
            "loss": 2.0 + i * 0.01,
        }
        for corpus, of in sizes.items()
        for n in of
        for i in range(5)
    ]
    assert len(default_cuts(Ladder.from_frame(pd.DataFrame(rows)))) >= 2


def test_default_cuts_by_size_leave_three_sizes_below(ladder: Ladder) -> None:
    sizes = sorted(set(ladder.with_role("fit").runs["params"]))
    assert default_cuts(ladder, "params") == sizes[2:], "two sizes tell no law"


def test_a_ladder_without_a_future(ladder: Ladder) -> None:
    with pytest.raises(DataError, match="larger"):
        default_cuts(ladder.with_role("fit").up_to(flops=1e20))


def test_cuts_that_leave_the_same_runs_are_one(ladder: Ladder) -> None:
    size = size_of(ladder, "flops")
    assert check_cuts(ladder, size, "flops", [1.01e21, 1e21, 1e21]) == [1e21]
