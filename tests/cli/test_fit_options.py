"""A saved fit in place of runs: the library's figures, and nothing is sampled."""

from pathlib import Path

import pandas as pd
import pytest

from bayescale.data.target import Target
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from helpers.command import parse, run_here


@pytest.mark.usefixtures("no_sampling")
class TestSavedFit:
    def test_a_forecast_is_that_of_the_library(
        self, saved: Path, default_fit: Fit, tmp_path: Path
    ) -> None:
        size = ["--params", "7e9", "--tokens", "2e12", "--seed", "5"]
        outcome = run_here("forecast", "--fit", saved, *size, "--json", "--csv", tmp_path / "f.csv")
        assert outcome.status == (1 if default_fit.status == "fail" else 0)
        assert parse(outcome.out)["sampler"]["draws"] == default_fit.sampler.draws
        wanted = forecast(default_fit, Target(7e9, 2e12), seed=5).to_frame()
        table = pd.read_csv(tmp_path / "f.csv")[wanted.columns]
        pd.testing.assert_frame_equal(table, wanted, rtol=1e-9, check_dtype=False)

    @pytest.mark.parametrize(
        ("words", "named"),
        [
            (["runs.csv"], "runs"),
            (["--dataset", "gadre2024"], "dataset"),
            (["--law", "gadre", "--draws", "20"], "law, draws"),
            (["--with-reruns"], "reruns"),
        ],
    )
    def test_a_choice_that_the_fit_holds_already_is_refused(
        self, words: list[str], named: str, saved: Path
    ) -> None:
        outcome = run_here("forecast", "--fit", saved, *words)
        assert (outcome.status, outcome.out) == (2, "")
        assert f"--fit: holds runs, model and draws of its own; got a value of {named} too" in (
            outcome.err
        )

    def test_a_file_that_is_no_fit_is_told_in_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "a.fit").write_text("run,params\n")
        outcome = run_here("forecast", "--fit", tmp_path / "a.fit")
        assert (outcome.status, outcome.err.count("\n")) == (2, 1)
        assert "must be a whole file that Fit.save wrote" in outcome.err

    def test_a_decision_from_it_needs_a_value_of_its_own(self, saved: Path) -> None:
        outcome = run_here("decide", "--fit", saved)
        assert outcome.status == 2
        assert "needs --worth and --threshold" in outcome.err
