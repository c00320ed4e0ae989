"""Scores below chance: a warning where guessing does not explain them."""

import numpy as np
import pandas as pd
import pytest

from bayescale.checks import worst
from bayescale.data.below_chance import BELOW_CHANCE_Z, below_chance
from helpers.tables import TASKS, ladder, put, table


class TestBelowChance:
    @pytest.mark.parametrize(("sd_below", "warned"), [(4.9, False), (5.1, True), (60.0, True)])
    def test_warns_where_guessing_would_not_scatter_that_far(
        self, sd_below: float, warned: bool
    ) -> None:
        accuracy = 0.25 - sd_below * np.sqrt(0.25 * 0.75 / 14042)
        found = ladder(put("accuracy", accuracy)(table())).checks()
        assert worst(found) == ("warn" if warned else "pass")
        assert [c.check for c in found] == (["accuracy above chance: mmlu, b"] if warned else [])
        for check in found:
            assert check.value == pytest.approx(-sd_below)
            assert "check the task's chance" in check.advice

    def test_zero_at_chance_zero_is_no_news(self) -> None:
        rows = ladder(put("accuracy", 0.0)(table()), tasks=TASKS.assign(chance=0.0)).frame
        assert below_chance(rows, TASKS.assign(chance=0.0).set_index("task")) == []


def test_each_low_score_has_a_row_of_its_own_and_missing_scores_have_none() -> None:
    rows = pd.DataFrame(
        {
            "run": ["a", "b", "c", "d"],
            "task": ["mmlu", "mmlu", "piqa", "piqa"],
            "accuracy": [0.1, 0.3, 0.2, np.nan],
        }
    )
    found = below_chance(rows, TASKS.set_index("task"))
    assert [check.check for check in found] == [
        "accuracy above chance: mmlu, a",
        "accuracy above chance: piqa, c",
    ]
    assert {check.limit for check in found} == {BELOW_CHANCE_Z}
    assert found[0].value == pytest.approx((0.1 - 0.25) / np.sqrt(0.25 * 0.75 / 14042))
