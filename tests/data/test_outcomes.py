"""The accuracy of a run and the loss that it is paired with."""

import numpy as np
import pandas as pd

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.outcomes import outcomes
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
