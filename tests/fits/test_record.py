"""Fit: a frozen record with its provenance and a summary."""

import dataclasses

import pytest

from bayescale.fits.record import Fit


class TestRecord:
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
        assert len(level) == 5
        assert (level["sd"] < 0.02 * level["sd_prior"]).all(), (
            "sixteen runs tell a level far better than its prior"
        )
        assert (
            (frame["lower"] <= frame["mean"] + 3 * frame["sd"]) & (frame["lower"] < frame["upper"])
        ).all()
