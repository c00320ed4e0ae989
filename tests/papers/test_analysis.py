"""A released figure beside the figure computed here: one that differs is told."""

from __future__ import annotations

import pytest

from bayescale.papers.analysis import Analysis, digits, row, table
from bayescale.papers.reproduce import Reproduction


class TestComparing:
    def test_digits_is_half_a_unit_in_the_fourth(self) -> None:
        assert [digits(value) for value in (113.6926, -0.2424722, 2.0789)] == pytest.approx(
            [0.05, 5e-5, 5e-4]
        )

    def test_a_figure_beyond_its_bound_differs(self) -> None:
        rows = [
            row({"task": "a"}, released=1.0, here=1.04, bound=0.05),
            row({"task": "b"}, released=1.0, here=1.06, bound=0.05),
            row({"task": "c"}, released=None, here=3.0),
        ]
        analysis = Analysis("comparison", "", table(rows))
        assert list(analysis.differing["task"]) == ["b"]
        assert Reproduction("paper", (analysis,), {}).agrees is False

    def test_a_fit_that_failed_differs_unless_the_released_one_had_failed_too(self) -> None:
        rows = [
            row({"task": "known"}, released=1.0, here="no fit: why"),
            row({"task": "new"}, released=1.0, here="no fit: why", bound=0.1),
        ]
        assert list(Analysis("comparison", "", table(rows)).differing["task"]) == ["new"]
