"""One table beside the released one: a figure that differs is told."""

from __future__ import annotations

import pytest

from bayescale.papers.analysis import Analysis, digits, row, table
from bayescale.papers.reproduce import Reproduction


class TestComparing:
    def test_digits_is_half_a_unit_in_the_fourth(self) -> None:
        assert [digits(v) for v in (113.6926, -0.2424722, 2.0789)] == pytest.approx(
            [0.05, 5e-5, 5e-4]
        )

    def test_a_figure_beyond_its_bound_differs(self) -> None:
        rows = [
            row({"task": "a"}, 1.0, 1.04, 0.05),
            row({"task": "b"}, 1.0, 1.06, 0.05),
            row({"task": "c"}, None, 3.0),
        ]
        found = Analysis("mine", "", table(rows))
        assert list(found.differing["task"]) == ["b"]
        assert Reproduction("paper", (found,), {}).agrees is False

    def test_a_fit_that_failed_differs_unless_the_released_one_had_failed_too(self) -> None:
        rows = [
            row({"task": "known"}, 1.0, "no fit: why", None),
            row({"task": "new"}, 1.0, "no fit: why", 0.1),
        ]
        assert list(Analysis("mine", "", table(rows)).differing["task"]) == ["new"]
