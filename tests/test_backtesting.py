"""Backtests: no leakage, the same fold as a fit of the cheap runs, coverage and scores as they are
defined, and resuming what was interrupted.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bayescale import plots
from bayescale.backtests import backtest as backtesting
from bayescale.backtests.backtest import backtest, default_cuts
from bayescale.backtests.record import (
    LARGEST_RUN,
    NO_DISCREPANCY,
    OURS,
    POINT_FITS,
    UNPOOLED,
    Backtest,
    factor_bin,
)
from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.errors import DataError, SettingError
from bayescale.extrapolation.cuts import below
from bayescale.fits.fit import Fitter, fit, make_settings
from bayescale.forecasts.forecast import forecast
from bayescale.inference.nuts import Sampler
from bayescale.point_fits.bhagia2024 import ladder_loss
from bayescale.point_fits.solver import bootstrap, solve

TASKS = ["hellaswag", "arc_easy"]


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    return load_dataset("ladder2024").where(task=[*TASKS, "c4"])


@pytest.fixture(scope="module")
def tested(ladder: Ladder) -> Backtest:
    return backtest(
        ladder, cuts=default_cuts(ladder)[-2:], law="compute", via=None, chains=2, draws=150
    )


class TestCases:
    def test_every_dearer_run_that_came_out_is_a_case(
        self, ladder: Ladder, tested: Backtest
    ) -> None:
        ours = tested.cases[tested.cases["model"] == OURS]
        for cut, of in ours.groupby("cut"):
            dearer = set(ladder.compute().index[ladder.compute() > 1.02 * cut])
            assert set(of["run"]) == dearer
            assert set(of.loc[of["quantity"] == "loss", "name"]) == {*TASKS, "c4"}
            assert set(of.loc[of["quantity"] == "accuracy", "name"]) == set(TASKS)

    def test_models_are_ours_and_the_rivals(self, tested: Backtest) -> None:
        assert set(tested.cases["model"]) == {
            OURS,
            NO_DISCREPANCY,
            UNPOOLED,
            POINT_FITS,
            LARGEST_RUN,
        }
        assert set(tested.folds["model"]) == set(tested.cases["model"])

    def test_actual_figures_are_the_tables(self, ladder: Ladder, tested: Backtest) -> None:
        known = ladder.frame.set_index(["run", "task"])
        for row in tested.cases.sample(20, random_state=0).itertuples():
            assert row.actual == known.loc[(row.run, row.name), row.quantity]

    def test_a_fold_is_a_fit_of_the_cheap_runs(self, ladder: Ladder, tested: Backtest) -> None:
        """The masked, widened rectangle of a fold gives the posterior that a fit of its runs alone
        gives.
        """
        cut = float(tested.cases["cut"].min())
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
        ours = tested.cases.query(
            "model == @OURS and quantity == 'loss' and run == '1B-10xC' and name == 'c4' and cut == @cut"
        ).iloc[0]
        assert ours["mean"] == pytest.approx(draws.mean(), abs=0.4 * draws.std())
        assert ours["sd"] == pytest.approx(draws.std(), rel=0.35)

    def test_ladders_of_the_same_runs_and_other_figures_are_told_apart(
        self, ladder: Ladder
    ) -> None:
        rows = ladder.with_role("fit").frame
        twice = [
            Ladder.from_frame(
                rows.assign(loss=rows["loss"] * by),
                tasks=ladder.task_table.reset_index(),
                law="compute",
            )
            for by in (1.0, 2.0)
        ]
        plain = {
            "law": None,
            "link": None,
            "via": None,
            "pooling": "partial",
            "discrepancy": "none",
            "noise": "normal",
            "blocks": None,
            "priors": None,
        }
        fits = Fitter(make_settings(twice[0], **plain), Sampler(chains=2, draws=60), twice)
        one, two = (fits.fit(i).losses["posterior"]["L0"].mean() for i in range(2))
        assert float(two / one) == pytest.approx(2.0, rel=0.05)

    def test_a_planted_future_changes_no_forecast(self, ladder: Ladder) -> None:
        cut = default_cuts(ladder)[-2]
        rows = ladder.frame
        beyond = rows["run"].map(ladder.compute()) > 1.02 * cut
        planted = Ladder.from_frame(
            rows.assign(
                loss=rows["loss"].where(~beyond, 2 * rows["loss"]),
                accuracy=rows["accuracy"].where(~beyond | rows["accuracy"].isna(), 0.01),
            ),
            tasks=ladder.task_table.reset_index(),
        )
        settings = {"cuts": [cut], "law": "compute", "chains": 2, "draws": 60, "baselines": False}
        one, other = (backtest(x, **settings).cases for x in (ladder, planted))
        assert len(one) > 20
        pd.testing.assert_frame_equal(
            one[["run", "name", "median", "lower_90", "upper_90"]],
            other[["run", "name", "median", "lower_90", "upper_90"]],
        )
        assert not one["actual"].equals(other["actual"])


class TestSummaries:
    def test_coverage_counts_clusters_and_its_bootstrap_holds_it(self, tested: Backtest) -> None:
        found = tested.coverage()
        assert set(found["prob"]) == {0.5, 0.8, 0.9, 0.95}
        assert found["coverage"].between(found["lower"], found["upper"]).all()
        by_prob = found.groupby(["quantity", "factor"])["coverage"]
        assert by_prob.apply(lambda c: c.is_monotonic_increasing).all(), (
            "a wider interval holds more"
        )

    def test_scores_of_made_up_cases(self) -> None:
        base = {
            "model": OURS,
            "cut": 1.0,
            "corpus": "a",
            "quantity": "accuracy",
            "role": "fit",
            "extrapolation_factor": 2.0,
            "mean": 0.5,
            "sd": 0.1,
        }
        ends = {
            f"{end}_{p}": v for end, v in (("lower", 0.4), ("upper", 0.6)) for p in (50, 80, 90, 95)
        }
        rows = [
            base
            | ends
            | {
                "run": f"r{i}",
                "name": name,
                "actual": a,
                "median": 0.5,
                "error": 100 * (0.5 - a),
                "crps": c,
                "interval_score": 20.0,
            }
            for i, (name, a, c) in enumerate([("t", 0.45, 1.0), ("t", 0.75, 3.0), ("u", 0.5, 5.0)])
        ]
        made = Backtest(
            pd.DataFrame(rows),
            pd.DataFrame([{"model": OURS, "cut": 1.0, "status": "pass", "failed": ""}]),
            "flops",
        )
        scores = made.scores().iloc[0]
        assert scores["crps"] == pytest.approx((2.0 + 5.0) / 2), "within a series first"
        assert scores["inside_90"] == pytest.approx((0.5 + 1.0) / 2)
        assert scores["absolute_error"] == pytest.approx((15.0 + 0.0) / 2)
        assert scores["width_90"] == pytest.approx(20.0)
        assert made.coverage().query("prob == 0.9")["clusters"].item() == 1, "one cut"

    def test_bins(self) -> None:
        assert list(factor_bin(pd.Series([0.5, 2.0, 5.0, 20.0, 50.0, 200.0])).astype(str)) == [
            "up to 1",
            "1-3",
            "3-10",
            "10-30",
            "30-100",
            "> 100",
        ]

    def test_figures(self, tested: Backtest) -> None:
        for quantity in ("loss", "accuracy"):
            assert quantity in plots.plot_error(tested, quantity=quantity).get_title()
            assert plots.plot_calibration(tested, quantity=quantity).get_xlim() == (0.4, 1.0)
            assert (
                plots.plot_truth(tested, quantity=quantity)
                .get_xlabel()
                .startswith(f"actual {quantity}")
            )
        broken = dataclasses.replace(
            tested, folds=tested.folds.assign(status="fail", failed="loss: R-hat 1.2")
        )
        for plot in (plots.plot_error, plots.plot_calibration, plots.plot_truth):
            assert "CHECKS OF THE FIT: FAIL" in plot(broken, quantity="loss").get_title()
        assert broken.coverage().attrs["status"] == broken.scores().attrs["status"] == "fail"
        assert "loss: R-hat 1.2" in broken._repr_html_()
        with pytest.raises(SettingError, match="quantity"):
            plots.plot_error(tested, quantity="perplexity")


class TestResuming:
    def test_what_is_done_is_kept_and_taken_up(
        self,
        ladder: Ladder,
        tmp_path_factory: pytest.TempPathFactory,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        folder = tmp_path_factory.mktemp("cache")
        monkeypatch.setattr("bayescale.keeping.cache_folder", lambda: folder / "jax")
        settings = {
            "cuts": default_cuts(ladder)[-2:],
            "law": "compute",
            "via": None,
            "baselines": False,
            "discrepancy": "prior",
            "chains": 2,
            "draws": 60,
        }
        whole = backtest(ladder, **settings)
        assert not list(folder.rglob("*.csv")), "nothing is left behind"
        made, original = [], backtesting._fold

        def interrupted(*arguments: object) -> object:
            if len(made) == 1:
                raise KeyboardInterrupt
            made.append(arguments)
            return original(*arguments)

        monkeypatch.setattr(backtesting, "_fold", interrupted)
        with pytest.raises(KeyboardInterrupt):
            backtest(ladder, **settings)
        assert len(list(folder.rglob("*.csv"))) == 2, "cases and folds of the first cut"
        seen: list[object] = []
        monkeypatch.setattr(backtesting, "_fold", lambda *a: (seen.append(a), original(*a))[1])
        again = backtest(ladder, **settings)
        assert len(seen) == 1
        pd.testing.assert_frame_equal(again.cases, whole.cases)
        pd.testing.assert_frame_equal(again.folds, whole.folds)


class TestSettings:
    @pytest.mark.parametrize("cuts", [1e21, [], ["1e21"], "1e21"])
    def test_cuts_are_a_list_of_numbers(self, ladder: Ladder, cuts: object) -> None:
        with pytest.raises(SettingError, match="cuts: must be a list of numbers"):
            backtest(ladder, cuts=cuts)  # type: ignore[arg-type]

    def test_cuts_that_leave_the_same_runs_are_one(self, ladder: Ladder) -> None:
        settings = {
            "law": "compute",
            "via": "c4",
            "discrepancy": "none",
            "baselines": False,
            "chains": 2,
            "draws": 60,
        }
        assert len(backtest(ladder, cuts=[1.01e21, 1e21, 1e21], **settings).folds) == 1

    def test_a_model_that_was_not_tested_is_told(self, tested: Backtest) -> None:
        with pytest.raises(SettingError, match="no discrepancy"):
            tested.coverage("nodiscrepancy")

    def test_a_series_of_two_sizes_leaves_the_others_their_cuts(self) -> None:
        sizes = {"web": [1e8, 2e8, 4e8, 8e8], "code": [1e8, 8e8]}
        rows = [
            {
                "run": f"{corpus}-{n}-{i}",
                "corpus": corpus,
                "params": n,
                "tokens": 2e9 * 3**i,
                "task": "validation",
                "loss": 2.0 + i * 0.01,
            }
            for corpus, of in sizes.items()
            for n in of
            for i in range(5)
        ]
        assert len(default_cuts(Ladder.from_frame(pd.DataFrame(rows)))) >= 2

    def test_cuts_by_size_and_tokens(self, ladder: Ladder) -> None:
        assert (
            default_cuts(ladder, "params")
            == sorted(set(ladder.with_role("fit").runs["params"]))[2:]
        ), "two sizes tell no law"
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

    def test_a_ladder_without_a_future(self, ladder: Ladder) -> None:
        with pytest.raises(DataError, match="dearer"):
            default_cuts(ladder.with_role("fit").up_to(flops=1e20))


def test_residual_bootstrap_of_a_known_noise() -> None:
    """Its spread at a run in the middle is that of the noise and of the fit: between one and two
    residual sds.
    """
    rng = np.random.default_rng(3)
    N, D = 10 ** rng.uniform(8, 9.5, 40), 10 ** rng.uniform(9.5, 11, 40)
    loss = (1.7 + 400 * N**-0.34 + 400 * D**-0.28) * np.exp(0.01 * rng.standard_normal(40))
    drawn = bootstrap(solve(ladder_loss(N, D, loss)), (np.array([1e9]), np.array([2e10])), 200, rng)
    assert drawn.shape == (200, 1)
    assert 0.008 < np.log(drawn).std() < 0.02
