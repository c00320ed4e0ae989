"""Gadre et al.: their released figures come back."""

from __future__ import annotations

import pytest

from bayescale.papers.reproduce import reproduce


class TestGadre:
    def test_every_coefficient_to_four_digits(self) -> None:
        frame = reproduce("gadre2024", analysis="coefficients").analyses[0].frame
        compared = frame.dropna(subset=["released"])
        assert len(compared) == 3 * 4 + 6 * 3
        assert compared["agrees"].eq(True).all()
        # figures typed from published.md
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
        frame = reproduce("gadre2024", analysis="predictions").analyses[0].frame
        assert frame["agrees"].eq(True).all()
        # all but the loss of the 5 runs of each law, and both averages of the 6 runs of each link
        assert len(frame) == 3 * 104 - 3 * 5 - 2 * 3 * 6
        error = frame.set_index(["run", "of"])["here"]
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

    @pytest.mark.slow
    def test_a_task_without_an_optimum_has_a_message_and_no_figure(self) -> None:
        frame = reproduce("gadre2024", analysis="tasks").analyses[0].frame
        failed = frame[frame["note"].notna() & frame["note"].ne("")]
        assert len(failed) > 0
        assert failed["predicted"].isna().all()
        assert frame.drop(failed.index)["predicted"].notna().all()
        assert frame.groupby("corpus")["task"].nunique().eq(46).all()


@pytest.mark.slow
class TestPosteriors:
    def test_corpora_share_the_exponent_more_than_the_prior_says(self) -> None:
        frame = reproduce("gadre2024", analysis="exponents").analyses[0].frame
        assert frame["checks"].ne("fail").all()
        spread = frame.set_index("parameter").loc["sd_eta_corpus"]
        assert spread["mean"] < spread["mean_prior"]
        assert frame["parameter"].eq("eta").sum() == 3 * 8


def test_starts_reports_the_spread() -> None:
    frame = reproduce("gadre2024", analysis="starts", starts=3).analyses[0].frame
    assert frame["released start is"].eq("at the best").all()
    assert frame["converged"].eq(3).all()
