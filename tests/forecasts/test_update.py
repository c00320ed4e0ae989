"""Runs added to a fit, and how intervals move."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayescale.data.ladder import Ladder
from bayescale.errors import DataError, SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.update import update, without


class TestUpdate:
    @pytest.mark.slow
    def test_a_larger_run_narrows_the_targets_interval(
        self, four_tasks: Ladder, ladder_fit: Fit
    ) -> None:
        """The 3B run, held out so far, is brought in: 1.7 e-folds less to go."""
        rows = four_tasks.frame.query("run == '3B-5xC'").assign(role="fit", run="3B-new")
        of = update(ladder_fit, rows).moved.query("quantity == 'loss' and task == 'c4'")
        assert (of["width"] < of["width_before"]).all()

    def test_only_the_link_sees_an_early_checkpoint(
        self, small_fit: Fit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The draws are those of before: what matters here is which runs each stage sees."""
        monkeypatch.setattr(
            "bayescale.forecasts.update.fit_many",
            lambda settings, sampler, ladders, **_: iter([replace(small_fit, ladder=ladders[0])]),
        )
        rows = small_fit.ladder.frame
        larger = rows.query("run == '3B-5xC'").assign(role="fit", run="3B-new")
        early = rows.query("run == '13B-5T'").assign(
            role="link", run="13B-early", tokens=1e12, flops=9.1e22
        )
        made = update(small_fit, pd.concat([larger, early]))
        losses, accuracies = made.fit.loss_data, made.fit.accuracy_data
        assert accuracies is not None
        assert {"3B-new", "13B-early"} - set(losses.runs.ravel()) == {"13B-early"}
        assert {"3B-new", "13B-early"} <= set(accuracies.runs.ravel())
        assert np.isfinite(made.moved[["width", "width_before", "shift"]]).all(axis=None)
        assert "of what it was" in repr(made)

    def test_rows_that_no_fit_sees_are_refused(self, four_tasks: Ladder, ladder_fit: Fit) -> None:
        rows = four_tasks.frame.query("run == '3B-5xC'").assign(run="3B-new")
        with pytest.raises(DataError, match="role fit or link"):
            update(ladder_fit, rows)
        with pytest.raises(DataError, match="column 'run'"):
            update(ladder_fit, rows.drop(columns="run"))

    def test_a_name_twice_is_refused(self, four_tasks: Ladder, ladder_fit: Fit) -> None:
        with pytest.raises(DataError, match="'190M-1xC'"):
            update(ladder_fit, four_tasks.frame.query("run == '190M-1xC'"))

    def test_runs_without_flops_are_refused_where_the_ladder_has_them(
        self, four_tasks: Ladder, ladder_fit: Fit
    ) -> None:
        """Otherwise all runs would go by 6ND, without a word."""
        rows = four_tasks.frame.query("run == '3B-5xC'").assign(role="fit", run="3B-new")
        with pytest.raises(DataError, match="must have flops"):
            update(ladder_fit, rows.drop(columns="flops"))


class TestWithout:
    def test_the_fit_is_that_of_the_other_runs_and_keeps_the_reason(
        self, small_fit: Fit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "bayescale.forecasts.update.fit_many",
            lambda settings, sampler, ladders, **_: iter([replace(small_fit, ladder=ladders[0])]),
        )
        run = str(small_fit.loss_data.runs[0, 0])
        made = without(small_fit, run, reason="it diverged")
        assert run not in set(made.fit.loss_data.runs.ravel())
        assert made.fit.ladder.notes[-1] == f"left out by {run!r}: {run}: it diverged"
        assert set(made.moved["target"]) == {"7B-4T", "13B-5T"}

    def test_what_names_no_run_is_refused_before_anything_is_sampled(self, small_fit: Fit) -> None:
        with pytest.raises(SettingError, match="leave_out 'r99'"):
            without(small_fit, "r99")
