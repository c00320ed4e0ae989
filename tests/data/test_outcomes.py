"""The accuracy of a run and the loss that it is paired with."""

import numpy as np
import pandas as pd

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.outcomes import last_rows, outcomes, paired
from bayescale.models.inputs import accuracy_data


class TestWhatAFitSees:
    def test_an_accuracy_goes_with_the_loss_at_its_own_step(self) -> None:
        """The last checkpoint of every run was not scored; the losses there belong to no accuracy,
        by whatever loss the link goes.
        """
        whole = load_dataset("ladder2024", tasks=["mmlu", "c4"]).with_role("fit")
        early, late = (
            whole.frame.assign(step=1.0),
            whole.frame.assign(step=2.0, accuracy=np.nan, loss=lambda f: 0.9 * f["loss"]),
        )
        both = Ladder.from_frame(pd.concat([early, late]), tasks=whole.task_table.reset_index())
        for via in (None, "c4"):
            one, other = accuracy_data(both, via), accuracy_data(whole, via)
            assert one is not None
            assert other is not None
            loss, wanted = (d.layout.x * d.scale[:, None] + d.centre[:, None] for d in (one, other))
            np.testing.assert_allclose(loss, wanted, rtol=1e-12)
        actual = outcomes(both)
        assert actual["accuracy"].notna().any()
        assert (actual["loss"] < outcomes(whole)["loss"]).all()


def checkpoints() -> pd.DataFrame:
    """A run with three checkpoints, of which the second is scored, and a run without steps."""
    rows = [
        ("a", 1.0, "quiz", "own", 2.0, np.nan),
        ("a", 2.0, "quiz", "own", 1.8, 0.4),
        ("a", 3.0, "quiz", "own", 1.6, np.nan),
        ("a", 3.0, "c4", "c4", 3.1, np.nan),
        ("b", np.nan, "quiz", "own", 1.5, 0.6),
    ]
    return pd.DataFrame(rows, columns=["run", "step", "task", "loss_name", "loss", "accuracy"])


class TestLastRows:
    def test_the_last_checkpoint_of_each_run_counts(self) -> None:
        found = last_rows(checkpoints(), "task").set_index(["run", "task"])["loss"]
        assert found.to_dict() == {("a", "quiz"): 1.6, ("a", "c4"): 3.1, ("b", "quiz"): 1.5}

    def test_of_one_step_the_first_row_counts(self) -> None:
        rows = pd.concat([checkpoints(), checkpoints().assign(loss=9.0)], ignore_index=True)
        assert (last_rows(rows, "task")["loss"] < 9.0).all()

    def test_the_order_of_checkpoints_does_not_matter(self) -> None:
        found = last_rows(checkpoints().sample(frac=1.0, random_state=1), "task")
        assert sorted(found["loss"]) == [1.5, 1.6, 3.1]


class TestPaired:
    def test_an_accuracy_is_paired_with_the_loss_at_its_own_step(self) -> None:
        found = paired(checkpoints(), None).set_index("run")
        assert found["through"].to_dict() == {"a": 1.8, "b": 1.5}
        assert set(found["via"]) == {"own"}

    def test_without_a_loss_at_that_step_it_is_the_runs_last_one(self) -> None:
        found = paired(checkpoints(), "c4").set_index("run")
        assert found["through"].to_dict() == {"a": 3.1}, "run b has no such loss"

    def test_every_scored_checkpoint_or_the_last(self) -> None:
        rows = checkpoints()
        rows.loc[0, "accuracy"] = 0.3
        assert paired(rows, None).set_index("run").loc["a", "through"] == 1.8
        assert sorted(paired(rows, None, every=True)["through"]) == [1.5, 1.8, 2.0]
