"""Mixtures of fits: routes from loss to accuracy, and rival laws of one ladder."""

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
from bayescale.fits.settings import AUTO
from bayescale.forecasts.forecast import forecast


class TestRoutes:
    def test_the_default_weighs_both(self, default_fit: Fit) -> None:
        assert default_fit.via == AUTO
        assert [r.via for r in default_fit.members] == [None, "c4"]
        np.testing.assert_allclose(default_fit.weights.groupby("task")["weight"].sum(), 1.0)
        assert default_fit.weights["weight"].between(0.01, 0.99).all(), (
            "a past of three cuts settles nothing"
        )
        assert (default_fit.weights["cells"] > 5).all()

    def test_without_a_past_each_task_goes_through_its_own_loss(self, ladder_fit: Fit) -> None:
        assert (ladder_fit.members, ladder_fit.linked_via) == ((), None)

    def test_checks_of_every_route_and_of_its_past_are_in_sight(self, default_fit: Fit) -> None:
        lighter = default_fit.members[1 - default_fit.heaviest].via or "own loss"
        names = [c.check for c in default_fit.checks]
        for check in (
            "accuracy: divergences",
            "accuracy: R-hat of past slopes",
            "accuracy: share of divergent draws in past fits",
        ):
            assert f"law skaling, link logistic via {lighter}: {check}" in names
        assert len(set(names)) == len(names)

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
        one, other = (fit(x, law="compute", chains=2, draws=60) for x in (ladder, planted))
        pd.testing.assert_frame_equal(one.weights, other.weights)
        pd.testing.assert_frame_equal(one.discrepancy.to_frame(), other.discrepancy.to_frame())


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

    def test_what_cannot_be_stacked(self, default_fit: Fit) -> None:
        own, c4 = default_fit.members
        other = dataclasses.replace(own, ladder=own.ladder.where(task=["hellaswag", "c4"]))
        uncalibrated = dataclasses.replace(
            own, discrepancy=dataclasses.replace(own.discrepancy, kind="prior")
        )
        refused = {
            "two or more": [own],
            "one ladder": [own, other],
            "one route": [default_fit, default_fit],
            "the same for all": [own, c4],
            "a calibrated discrepancy": [own, uncalibrated],
        }
        for said, fits in refused.items():
            with pytest.raises(SettingError, match=said):
                stack(fits)
