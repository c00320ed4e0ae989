"""fit and forecast: the record's columns and dimensions, what a fit may see, what a forecast
refuses, and that a failed check stays in sight.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale.checks import worst
from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.outcomes import outcomes
from bayescale.data.target import Conventions, Target
from bayescale.errors import BayescaleError, DataError, SettingError
from bayescale.fits.fit import Fit, fit
from bayescale.forecasts.forecast import Forecast, forecast
from bayescale.inference.diagnostics import design_checks, sampler_checks
from bayescale.models.inputs import accuracy_data, loss_data
from bayescale.models.laws import get_law
from bayescale.models.links import get_link

GROUPS = {
    "posterior",
    "prior",
    "posterior_predictive",
    "prior_predictive",
    "log_likelihood",
    "log_prior",
    "sample_stats",
    "observed_data",
}
SEVEN = Target(6.9e9, 4e12, name="7B", flops=1.9e23)


def small(frame: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame) -> Ladder:
    """Two tasks of the ladder, one corpus, no C4; `frame` may alter its rows."""
    whole = load_dataset("ladder2024", tasks=["hellaswag", "arc_easy"]).where(
        task=["hellaswag", "arc_easy"]
    )
    return Ladder.from_frame(
        frame(whole.frame),
        tasks=whole.task_table.reset_index(),
        law="compute",
        conventions=whole.conventions,
    )


def quick(ladder: Ladder, seed: int = 0, draws: int = 50) -> Fit:
    return fit(ladder, pooling="none", discrepancy="none", chains=2, draws=draws, seed=seed)


@pytest.fixture(scope="module")
def small_fit() -> Fit:
    return quick(small())


@pytest.fixture(scope="module")
def two_targets(ladder_fit: Fit) -> Forecast:
    return forecast(ladder_fit, ladder_fit.ladder.targets())


def trees(fitted: Fit) -> dict[str, xr.DataTree]:
    assert fitted.accuracies is not None
    return {"losses": fitted.losses, "accuracies": fitted.accuracies}


def same_draws(one: Fit, other: Fit) -> bool:
    return all(
        tree["posterior"].to_dataset().equals(trees(other)[name]["posterior"].to_dataset())
        for name, tree in trees(one).items()
    )


class TestRecord:
    @pytest.mark.parametrize("which", ["losses", "accuracies"])
    def test_groups_and_their_dimensions(self, ladder_fit: Fit, which: str) -> None:
        tree = trees(ladder_fit)[which]
        name, y = {"losses": ("loss_name", "log_loss"), "accuracies": ("task", "accuracy")}[which]
        assert set(tree.children) == GROUPS
        for group in ("posterior_predictive", "prior_predictive", "log_likelihood"):
            assert tree[group][y].dims == ("chain", "draw", name, "run")
        assert tree["observed_data"][y].dims == (name, "run")
        for group in ("posterior", "prior"):
            assert dict(tree[group].sizes)["chain"] == 2
            assert dict(tree[group].sizes)["draw"] == 300
        assert set(tree["posterior"].data_vars) == set(tree["prior"].data_vars)
        for variable in {
            "losses": ("L0", "phi", "psi", "alpha", "beta", "sigma", "E", "A", "B"),
            "accuracies": ("lo", "hi", "slope", "middle", "kappa", "m"),
        }[which]:
            assert tree["posterior"][variable].dims == ("chain", "draw", "corpus", name)
        for statistic in (
            "diverging",
            "energy",
            "n_steps",
            "tree_depth",
            "acceptance_rate",
            "step_size",
            "lp",
        ):
            assert tree["sample_stats"][statistic].dims == ("chain", "draw")

    def test_observed_data_are_the_fitted_rows(self, ladder_fit: Fit) -> None:
        rows = ladder_fit.ladder.with_role("fit").frame.set_index(["task", "run"])
        observed = ladder_fit.losses["observed_data"]["log_loss"].to_series()
        assert len(observed) == len(rows)
        np.testing.assert_allclose(
            np.exp(observed),
            rows["loss"].reindex(pd.MultiIndex.from_tuples(observed.index)),
            rtol=1e-14,
        )
        assert ladder_fit.accuracies is not None
        scored = ladder_fit.accuracies["observed_data"]["accuracy"].to_series()
        np.testing.assert_array_equal(
            scored, rows["accuracy"].reindex(pd.MultiIndex.from_tuples(scored.index))
        )

    def test_constants_are_those_of_the_same_draw(self, ladder_fit: Fit) -> None:
        v, at = ladder_fit.losses["posterior"].to_dataset(), ladder_fit.loss_data.reference
        xr.testing.assert_allclose(v["E"], v["L0"] * v["phi"], rtol=1e-12)
        xr.testing.assert_allclose(
            v["E"] + v["A"] * at.params ** -v["alpha"] + v["B"] * at.tokens ** -v["beta"],
            v["L0"],
            rtol=1e-10,
        )
        xr.testing.assert_allclose(
            v["A"] * at.params ** -v["alpha"], v["psi"] * (v["L0"] - v["E"]), rtol=1e-10
        )

    def test_gadre_constants_are_those_of_the_same_draw(self, gadre_fit: Fit) -> None:
        v, at = gadre_fit.losses["posterior"].to_dataset(), gadre_fit.loss_data.reference
        M, C = at.tokens / at.params, 6 * at.params * at.tokens
        xr.testing.assert_allclose(
            v["E"] + (v["a"] * M ** v["eta"] + v["b"] * M ** -v["eta"]) * C ** -v["eta"],
            v["L0"],
            rtol=1e-10,
        )

    def test_curve_passes_through_the_runs(self, ladder_fit: Fit) -> None:
        """The mean over draws of the predicted log loss lies within five residual sds of every run,
        at the run's own N and D.
        """
        predicted = ladder_fit.losses["posterior_predictive"]["log_loss"].mean(("chain", "draw"))
        sigma = ladder_fit.losses["posterior"]["sigma"].mean(("chain", "draw", "corpus"))
        assert (
            float((abs(predicted - ladder_fit.losses["observed_data"]["log_loss"]) / sigma).max())
            < 5
        )

    def test_the_link_sees_its_runs_too(self, gadre_fit: Fit) -> None:
        """The link sees one run more a corpus than the law does, and no run is of two corpora."""
        assert gadre_fit.accuracies is not None
        assert gadre_fit.losses["observed_data"].sizes["run"] == 15
        assert gadre_fit.accuracies["observed_data"].sizes["run"] == 18
        assert gadre_fit.losses["observed_data"]["corpus"].to_series().value_counts().to_dict() == {
            "c4": 5,
            "redpajama": 5,
            "refinedweb": 5,
        }

    def test_provenance(self, ladder_fit: Fit) -> None:
        attributes = ladder_fit.losses.attrs
        assert (
            attributes["seed"],
            attributes["chains"],
            attributes["draws"],
            attributes["law"],
        ) == (0, 2, 300, "chinchilla")
        assert attributes["data_sha256"] == ladder_fit.ladder.with_role("fit", "link").digest()

    def test_a_fit_cannot_be_changed(self, ladder_fit: Fit) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            ladder_fit.seed = 1  # type: ignore[attr-defined]


class TestFrames:
    def test_diagnostics(self, ladder_fit: Fit) -> None:
        frame = ladder_fit.diagnostics()
        assert list(frame.columns) == ["check", "status", "value", "limit", "advice"]
        for step in ("loss", "accuracy"):
            for what in (
                "R-hat",
                "bulk ESS",
                "tail ESS",
                "divergences",
                "E-BFMI",
                "draws at the tree limit",
            ):
                assert f"{step}: {what}" in frame["check"].to_numpy()
        assert (frame.loc[frame["status"] != "pass", "advice"] != "").all()

    def test_the_sampler_does_not_diverge_on_published_ladders(
        self, ladder_fit: Fit, gadre_fit: Fit
    ) -> None:
        for fitted in (ladder_fit, gadre_fit):
            frame = fitted.diagnostics().set_index("check")
            assert (
                frame.loc[
                    [
                        "loss: divergences",
                        "accuracy: divergences",
                        "loss: draws at the tree limit",
                        "accuracy: draws at the tree limit",
                    ],
                    "value",
                ]
                == 0
            ).all()

    def test_summary_puts_posterior_beside_prior(self, ladder_fit: Fit) -> None:
        frame = ladder_fit.summary()
        figures = ["mean", "sd", "lower", "upper"]
        assert list(frame.columns) == [
            "step",
            "parameter",
            "series",
            *figures,
            *(f"{f}_prior" for f in figures),
        ]
        rows = frame.set_index(["parameter", "series"])
        assert rows.loc[("alpha", "olmo-mix, mmlu"), "step"] == "loss"
        level = frame[frame["parameter"] == "L0"]
        assert len(level) == 9
        assert (level["sd"] < 0.01 * level["sd_prior"]).all(), (
            "sixteen runs tell a level to far better than its prior"
        )
        assert (
            (frame["lower"] <= frame["mean"] + 3 * frame["sd"]) & (frame["lower"] < frame["upper"])
        ).all()

    def test_forecast(self, two_targets: Forecast) -> None:
        frame = two_targets.to_frame()
        assert list(frame.columns) == [
            "target",
            "corpus",
            "task",
            "quantity",
            "mean",
            "median",
            "sd",
            "lower",
            "upper",
            "loss_name",
            "via",
            "verdict",
        ]
        assert len(frame) == 2 * (9 + 8)
        assert set(frame["quantity"]) == {"loss", "accuracy"}
        assert (
            (frame["lower"] < frame["median"])
            & (frame["median"] < frame["upper"])
            & (frame["sd"] > 0)
        ).all()
        shares = frame.loc[frame["quantity"] == "accuracy", ["lower", "upper"]].to_numpy()
        assert ((shares >= 0) & (shares <= 1)).all()
        assert (frame.attrs["prob"], frame.attrs["status"]) == (0.9, two_targets.status)
        assert "too narrow" in frame.attrs["note"]
        assert two_targets.draws["accuracy"].dims == ("chain", "draw", "target", "task")

    def test_a_wider_interval_holds_a_narrower_one(self, two_targets: Forecast) -> None:
        wide, narrow = two_targets.to_frame(prob=0.95), two_targets.to_frame(prob=0.5)
        assert ((wide["lower"] < narrow["lower"]) & (narrow["upper"] < wide["upper"])).all()
        values = two_targets.draws["loss"].sel(target="7B-4T", task="c4")
        row = narrow.query("target == '7B-4T' and task == 'c4'").iloc[0]
        assert ((values > row["lower"]) & (values < row["upper"])).mean() == pytest.approx(
            0.5, abs=0.01
        )

    def test_mean_is_taken_draw_by_draw(self, two_targets: Forecast) -> None:
        tasks = ["mmlu", "hellaswag"]
        frame = two_targets.mean(tasks).set_index("target")
        by_draw = two_targets.draws["accuracy"].sel(target="13B-5T", task=tasks).values.mean(-1)
        assert frame.loc["13B-5T", "mean"] == pytest.approx(by_draw.mean(), rel=1e-12)
        assert frame.loc["13B-5T", "sd"] == pytest.approx(by_draw.std(), rel=1e-12)
        assert frame.loc["13B-5T", "lower"] == pytest.approx(np.quantile(by_draw, 0.05), rel=1e-12)
        assert two_targets.mean().attrs["tasks"] == two_targets.draws.task.values[:8].tolist()

    @pytest.mark.parametrize("tasks", [["mmlu", "c4"], ["gsm8k"], []])
    def test_mean_of_what_has_no_accuracy(self, two_targets: Forecast, tasks: list[str]) -> None:
        with pytest.raises(
            SettingError, match="must be tasks of the forecast that have accuracies"
        ):
            two_targets.mean(tasks)

    @pytest.mark.parametrize("prob", [1.2, 1.0, 0.0, -0.5, float("nan")])
    def test_probability(self, two_targets: Forecast, prob: float) -> None:
        for ask in (lambda: two_targets.to_frame(prob=prob), lambda: two_targets.mean(prob=prob)):
            with pytest.raises(SettingError) as caught:
                ask()
            assert f"prob: must lie between 0 and 1; got {prob}" in str(caught.value)


class TestSeed:
    def test_same_seed_same_draws(self, small_fit: Fit) -> None:
        assert same_draws(quick(small()), small_fit)

    def test_another_seed_other_draws(self, small_fit: Fit) -> None:
        assert not same_draws(quick(small(), seed=1), small_fit)

    def test_forecasts_have_their_own(self, small_fit: Fit) -> None:
        once, again, other = (forecast(small_fit, SEVEN, seed=seed).draws for seed in (3, 3, 4))
        assert once.equals(again)
        assert not once.equals(other)


class TestWhatAFitSees:
    @pytest.mark.parametrize(
        "change",
        [
            lambda f: f.assign(loss=f["loss"].where(f["role"].isin(["fit", "link"]), 9.0)),
            lambda f: f.assign(
                accuracy=f["accuracy"].where(f["role"].isin(["fit", "link"]), 0.123)
            ),
            lambda f: f.assign(accuracy=f["accuracy"].where(f["role"].isin(["fit", "link"]))),
            lambda f: f.assign(
                params=f["params"].where(f["role"].isin(["fit", "link"]), 1e15),
                tokens=f["tokens"].where(f["role"].isin(["fit", "link"]), 7.0),
            ),
            lambda f: f.assign(flops=f["flops"].where(f["role"].isin(["fit", "link"]))),
            lambda f: f[f["role"].isin(["fit", "link"])],
        ],
        ids=["losses", "accuracies", "no accuracies", "sizes", "no flops", "no rows at all"],
    )
    def test_targets_and_held_out_runs_are_invisible(
        self, small_fit: Fit, change: Callable[[pd.DataFrame], pd.DataFrame]
    ) -> None:
        assert set(small_fit.ladder.runs["role"]) == {"fit", "target", "held_out"}
        assert same_draws(quick(small(change)), small_fit)

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

    def test_a_via_loss_that_no_scored_run_has(self) -> None:
        whole = load_dataset("ladder2024", tasks=["mmlu", "c4"])
        rows = whole.frame[(whole.frame["loss_name"] != "c4") | (whole.frame["role"] == "target")]
        with pytest.raises(
            SettingError,
            match="via: must be a loss of the runs that have accuracies; got 'c4'; use one of mmlu",
        ):
            accuracy_data(Ladder.from_frame(rows, tasks=whole.task_table.reset_index()), "c4")

    def test_runs_of_role_fit_are_seen(self, small_fit: Fit) -> None:
        change = small(
            lambda f: f.assign(loss=f["loss"].where(f["role"] != "fit", 1.01 * f["loss"]))
        )
        assert not same_draws(quick(change), small_fit)

    def test_the_ladder_is_kept_as_given(self, small_fit: Fit) -> None:
        assert small_fit.ladder == small()


class TestForecastRefuses:
    @pytest.mark.parametrize(
        ("target", "words"),
        [
            (
                Target(7e9, 1e12, corpus="pile", name="x"),
                "corpus of target 'x': must be one that the ladder was fitted on; got 'pile'; use one of c4, redpajama, refinedweb",
            ),
            (
                Target(7e9, 1e12, name="x"),
                "corpus of target 'x': must be one that the ladder was fitted on; got None",
            ),
            (
                [
                    Target(7e9, 1e12, corpus="c4", name="x"),
                    Target(1e9, 1e11, corpus="c4", name="x"),
                ],
                "targets: must be one or more, with different names; got x, x",
            ),
            ([], "targets: must be one or more, with different names; got none"),
            (
                Target(
                    7e9, 1e12, corpus="c4", name="x", conventions=Conventions(tokenizer="another")
                ),
                "convention of target 'x': tokenizer",
            ),
            (
                Target(7e9, 1e12, corpus="c4", name="x", conventions=Conventions(params="another")),
                "convention of target 'x': params",
            ),
            (
                Target(
                    7e9,
                    1e12,
                    corpus="c4",
                    name="x",
                    conventions=Conventions(loss_units={"c4": "bits/byte"}),
                ),
                "convention of target 'x': unit of loss c4",
            ),
        ],
    )
    def test_targets_unlike_the_ladder(
        self, gadre_fit: Fit, target: Target | list[Target], words: str
    ) -> None:
        with pytest.raises(DataError) as caught:
            forecast(gadre_fit, target)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_conventions_that_agree_or_are_not_stated_pass(self, gadre_fit: Fit) -> None:
        stated = gadre_fit.ladder.conventions
        silent = Conventions()
        targets = [
            Target(7e9, 1e12, corpus="c4", name=str(i), conventions=c)
            for i, c in enumerate((stated, silent, None))
        ]
        frame = forecast(gadre_fit, targets).to_frame()
        assert set(frame["corpus"]) == {"c4"}

    def test_a_single_corpus_need_not_be_named(self, ladder_fit: Fit) -> None:
        assert set(forecast(ladder_fit, SEVEN).to_frame()["corpus"]) == set(
            ladder_fit.ladder.corpora
        )

    @pytest.mark.parametrize(
        ("settings", "error"),
        [
            ({"law": "kaplan"}, SettingError),
            ({"link": "probit"}, SettingError),
            ({"via": "pile"}, SettingError),
            ({"pooling": "some"}, SettingError),
            ({"noise": "cauchy"}, SettingError),
            ({"priors": {"alfa": None}}, SettingError),
            ({"priors": {"gamma": 0.3}}, SettingError),
            ({"chains": 0}, SettingError),
            ({"draws": 2.5}, SettingError),
            ({"seed": -1}, SettingError),
        ],
        ids=str,
    )
    def test_fit_settings(self, settings: dict[str, object], error: type[BayescaleError]) -> None:
        with pytest.raises(error):
            fit(small(), **settings)  # type: ignore[arg-type]

    def test_too_few_runs(self) -> None:
        few = small(lambda f: f[f["run"].isin(f.loc[f["role"] == "fit", "run"].unique()[:2])])
        with pytest.raises(DataError, match="needs at least 3 fitted runs; got 2"):
            fit(few)


class TestDesign:
    """What the runs cannot tell is a warning, and no error."""

    @staticmethod
    def warnings(ladder: Ladder, law: str = "chinchilla") -> dict[str, str]:
        found = design_checks(
            loss_data(ladder), get_law(law), accuracy_data(ladder, None), get_link("logistic")
        )
        assert {c.status for c in found} <= {"warn"}
        return {c.check: c.advice for c in found}

    @staticmethod
    def few(count: int) -> Ladder:
        return small(lambda f: f[f["run"].isin(f.loc[f["role"] == "fit", "run"].unique()[:count])])

    def test_a_published_ladder_has_none(self) -> None:
        assert self.warnings(small()) == {}

    @pytest.mark.parametrize(
        ("runs", "law", "link"), [(5, False, False), (4, True, False), (3, True, True)]
    )
    def test_fewer_runs_than_parameters(self, runs: int, law: bool, link: bool) -> None:
        found = self.warnings(self.few(runs))
        assert ("runs for each parameter of law chinchilla" in found) == law
        assert ("runs for each parameter of link logistic" in found) == link
        assert all(
            f"a series has {runs} runs" in advice and "the prior decides" in advice
            for check, advice in found.items()
            if "parameter" in check
        )

    def test_one_token_multiplier(self) -> None:
        found = self.warnings(small(lambda f: f.assign(tokens=20 * f["params"])))
        assert "the effects of N and D cannot be told apart" in found["spread of ln(D/N)"]
        assert (
            self.warnings(small(lambda f: f.assign(tokens=20 * f["params"])), law="compute") == {}
        )

    def test_no_repetition_for_a_law_of_repeated_data(self) -> None:
        whole = small(lambda f: f.assign(unique_tokens=f["tokens"]))
        for ladder in (small(), whole):
            assert (
                "what law repeated says of repetition is its prior"
                in self.warnings(ladder, law="repeated")["runs that repeat data"]
            )
        assert self.warnings(whole) == {}
        assert "runs that repeat data" not in self.warnings(
            small(lambda f: f.assign(unique_tokens=0.5 * f["tokens"])), law="repeated"
        )


class TestForecast:
    def test_factor_and_note_say_how_far(self, ladder_fit: Fit) -> None:
        """Inside: the ladder's own middle. Beside: its compute, but tokens per parameter that no
        run has.
        """
        runs = ladder_fit.ladder.with_role("fit").runs
        far, inside, beside = (
            Target(7e9, 4e12, name="far"),
            Target(6e8, 2.5e10, name="inside"),
            Target(2e7, 1e12, name="beside"),
        )
        assert 6 * beside.params * beside.tokens < ladder_fit.loss_data.largest_flops
        assert beside.tokens / beside.params > (runs["tokens"] / runs["params"]).max()
        frame = forecast(ladder_fit, [far, inside, beside]).extrapolation.set_index("target")
        assert list(frame.columns) == ["extrapolation_factor", "note"]
        assert frame.loc["far", "extrapolation_factor"] > 50
        assert frame.loc["far", "note"] == ""
        assert frame.loc["inside", "note"] == "inside the ladder: an interpolation"
        assert frame.loc["beside", "note"].startswith(
            "inside the ladder's compute, outside its range of N, D, D/N"
        )

    def test_bigger_is_better(self, ladder_fit: Fit) -> None:
        frame = (
            forecast(ladder_fit, [Target(1e9, 1e11, name="small"), Target(1e11, 1e13, name="big")])
            .to_frame()
            .set_index(["target", "task", "quantity"])["mean"]
        )
        small_one, big = frame["small"], frame["big"]
        assert (big.xs("loss", level="quantity") < small_one.xs("loss", level="quantity")).all()
        assert (
            big.xs("accuracy", level="quantity") > small_one.xs("accuracy", level="quantity")
        ).all()

    def test_forecast_is_law_and_noise(self, small_fit: Fit) -> None:
        """Median of ln loss minus the law's own curve, over the noise: that of a standard
        normal.
        """
        v, target = (
            small_fit.losses["posterior"].to_dataset().isel(corpus=0, drop=True),
            Target(7e9, 1e12, flops=4e22),
        )
        draws = (
            forecast(small_fit, target)
            .draws["loss"]
            .isel(target=0, drop=True)
            .rename(task="loss_name")
        )
        C = 4e22 if small_fit.loss_data.compute_is_measured else target.compute_6nd
        z = (np.log(draws) - np.log(v["E"] + v["A"] * C ** -v["gamma"])) / v["sigma"]
        assert abs(float(z.mean())) < 4 / np.sqrt(z.size)
        assert float(z.std()) == pytest.approx(1.0, abs=4 / np.sqrt(2 * z.size))

    def test_shift_widens_the_loss(self, small_fit: Fit) -> None:
        plain, shifted = (
            forecast(
                small_fit, dataclasses.replace(Target(7e9, 1e12, name="x", flops=4e22), shift=s)
            ).draws["loss"]
            for s in (None, 0.2)
        )
        assert (np.log(shifted).std() > 1.5 * np.log(plain).std()).all()

    def test_a_shift_is_said(self, small_fit: Fit) -> None:
        made = forecast(
            small_fit,
            [
                Target(7e9, 1e12, name="x", flops=4e22, shift=0.02),
                Target(7e9, 1e12, name="y", flops=4e22),
            ],
        )
        assert made.extrapolation["note"].tolist() == [
            "widened on purpose by 0.02 of log loss (shift)",
            "",
        ]
        assert (
            made.to_frame()
            .attrs["note"]
            .endswith(" Widened on purpose, by an sd of log loss: x 0.02.")
        )

    def test_targets_of_one_forecast_are_joint(self, ladder_fit: Fit) -> None:
        """Two sizes next to one another share the law's uncertainty."""
        one = (
            forecast(ladder_fit, [Target(1e11, 1e13, name="a"), Target(1.1e11, 1.1e13, name="b")])
            .draws["loss"]
            .sel(task="mmlu")
        )
        assert np.corrcoef(np.ravel(one.sel(target="a")), np.ravel(one.sel(target="b")))[0, 1] > 0.5


class TestStatusTravels:
    def test_a_short_run_fails_and_every_answer_says_so(self) -> None:
        short = quick(small(), draws=10)
        assert short.status == "fail"
        assert "checks: fail" in repr(short)
        made = forecast(short, Target(7e9, 1e12, name="x", flops=4e22))
        assert (made.status, made.draws.attrs["status"]) == ("fail", "fail")
        assert made.to_frame().attrs["status"] == made.mean().attrs["status"] == "fail"
        assert "checks of the fit: fail" in repr(made)

    def test_one_chain_has_a_check_that_did_not_run(self, small_fit: Fit) -> None:
        groups = {
            name: small_fit.losses[name].to_dataset().isel(chain=[0])
            for name in ("posterior", "sample_stats")
        }
        found = sampler_checks(xr.DataTree.from_dict(groups), "loss")
        assert {c.check: c.status for c in found}["loss: R-hat"] == "not run"
        assert worst([c for c in found if c.status in ("pass", "not run")]) == "fail"


def test_the_two_steps_share_no_random_numbers(ladder_fit: Fit) -> None:
    """Their draws are paired in a forecast, so they must be independent: each standardised draw of
    one against every one of the other.
    """
    assert ladder_fit.accuracies is not None
    prior = [
        np.log(tree["prior"][name].values.reshape(-1, tree["prior"][name][0, 0].size))
        for tree, name in ((ladder_fit.losses, "L0"), (ladder_fit.accuracies, "slope"))
    ]
    posterior = [
        tree["posterior"][name].values.reshape(-1, tree["posterior"][name][0, 0].size)
        for tree, name in ((ladder_fit.losses, "sigma"), (ladder_fit.accuracies, "noise_ratio"))
    ]
    for one, other in (prior, posterior):
        k, draws = one.shape[1], one.shape[0]
        correlation = np.corrcoef(one.T, other.T)[:k, k:]
        assert np.abs(correlation).max() < 5 / np.sqrt(draws)
