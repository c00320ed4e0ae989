"""Runs added to a fit, and how intervals move."""

import numpy as np
import pytest

from bayescale.data.ladder import Ladder
from bayescale.data.target import Target
from bayescale.errors import DataError
from bayescale.fits.record import Fit
from bayescale.forecasts.update import update


class TestUpdate:
    def test_a_larger_run_narrows_the_targets_interval(
        self, ladder: Ladder, prior_fit: Fit
    ) -> None:
        """The 3B run, held out so far, is brought in: 1.7 e-folds less to go."""
        rows = ladder.frame.query("run == '3B-5xC'").assign(role="fit", run="3B-new")
        moved = update(prior_fit, rows)
        assert "3B-new" in set(moved.fit.loss_data.runs.ravel())
        of = moved.moved.query("quantity == 'loss' and task == 'c4'")
        assert (of["width"] < of["width_before"]).all()
        assert np.isfinite(of["shift"]).all()
        assert "of what it was" in repr(moved)

    def test_only_the_link_sees_an_early_checkpoint(self, ladder: Ladder, prior_fit: Fit) -> None:
        rows = ladder.frame.query("run == '13B-5T'").assign(
            role="link", run="13B-early", tokens=1e12, flops=9.1e22
        )
        after = update(prior_fit, rows, targets=[Target(1.3e10, 5e12, flops=4.6e23, name="t")]).fit
        assert "13B-early" not in set(after.loss_data.runs.ravel())
        assert after.accuracy_data is not None
        assert "13B-early" in set(after.accuracy_data.runs.ravel())

    def test_rows_that_no_fit_sees_are_refused(self, ladder: Ladder, prior_fit: Fit) -> None:
        rows = ladder.frame.query("run == '3B-5xC'").assign(run="3B-new")
        with pytest.raises(DataError, match="role fit or link"):
            update(prior_fit, rows)
        with pytest.raises(DataError, match="column 'run'"):
            update(prior_fit, rows.drop(columns="run"))

    def test_a_name_twice_is_refused(self, ladder: Ladder, prior_fit: Fit) -> None:
        with pytest.raises(DataError, match="'190M-1xC'"):
            update(prior_fit, ladder.frame.query("run == '190M-1xC'"))
