"""Both papers' released figures come back, a figure that does not is told, and what needs every
checkpoint says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.cli import app
from bayescale.data.datasets.released import load_released
from bayescale.errors import FileError, SettingError
from bayescale.papers.analysis import digits, row, table
from bayescale.papers.reproduce import PAPERS, Analysis, Reproduction, reproduce

# published.md, typed from there: mean absolute errors in points.
PUBLISHED_MEANS = {
    "chained": {"first four, 7B-4T (4)": 0.95, "first four, 13B-5T (4)": 1.25, "all 16 (16)": 3.99},
    "step2": {"first four, 7B-4T (4)": 1.42, "first four, 13B-5T (4)": 1.30, "all 16 (16)": 2.39},
    "compute-only": {
        "first four, 7B-4T (4)": 1.78,
        "first four, 13B-5T (4)": 2.37,
        "all 16 (16)": 3.40,
    },
    "single-step": {"first four, 7B-4T (4)": 1.73, "first four, 13B-5T (4)": 2.25},
    "c4": {
        "first four, 7B-4T (4)": 2.25,
        "first four, 13B-5T (4)": 3.31,
        "7B-4T, all 8 (8)": 2.00,
        "13B-5T, all 8 (8)": 3.45,
        "all 16 (16)": 2.73,
    },
}


@pytest.fixture(scope="module")
def analysed(shared_data: Path) -> Callable[[str, str], Analysis]:
    """One analysis, each run once."""
    done: dict[tuple[str, str], Analysis] = {}

    def get(paper: str, name: str) -> Analysis:
        if (paper, name) not in done:
            done[paper, name] = reproduce(paper, analysis=name, data=shared_data).analyses[0]
        return done[paper, name]

    return get


class TestGadre:
    def test_every_coefficient_to_four_digits(self) -> None:
        found = reproduce("gadre2024", analysis="coefficients").analyses[0]
        compared = found.frame.dropna(subset=["released"])
        assert len(compared) == 3 * 4 + 6 * 3
        assert compared["agrees"].eq(True).all()
        # published.md, typed from there
        redpajama = compared[compared["corpus"] == "redpajama"].set_index(["fit", "coefficient"])[
            "here"
        ]
        assert redpajama["loss"].to_dict() == pytest.approx(
            {"alpha": 166.2110, "beta": 366.6872, "p": -0.272851, "E": 1.83665}, rel=5e-5
        )
        assert redpajama["error, average17"].to_dict() == pytest.approx(
            {"k": 2.2065, "gamma": 0.71459, "eps": 0.85699}, rel=5e-5
        )

    def test_headline_errors_and_every_run_that_was_not_fitted(self) -> None:
        found = reproduce("gadre2024", analysis="predictions").analyses[0]
        assert found.frame["agrees"].eq(True).all()
        # the loss of the fitted runs, both averages of those and of the link's
        assert len(found.frame) == 3 * 104 - 3 * 5 - 2 * 3 * 6
        error = found.frame.set_index(["run", "of"])["here"]
        published = {("1.4B-M640", "loss, c4"): 0.7103, ("6.9B-M20", "loss, c4"): 0.7320}
        published |= {
            ("1.4B-M640", "error, average17"): 3.6365,
            ("6.9B-M20", "error, average17"): 0.0464,
        }
        published |= {
            ("1.4B-M640", "error, average46"): 3.4362,
            ("6.9B-M20", "error, average46"): 2.0969,
        }
        assert {k: error[f"redpajama-{k[0]}", k[1]] for k in published} == pytest.approx(
            published, abs=5.1e-5
        )

    def test_compute_is_the_papers(self) -> None:
        times = (
            reproduce("gadre2024", analysis="compute")
            .analyses[0]
            .frame.set_index(["run", "of"])["times"]
        )
        assert times["redpajama-1.4B-M640", "loss"] == pytest.approx(300, rel=0.15)
        assert times["redpajama-6.9B-M20", "error"] == pytest.approx(20, rel=0.1)

    def test_a_task_without_an_optimum_has_a_message_and_no_figure(self) -> None:
        frame = reproduce("gadre2024", analysis="tasks").analyses[0].frame
        failed = frame[frame["note"].notna() & frame["note"].ne("")]
        assert len(failed) > 0
        assert failed["predicted"].isna().all()
        assert frame.drop(failed.index)["predicted"].notna().all()
        assert frame.groupby("corpus")["task"].nunique().eq(46).all()


class TestBhagia:
    @pytest.mark.parametrize(
        "name", ["step1", "step2", "chained", "compute-only", "single-step", "c4"]
    )
    def test_released_figures_come_back(
        self, analysed: Callable[[str, str], Analysis], name: str
    ) -> None:
        found = analysed("bhagia2024", name)
        assert found.frame["agrees"].notna().sum() >= 5
        assert found.differing.empty

    @pytest.mark.parametrize("name", PUBLISHED_MEANS)
    def test_mean_errors_are_the_published_ones(
        self, analysed: Callable[[str, str], Analysis], name: str
    ) -> None:
        means = (
            analysed("bhagia2024", name)
            .frame.query("what == 'mean absolute error'")
            .set_index("task")["here"]
        )
        assert {k: means[k] for k in PUBLISHED_MEANS[name]} == pytest.approx(
            PUBLISHED_MEANS[name], abs=0.0051
        )

    def test_only_the_single_step_that_had_not_converged_lacks_a_figure(
        self, analysed: Callable[[str, str], Analysis]
    ) -> None:
        frame = analysed("bhagia2024", "single-step").frame
        assert set(frame.loc[frame["here"].isna(), "task"]) == {"openbookqa"}
        assert frame.loc[frame["here"].isna(), "note"].str.contains("second optimiser").all()

    def test_noise_of_the_last_checkpoints_goes_with_the_error(
        self, analysed: Callable[[str, str], Analysis]
    ) -> None:
        frame = analysed("bhagia2024", "variance").frame.set_index("task")
        assert frame.loc["hellaswag", "loss SD (%)"] == pytest.approx(0.0915, abs=5e-4)
        assert np.corrcoef(frame["loss SD (%)"], frame["step 1 error (%)"].abs())[0, 1] > 0.8

    @pytest.mark.slow
    def test_a_smaller_ladder_forecasts_worse_and_too_small_a_one_not_at_all(
        self, analysed: Callable[[str, str], Analysis]
    ) -> None:
        frame = analysed("bhagia2024", "smaller-ladders").frame
        by_compute = frame[frame["cut by"] == "flops"]
        size = by_compute["chained error (%)"].abs().groupby(by_compute["runs"]).mean()
        assert size[16] == pytest.approx(5.85, abs=0.01)
        assert size[6:10].min() > size[16]
        assert (
            by_compute.loc[by_compute["runs"] < 5, "note"]
            .str.contains("runs for 5 parameters")
            .all()
        )


@pytest.mark.slow
class TestPosteriors:
    def test_corpora_share_the_exponent_more_than_the_prior_says(self) -> None:
        frame = reproduce("gadre2024", analysis="exponents").analyses[0].frame
        assert frame["checks"].ne("fail").all()
        spread = frame.set_index("parameter").loc["sd_eta_corpus"]
        assert spread["mean"] < spread["mean_prior"]
        assert frame["parameter"].eq("eta").sum() == 3 * 8

    def test_over_trained_runs_are_scored_by_multiplier(self) -> None:
        frame = reproduce("gadre2024", analysis="over-training").analyses[0].frame
        assert set(frame["M"]) == {"80", "160", "320", "640", "all"}
        clean = frame[frame["fitted"].eq("M 20 and 40 only") & frame["M"].eq("all")].iloc[0]
        assert (
            clean["absolute error"]
            < frame[frame["fitted"].eq("all, normal noise") & frame["M"].eq("all")].iloc[0][
                "absolute error"
            ]
        )

    def test_every_route_is_scored_on_every_pair(self) -> None:
        frame = reproduce("bhagia2024", analysis="alternatives").analyses[0].frame
        pairs = frame[frame["task"] != "mean of 16"]
        assert pairs.groupby("route").size().to_dict() == {
            "own loss": 16,
            "C4 loss": 16,
            "compute only": 16,
            "single step": 16,
        }
        assert (pairs["lower"] < pairs["upper"]).all()
        assert pairs["checks"].ne("fail").all()


class TestComparing:
    def test_digits_is_half_a_unit_in_the_fourth(self) -> None:
        assert [digits(v) for v in (113.6926, -0.2424722, 2.0789)] == pytest.approx(
            [0.05, 5e-5, 5e-4]
        )

    def test_a_figure_beyond_its_bound_differs(self) -> None:
        rows = [
            row({"task": "a"}, 1.0, 1.04, 0.05),
            row({"task": "b"}, 1.0, 1.06, 0.05),
            row({"task": "c"}, None, 3.0),
        ]
        found = Analysis("mine", "", table(rows))
        assert list(found.differing["task"]) == ["b"]
        assert Reproduction("paper", (found,), {}).agrees is False

    def test_a_fit_that_failed_differs_unless_the_released_one_had_failed_too(self) -> None:
        rows = [
            row({"task": "known"}, 1.0, "no fit: why", None),
            row({"task": "new"}, 1.0, "no fit: why", 0.1),
        ]
        assert list(Analysis("mine", "", table(rows)).differing["task"]) == ["new"]


def test_released_tables_are_complete() -> None:
    assert load_released("gadre2024").notna().all()
    assert load_released("ladder2024").notna().all()
    assert len(load_released("gadre2024")) == 30 + 3 * 104


class TestAsking:
    def test_what_needs_checkpoints_is_left_out_with_a_line(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(
            PAPERS, "bhagia2024", {k: PAPERS["bhagia2024"][k] for k in ("step1", "chained")}
        )
        made = reproduce("bhagia2024")
        assert [a.name for a in made.analyses] == ["step1"]
        assert "allenai/OLMo-ladder" in made.left_out["chained"]

    def test_asked_for_by_name_it_is_an_error(self) -> None:
        with pytest.raises(FileError, match=r"'chained': needs every checkpoint .*--data"):
            reproduce("bhagia2024", analysis="chained")

    @pytest.mark.parametrize(
        ("paper", "settings", "message"),
        [
            ("kaplan2020", {}, "paper: must be one of gadre2024, bhagia2024"),
            ("gadre2024", {"analysis": "step1"}, "analysis: must be one of coefficients"),
            ("gadre2024", {"analysis": "starts", "starts": 1}, "starts: must be 2 or more"),
        ],
    )
    def test_bad_settings(self, paper: str, settings: dict, message: str) -> None:
        with pytest.raises(SettingError, match=message):
            reproduce(paper, **settings)

    def test_command_prints_json_and_exits_1_where_a_figure_differs(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["reproduce", "gadre2024", "--analysis", "coefficients", "--json"]
        assert app(arguments, standalone_mode=False) == 0
        made = json.loads(capsys.readouterr().out)
        assert made["agrees"] is True
        assert {"corpus", "fit", "coefficient", "released", "here", "bound", "agrees"} <= set(
            made["analyses"][0]["rows"][0]
        )
        wrong = load_released("gadre2024") * 1.001
        monkeypatch.setattr("bayescale.reproducing.gadre_points.load_released", lambda name: wrong)
        assert app(arguments, standalone_mode=False) == 1
        assert json.loads(capsys.readouterr().out)["agrees"] is False

    def test_command_prints_tables(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert app(["reproduce", "gadre2024", "--analysis", "compute"], standalone_mode=False) == 0
        assert "redpajama-1.4B-M640" in capsys.readouterr().out


def test_starts_reports_the_spread() -> None:
    frame = reproduce("gadre2024", analysis="starts", starts=3).analyses[0].frame
    assert isinstance(frame, pd.DataFrame)
    assert frame["released start is"].eq("at the best").all()
    assert frame["converged"].eq(3).all()
