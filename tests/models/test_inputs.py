"""From a ladder to arrays: which runs, losses, blocks and groups of reruns a model sees."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.replicates import with_reruns
from bayescale.errors import DataError, SettingError
from bayescale.models.inputs import accuracy_data, loss_data, routes
from helpers.checkpoints import checkpoints


def test_unique_tokens_become_u() -> None:
    """None given is all of them, and no run sees more unique tokens than tokens."""
    frame = pd.DataFrame(
        {
            "run": list("abc"),
            "params": 1e9,
            "tokens": [1e10, 2e10, 4e10],
            "unique_tokens": [np.nan, 5e9, 9e11],
            "task": "c4",
            "loss": 3.0,
        }
    )
    data = loss_data(Ladder.from_frame(frame))
    np.testing.assert_allclose(
        data.reference.tokens * np.exp(data.layout.x.u[0]), [1e10, 5e9, 4e10], rtol=1e-12
    )


class TestWhatAFitSees:
    def test_an_accuracy_that_only_a_target_has_is_invisible(self) -> None:
        """Whether a target was scored on C4 must not move the loss of C4 to another population."""
        whole = load_dataset("ladder2024", tasks=["mmlu"])
        scored = whole.frame.assign(
            accuracy=lambda f: f["accuracy"].where(
                (f["task"] != "c4") | (f["role"] != "target"), 0.5
            )
        )
        tasks = pd.concat(
            [
                whole.task_table.reset_index(),
                pd.DataFrame({"task": ["c4"], "chance": [0.1], "items": [100]}),
            ]
        )
        other = Ladder.from_frame(scored, tasks=tasks)
        assert loss_data(other).groups == loss_data(whole).groups

    def test_a_via_loss_that_no_scored_run_has(self) -> None:
        whole = load_dataset("ladder2024", tasks=["mmlu", "c4"])
        rows = whole.frame[(whole.frame["loss_name"] != "c4") | (whole.frame["role"] == "target")]
        with pytest.raises(
            SettingError,
            match="via: must be a loss of the runs that have accuracies; got 'c4'; use one of mmlu",
        ):
            accuracy_data(Ladder.from_frame(rows, tasks=whole.task_table.reset_index()), "c4")


class TestReruns:
    def test_the_law_sees_them_as_one_group(self) -> None:
        data = loss_data(with_reruns(load_dataset("ladder2024")))
        first = np.asarray(data.layout.first)
        assert first.shape == data.runs.shape
        for row, names in zip(first, data.runs, strict=True):
            for cell, start in enumerate(row):
                assert names[cell].removesuffix("-rerun") == names[start].removesuffix("-rerun")
        assert (first != np.arange(first.shape[1])).sum() == 4 * len(data.runs)


class TestBlocks:
    def test_are_means_of_the_later_half(self) -> None:
        ladder = checkpoints(0.0, 0.01)
        data = accuracy_data(ladder, None, 5)
        assert data is not None
        rows = ladder.frame.query("run == 'r0' and step > 20")
        expected = rows["accuracy"].to_numpy().reshape(5, 4).mean(1)
        np.testing.assert_allclose(np.asarray(data.layout.y)[0, :5], expected, rtol=1e-12)
        assert data.layout.y.shape == (1, 40)
        z, deviation = (np.asarray(v).reshape(8, 5) for v in data.layout.x)
        np.testing.assert_allclose(deviation, z - z[:, -1:], atol=1e-12)

    def test_blocks_of_two_runs_are_two_runs(self) -> None:
        with pytest.raises(DataError, match="needs at least 3 fitted runs"):
            accuracy_data(checkpoints(0.0, 0.01, runs=2), None, 5)

    @pytest.mark.parametrize("blocks", [0, -1, 2.5, True])
    def test_their_number_is_a_whole_one(self, blocks: object) -> None:
        with pytest.raises(SettingError, match="blocks: must be a whole number, 1 or more"):
            accuracy_data(checkpoints(0.0, 0.01), None, blocks)  # type: ignore[arg-type]


TASKS = ["hellaswag", "arc_easy"]


class TestRoutes:
    def test_every_loss_of_running_text(self, ladder: Ladder) -> None:
        assert routes(ladder) == ["c4"]
        assert routes(load_dataset("gadre2024")) == [], "its tasks own the c4 loss already"
        assert routes(ladder.where(task=TASKS)) == []
