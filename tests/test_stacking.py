"""Rivals weighed by how they forecast the ladder's dearest runs: routes from loss to accuracy,
laws, links; and fits with runs added.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.target import Target
from bayescale.errors import DataError, SettingError
from bayescale.extrapolation.weights import weigh
from bayescale.fits.fit import fit
from bayescale.fits.load import load_fit
from bayescale.fits.mixture import stack
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.update import update
from bayescale.models.inputs import AUTO, routes

TASKS = ["hellaswag", "arc_easy"]


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    return load_dataset("ladder2024").where(task=[*TASKS, "c4"])


@pytest.fixture(scope="module")
def two_laws(ladder: Ladder) -> list[Fit]:
    return [fit(ladder, law=law, via="c4", chains=2, draws=100) for law in ("chinchilla", "gadre")]


def table(lpd: dict[float, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"cut": c, "quantity": "loss", "name": "a", "run": f"r{i}", "lpd": v}
            for c, values in lpd.items()
            for i, v in enumerate(values)
        ]
    )


class TestWeights:
    def test_softmax_of_the_sum_over_blocks_of_means(self) -> None:
        """Alike in every cell, so that bootstraps of cells change nothing; two blocks, of which r0
        to r2 is the later: it counts as forecast at cut 2.
        """
        one, other = (
            table({1.0: [0.0] * 5, 2.0: [0.5] * 3}),
            table({1.0: [1.0] * 5, 2.0: [1.5] * 3}),
        )
        mean, sd, cells = weigh([one, other])
        np.testing.assert_allclose(mean, np.exp([0.0, 2.0]) / np.exp([0.0, 2.0]).sum())
        assert sd.max() < 1e-12
        assert cells == 5

    def test_what_two_cuts_forecast_counts_once(self) -> None:
        """As forecast at the later one: the earlier one's miss of r0 is no longer seen."""
        once = weigh([table({2.0: [1.0]}), table({2.0: [0.0]})])
        twice = weigh([table({1.0: [-9.0], 2.0: [1.0]}), table({1.0: [0.0], 2.0: [0.0]})])
        np.testing.assert_allclose(once[0], twice[0])
        assert once[2] == twice[2] == 1

    def test_only_cells_that_all_rivals_forecast_count(self) -> None:
        mean, _, cells = weigh([table({1.0: [0.0, 9.0]}), table({1.0: [1.0]})])
        np.testing.assert_allclose(mean[1], 1 / (1 + np.exp(-1.0)))
        assert cells == 1

    def test_scatter_makes_weights_uncertain(self) -> None:
        _, sd, _ = weigh([table({1.0: [3.0, -3.0, 3.0, -3.0]}), table({1.0: [0.0] * 4})])
        assert sd[0] > 0.1

    def test_cuts_that_disagree_make_weights_uncertain(self) -> None:
        mean, sd, _ = weigh(
            [table({1.0: [2.0] * 8, 2.0: [-2.0] * 4}), table({1.0: [0.0] * 8, 2.0: [0.0] * 4})]
        )
        assert sd[0] > 0.1
        assert mean[0] == pytest.approx(0.5, abs=0.02)

    def test_cells_that_all_members_forecast_alike_tell_nothing(self) -> None:
        """Links of one law are not weighed by its losses, however many there are."""
        one, other = table({1.0: [0.0] * 4}), table({1.0: [1.5] * 4})
        same = table({1.0: [7.0] * 40}).assign(quantity="accuracy")
        alone, beside = (
            weigh([one, other]),
            weigh([pd.concat([one, same]), pd.concat([other, same])]),
        )
        np.testing.assert_allclose(alone[0], beside[0])
        assert weigh([same, same])[0].tolist() == [0.5, 0.5]

    def test_no_past_gives_equal_weights(self) -> None:
        mean, _, cells = weigh(
            [table({}).reindex(columns=["cut", "quantity", "name", "run", "lpd"])] * 3
        )
        np.testing.assert_allclose(mean, 1 / 3)
        assert cells == 0


class TestRoutes:
    def test_own_loss_and_every_validation_loss(self, ladder: Ladder) -> None:
        assert routes(ladder) == [None, "c4"]
        assert routes(load_dataset("gadre2024")) == [None], "its tasks own the c4 loss already"
        assert routes(ladder.where(task=TASKS)) == [None]

    def test_the_default_weighs_both(self, default_fit: Fit) -> None:
        assert default_fit.via == AUTO
        assert [r.via for r in default_fit.members] == [None, "c4"]
        np.testing.assert_allclose(default_fit.weights.groupby("task")["weight"].sum(), 1.0)
        assert default_fit.weights["weight"].between(0.01, 0.99).all(), (
            "a past of three cuts settles nothing"
        )
        assert (default_fit.weights["cells"] > 5).all()

    def test_without_a_past_each_task_goes_through_its_own_loss(self, ladder: Ladder) -> None:
        alone = fit(ladder, law="compute", discrepancy="prior", chains=2, draws=50)
        assert (alone.members, alone.linked_via) == ((), None)

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

    def test_targets_and_held_out_runs_have_no_say(self, ladder: Ladder) -> None:
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

    def test_a_forecast_is_a_mixture_of_the_routes(self, default_fit: Fit) -> None:
        targets = default_fit.ladder.targets("target")
        mixed = (
            forecast(default_fit, targets)
            .draws["accuracy"]
            .sel(target="13B-5T", task="mmlu")
            .to_numpy()
            .ravel()
        )
        each = [
            forecast(r, targets)
            .draws["accuracy"]
            .sel(target="13B-5T", task="mmlu")
            .to_numpy()
            .ravel()
            for r in default_fit.members
        ]
        is_first, is_second = (
            np.isclose(mixed, each[0], rtol=0, atol=0),
            np.isclose(mixed, each[1], rtol=0, atol=0),
        )
        assert (is_first | is_second).all()
        weight = default_fit.weights.query("task == 'mmlu' and member == 0")["weight"].item()
        assert is_first.mean() == pytest.approx(
            weight, abs=4 * np.sqrt(weight * (1 - weight) / len(mixed))
        )

    def test_the_table_says_which_loss_is_the_heaviest(self, default_fit: Fit) -> None:
        frame = forecast(default_fit, default_fit.ladder.targets("target")).to_frame()
        heaviest = default_fit.weights.sort_values("weight").groupby("task")["via"].last()
        for row in frame[frame["quantity"] == "accuracy"].itertuples():
            assert row.via == (row.task if heaviest[row.task] == "own loss" else heaviest[row.task])


class TestStack:
    def test_laws_of_one_ladder(
        self, two_laws: list[Fit], tmp_path_factory: pytest.TempPathFactory
    ) -> None:
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

    def test_what_cannot_be_stacked(self, two_laws: list[Fit], default_fit: Fit) -> None:
        other = dataclasses.replace(
            two_laws[1], ladder=two_laws[1].ladder.where(task=["hellaswag", "c4"])
        )
        own = dataclasses.replace(two_laws[1], via=None)
        refused = {
            "two or more": [two_laws[0]],
            "one ladder": [two_laws[0], other],
            "one route": [default_fit, default_fit],
            "the same for all": [two_laws[0], own],
        }
        for said, fits in refused.items():
            with pytest.raises(SettingError, match=said):
                stack(fits)


class TestUpdate:
    def test_a_dearer_run_narrows_the_targets_interval(
        self, ladder: Ladder, two_laws: list[Fit]
    ) -> None:
        """The 3B run, held out so far, is brought in: 1.7 e-folds less to go."""
        rows = ladder.frame.query("run == '3B-5xC'").assign(role="fit", run="3B-new")
        moved = update(two_laws[0], rows)
        assert "3B-new" in set(moved.fit.loss_data.runs.ravel())
        of = moved.moved.query("quantity == 'loss' and task == 'c4'")
        assert (of["width"] < of["width_before"]).all()
        assert np.isfinite(of["shift"]).all()
        assert "of what it was" in repr(moved)

    def test_only_the_link_sees_an_early_checkpoint(
        self, ladder: Ladder, two_laws: list[Fit]
    ) -> None:
        rows = ladder.frame.query("run == '13B-5T'").assign(
            role="link", run="13B-early", tokens=1e12, flops=9.1e22
        )
        after = two_laws[0].update(rows, targets=[Target(1.3e10, 5e12, flops=4.6e23, name="t")]).fit
        assert "13B-early" not in set(after.loss_data.runs.ravel())
        assert after.accuracy_data is not None
        assert "13B-early" in set(after.accuracy_data.runs.ravel())

    def test_rows_that_no_fit_sees_are_refused(self, ladder: Ladder, two_laws: list[Fit]) -> None:
        rows = ladder.frame.query("run == '3B-5xC'").assign(run="3B-new")
        with pytest.raises(DataError, match="role fit or link"):
            update(two_laws[0], rows)
        with pytest.raises(DataError, match="column 'run'"):
            update(two_laws[0], rows.drop(columns="run"))

    def test_a_name_twice_is_refused(self, ladder: Ladder, two_laws: list[Fit]) -> None:
        with pytest.raises(DataError, match="'190M-1xC'"):
            update(two_laws[0], ladder.frame.query("run == '190M-1xC'"))
