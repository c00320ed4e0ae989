"""What chance and items say of each task before any fit."""

import numpy as np
import pytest

from bayescale.data.task_limits import task_limits
from helpers.tables import TASKS, ladder, put, table


def test_the_standard_error_is_that_of_a_share() -> None:
    made = ladder()
    limits = task_limits(made.frame, made.task_table).set_index("task")
    # The best fitted or linked run is c; the target d is not looked at.
    assert limits.loc["piqa", "best"] == 0.6
    assert limits.loc["piqa", "standard_error"] == pytest.approx(np.sqrt(0.6 * 0.4 / 1838))
    assert limits["runs"].tolist() == [3, 3]
    assert limits["items"].tolist() == [14042, 1838]


def test_runs_near_chance_are_not_above_it() -> None:
    near = 0.5 + 2.9 * np.sqrt(0.25 / 1838)
    made = ladder(put("accuracy", near, row=1)(table()))
    assert task_limits(made.frame, made.task_table)["above_chance"].tolist() == [3, 2]


def test_a_ladder_without_accuracies_has_no_rows() -> None:
    made = ladder(table().drop(columns="accuracy"), tasks=TASKS)
    assert task_limits(made.frame, made.task_table).empty
