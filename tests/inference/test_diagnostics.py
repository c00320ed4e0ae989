"""Checks of the draws and of the ladder's design."""

import arviz_stats
import numpy as np
import pytest
import xarray as xr

from bayescale.checks import worst
from bayescale.data.ladder import Ladder
from bayescale.data.target import Target
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.inference.diagnostics import design_checks, sampler_checks
from bayescale.models.inputs import accuracy_data, loss_data
from bayescale.models.laws import get_law
from bayescale.models.links import get_link
from helpers.fits import small, with_trees


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

    def test_a_draw_that_is_no_number_fails_the_fit_and_its_forecast(
        self, default_fit: Fit
    ) -> None:
        assert default_fit.accuracies is not None
        broken = default_fit.accuracies.copy(deep=True)
        broken["posterior"]["slope"][0, 3] = np.nan
        fitted = with_trees(default_fit, default_fit.losses, broken)
        checks = {c.check: c for c in fitted.checks}
        assert checks["accuracy: draws that are not finite"].status == "fail"
        assert "slope" in checks["accuracy: draws that are not finite"].advice
        assert "loss: draws that are not finite" not in {c.check for c in default_fit.checks}
        made = forecast(fitted, default_fit.ladder.targets("target"))
        assert made.status == "fail"
        assert "Draws that are not finite: accuracy 7B-4T mmlu" in made.note


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


class TestStatusTravels:
    def test_a_short_run_fails_and_every_answer_says_so(self, small_fit: Fit) -> None:
        short = small_fit
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

    def test_e_bfmi_is_that_of_arviz_but_for_the_divisor_of_the_variance(
        self, small_fit: Fit
    ) -> None:
        energy = small_fit.losses["sample_stats"]["energy"]
        draws = energy.sizes["draw"]
        rows = {row.check: row.value for row in sampler_checks(small_fit.losses, "loss")}
        by_arviz = float(arviz_stats.bfmi(energy.values).min())
        assert rows["loss: E-BFMI"] == pytest.approx(by_arviz * draws / (draws - 1), rel=1e-12)
