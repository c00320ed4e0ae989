"""Mixtures of fits: rival laws of one ladder."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bayescale.data.ladder import Ladder
from bayescale.errors import SettingError
from bayescale.fits.fit import fit
from bayescale.fits.load import load_fit
from bayescale.fits.mixture import stack
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast


class TestStack:
    @pytest.mark.slow
    def test_laws_of_one_ladder(
        self, ladder: Ladder, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        ladder = ladder.where(task=["hellaswag", "c4"])
        two_laws = [
            fit(ladder, law=law, via="c4", chains=2, draws=100) for law in ("chinchilla", "gadre")
        ]
        mixed = stack(two_laws)
        weights = mixed.weights.set_index("law")["weight"]
        assert weights.sum() == pytest.approx(1.0)
        assert f"law {weights.idxmax()} is the heaviest of a mixture of 2" in repr(mixed)
        target = mixed.ladder.targets("target")
        made, each = forecast(mixed, target), [forecast(f, target) for f in two_laws]
        x, y, z = (
            f.draws["loss"].sel(task="c4", target="7B-4T").to_numpy().ravel() for f in (made, *each)
        )
        assert ((x == y) | (x == z)).all()
        assert 0 < (x == y).mean() < 1
        loss, accuracy = (made.draws[q].sel(target="7B-4T") for q in ("loss", "accuracy"))
        same = (
            loss.sel(task="c4") == each[0].draws["loss"].sel(target="7B-4T", task="c4")
        ).to_numpy()
        other = (
            accuracy.sel(task="hellaswag")
            == each[0].draws["accuracy"].sel(target="7B-4T", task="hellaswag")
        ).to_numpy()
        np.testing.assert_array_equal(same, other), "one draw is of one law throughout"
        shares = made.variance()
        assert (shares.query("quantity == 'loss'")["law parameters"] > 0.02).all(), (
            "which law it is counts as a parameter of the law"
        )
        path = tmp_path_factory.mktemp("stack") / "s.fit"
        mixed.save(path)
        assert forecast(load_fit(path), target).draws.equals(made.draws)
        assert [c.check for c in load_fit(path).checks] == [c.check for c in mixed.checks]

    def test_what_cannot_be_stacked(self, default_fit: Fit, ladder_fit: Fit) -> None:
        other = dataclasses.replace(
            default_fit, ladder=default_fit.ladder.where(task=["hellaswag", "c4"])
        )
        mixture = dataclasses.replace(default_fit, members=(default_fit, default_fit))
        refused = {
            "two or more": [default_fit],
            "one ladder": [default_fit, other],
            "by one law": [mixture, mixture],
            "all through one loss": [default_fit, ladder_fit],
            "must be results of": [default_fit, "gadre"],
        }
        for said, fits in refused.items():
            with pytest.raises(SettingError, match=said):
                stack(fits)  # type: ignore[arg-type]

    @pytest.mark.slow
    def test_targets_and_held_out_runs_have_no_say(self, ladder: Ladder) -> None:
        ladder = ladder.where(task=["hellaswag", "c4"])
        rows = ladder.frame
        unseen = rows["role"].isin(["target", "held_out"])
        planted = Ladder.from_frame(
            rows.assign(
                loss=rows["loss"].where(~unseen, 2 * rows["loss"]),
                accuracy=rows["accuracy"].where(~unseen | rows["accuracy"].isna(), 0.01),
            ),
            tasks=ladder.task_table.reset_index(),
            law="compute",
        )
        one, other = (
            stack([fit(x, law=law, chains=2, draws=60) for law in ("compute", "gadre")])
            for x in (ladder, planted)
        )
        pd.testing.assert_frame_equal(one.weights, other.weights)
        pd.testing.assert_frame_equal(one.discrepancy.to_frame(), other.discrepancy.to_frame())
