"""backtest: no leakage, a fold is a fit of the smaller runs, and its settings."""

import pandas as pd
import pytest

from bayescale.backtests.backtest import backtest
from bayescale.backtests.cuts import below
from bayescale.backtests.record import (
    OURS,
    Backtest,
)
from bayescale.backtests.splits import default_cuts
from bayescale.data.ladder import Ladder
from bayescale.errors import SettingError
from bayescale.fits.fit import fit
from bayescale.forecasts.forecast import forecast
from helpers.backtests import HELD

TASKS = ["hellaswag", "arc_easy"]


class TestCases:
    def test_every_run_above_a_cut_is_a_case(self, loss_ladder: Ladder, held: Backtest) -> None:
        assert set(held.cases["model"]) == {OURS}
        for cut, of in held.cases.groupby("cut"):
            compute = loss_ladder.compute()
            assert set(of["run"]) == set(compute.index[compute > 1.02 * cut])
            assert set(zip(of["quantity"], of["name"], strict=True)) == {("loss", "c4")}
        assert set(held.cases["cut"]) == set(HELD["cuts"])

    @pytest.mark.slow
    def test_cases_have_losses_and_accuracies(
        self, ladder: Ladder, small_backtest: Backtest
    ) -> None:
        for cut, of in small_backtest.cases.groupby("cut"):
            larger = set(ladder.compute().index[ladder.compute() > 1.02 * cut])
            assert set(of["run"]) == larger
            assert set(of.loc[of["quantity"] == "loss", "name"]) == {*TASKS, "c4"}
            assert set(of.loc[of["quantity"] == "accuracy", "name"]) == set(TASKS)

    def test_actual_figures_are_the_tables(self, loss_ladder: Ladder, held: Backtest) -> None:
        known = loss_ladder.frame.set_index(["run", "task"])
        for row in held.cases.sample(20, random_state=0).itertuples():
            assert row.actual == known.loc[(row.run, row.name), row.quantity]

    @pytest.mark.slow
    def test_a_fold_is_a_fit_of_the_smaller_runs(
        self, ladder: Ladder, small_backtest: Backtest
    ) -> None:
        """The masked, widened rectangle of a fold gives the posterior that a fit of its runs alone
        gives.
        """
        cut = float(small_backtest.cases["cut"].min())
        alone = fit(
            below(ladder.with_role("fit"), cut),
            law="compute",
            via=None,
            chains=2,
            draws=400,
            seed=5,
        )
        targets = [t for t in ladder.targets("fit") if t.label == "1B-10xC"]
        draws = (
            forecast(alone, targets)
            .draws["loss"]
            .sel(target="1B-10xC", task="c4")
            .to_numpy()
            .ravel()
        )
        ours = small_backtest.cases.query(
            "model == @OURS and quantity == 'loss' and run == '1B-10xC' "
            "and name == 'c4' and cut == @cut"
        ).iloc[0]
        assert ours["mean"] == pytest.approx(draws.mean(), abs=0.4 * draws.std())
        assert ours["sd"] == pytest.approx(draws.std(), rel=0.35)

    @pytest.mark.slow
    def test_a_planted_future_changes_no_forecast(
        self, ladder: Ladder, small_backtest: Backtest
    ) -> None:
        (cut,) = default_cuts(ladder)[-2:-1]
        rows = ladder.frame
        beyond = rows["run"].map(ladder.compute()) > 1.02 * cut
        planted = Ladder.from_frame(
            rows.assign(
                loss=rows["loss"].where(~beyond, 2 * rows["loss"]),
                accuracy=rows["accuracy"].where(~beyond | rows["accuracy"].isna(), 0.01),
            ),
            tasks=ladder.task_table.reset_index(),
        )
        settings = {"law": "compute", "via": None, "chains": 2, "draws": 150}
        after = backtest(planted, cuts=[cut], baselines=False, **settings)
        one, other = small_backtest.cases, after.cases
        assert len(one) > 20
        pd.testing.assert_frame_equal(
            one[["run", "name", "median", "lower_90", "upper_90"]].reset_index(drop=True),
            other[["run", "name", "median", "lower_90", "upper_90"]].reset_index(drop=True),
        )
        assert set(one["actual"]) != set(other["actual"])


class TestSettings:
    @pytest.mark.parametrize("cuts", [[], ["1e21"], "1e21", [-1e21]])
    def test_cuts_are_a_list_of_numbers(self, ladder: Ladder, cuts: object) -> None:
        with pytest.raises(SettingError, match="cuts: must be positive numbers"):
            backtest(ladder, cuts=cuts)  # type: ignore[arg-type]

    @pytest.mark.slow
    def test_cuts_by_size_and_tokens(self, ladder: Ladder) -> None:
        found = backtest(
            ladder,
            by="params",
            cuts=[7.6e8],
            law="compute",
            via="c4",
            discrepancy="none",
            baselines=False,
            chains=2,
            draws=60,
        )
        beyond = set(ladder.runs.index[ladder.runs["params"] > 7.7e8])
        assert set(found.cases["run"]) == beyond

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"by": "loss"}, "flops, params, tokens"),
            ({"cuts": [1.0]}, "both sides"),
            ({"cuts": [1e30]}, "both sides"),
            ({"discrepancy": "much"}, "discrepancy"),
            ({"law": "auto"}, "one law"),
        ],
    )
    def test_bad_input(self, ladder: Ladder, settings: dict[str, object], said: str) -> None:
        with pytest.raises(SettingError, match=said):
            backtest(ladder, **settings)
