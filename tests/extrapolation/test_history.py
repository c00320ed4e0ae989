"""Fits of the past: what they see and what their errors hold."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.replicates import with_reruns
from bayescale.extrapolation import history
from bayescale.extrapolation.cuts import below
from bayescale.extrapolation.history import (
    PastAccuracies,
    PastLosses,
    past_ladders,
    past_noise,
)
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.fits.settings import make_settings, make_stages
from bayescale.inference.batch import Job, sample_jobs
from bayescale.inference.nuts import Sampler
from bayescale.models.inputs import loss_data
from bayescale.models.laws import LAWS
from bayescale.models.stage_models import loss_model
from helpers.checkpoints import checkpoints


class TestBlocks:
    @pytest.mark.slow
    def test_a_ladder_with_a_past_weighs_it_by_finished_runs(self) -> None:
        ladder = checkpoints(0.005, 0.005, runs=16)
        fitted = fit(ladder, law="compute", blocks=3, via=None, chains=2, draws=60)
        assert set(fitted.past["quantity"]) == {"loss", "accuracy"}
        assert np.isfinite(fitted.past["lpd"].astype(float)).all()


class TestSlopes:
    @pytest.mark.slow
    def test_past_errors_hold_the_noise_of_runs_and_of_scores(
        self, default_fit: Fit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = default_fit.members[0]
        past = past_ladders(member.ladder)[-1]
        settings = make_settings(
            past,
            law=member.law,
            link=member.link,
            via=None,
            pooling="partial",
            discrepancy="none",
            noise="normal",
            blocks=None,
            priors=None,
        )
        data, stages = make_stages(settings, past, widening=False)
        jobs = {
            name: [Job(stage, Sampler(chains=1, draws=10, warmup=50), 1.0)]
            for name, stage in stages.named()
        }
        samples, _ = sample_jobs(jobs)
        past_fits = [
            PastLosses(data.loss, stages.loss, samples["loss"][0]),
            PastAccuracies(data.accuracy, stages.accuracy, samples["accuracy"][0]),
        ]
        wholes = [member.loss_data, member.accuracy_data]
        for past_fit, whole in zip(past_fits, wholes, strict=True):
            index = past_fit.index_of(whole.groups)
            found = {}
            for size in (0.0, 1.0, 3.0):
                monkeypatch.setattr(
                    history, "past_noise", lambda model, real, tail, data, size=size: size
                )
                found[size] = past_fit.errors(whole, index)[0]
            sd = found[1.0] - found[0.0]
            assert (sd[:, np.asarray(whole.layout.seen)] > 0).all()
            np.testing.assert_allclose(found[3.0] - found[0.0], 3 * sd, rtol=1e-6)

    def test_reruns_beyond_a_cut_have_part_of_their_noise_in_common(self, ladder_fit: Fit) -> None:
        data = loss_data(with_reruns(ladder_fit.ladder))
        model = loss_model(LAWS["skaling"], data.groups, grouped=True)
        real = {p.name: jnp.full((4000, data.groups.series), 0.5) for p in model.pooling.parameters}
        first, seen = np.asarray(data.layout.first)[0], np.asarray(data.layout.seen)[0]
        rerun = int(np.flatnonzero((first != np.arange(len(first))) & seen)[0])
        alone = int(
            np.flatnonzero((np.bincount(first[seen], minlength=len(first)) == 1)[first] & seen)[0]
        )
        drawn = past_noise(model, real, None, data)[:, 0]
        correlation = np.corrcoef(drawn[:, [first[rerun], rerun, alone]].T)
        assert correlation[0, 1] == pytest.approx(1 / (1 + np.exp(-0.5)), abs=0.04), (
            "the share `common` of the fold"
        )
        assert abs(correlation[0, 2]) < 0.06
        np.testing.assert_allclose(drawn[:, [rerun, alone]].std(0), 1.0, rtol=0.05)


class TestCuts:
    def test_the_past_knows_no_larger_run(self) -> None:
        """What stands beyond a cut, however it came out, changes nothing below it."""
        ladder = load_dataset("ladder2024")
        frame, compute = ladder.frame, ladder.compute()
        past = past_ladders(ladder)
        cut = float(past[0].compute().max())
        beyond = frame["run"].map(compute) > cut * 1.02
        planted = Ladder.from_frame(
            frame.assign(loss=frame["loss"].where(~beyond, 3 * frame["loss"])),
            tasks=ladder.task_table.reset_index(),
        )
        assert len(past) == 3
        np.testing.assert_array_equal(past_ladders(planted)[0].frame["loss"], past[0].frame["loss"])
        assert below(ladder.with_role("fit"), cut).compute().max() <= cut * 1.02


class TestFit:
    def test_the_ladder_learns_from_three_cuts(self, default_fit: Fit) -> None:
        frame = default_fit.discrepancy.to_frame()
        assert frame["basis"].tolist() == ["calibrated on 3 earlier cuts"] * 3
        assert frame[["step", "kind"]].to_numpy().tolist() == [
            ["loss", "task"],
            ["loss", "validation"],
            ["accuracy", "task"],
        ]
        checks = default_fit.diagnostics().set_index("check")["status"]
        assert {
            "loss: R-hat of past slopes",
            "accuracy: share of divergent draws in past fits",
        } <= set(checks.index)


class TestLaddersOfUnequalParts:
    """Two corpora, one with a shorter ladder; rows in no order; accuracies of larger runs alone."""

    @pytest.mark.slow
    def test_the_past_is_found_whatever_the_order_of_rows(self, unequal: Ladder) -> None:
        fitted = fit(unequal, via=None, chains=2, draws=60)
        assert "calibrated on" in fitted.discrepancy.to_frame().set_index("step")["basis"]["loss"]
        flipped = Ladder.from_frame(
            unequal.frame.iloc[::-1].reset_index(drop=True),
            tasks=unequal.task_table.reset_index(),
            law="compute",
        )
        other = fit(flipped, via=None, chains=2, draws=60)
        one, two = (
            {
                c: float(p)
                for c, p in zip(
                    f.loss_data.groups.corpora,
                    f.discrepancy.slopes[0].past_slopes.mean(0),
                    strict=True,
                )
            }
            for f in (fitted, other)
        )
        for corpus in ("long", "short"):
            assert one[corpus] == pytest.approx(two[corpus], abs=0.003)

    def test_compute_is_measured_for_all_of_its_past_or_for_none(self) -> None:
        rows = load_dataset("ladder2024").where(task=["c4"]).with_role("fit").frame
        largest = rows["flops"].idxmax()
        partly = Ladder.from_frame(rows.assign(flops=rows["flops"].where(rows.index != largest)))
        assert not partly.compute_is_measured
        assert not any(past.compute_is_measured for past in past_ladders(partly))
        assert all(past.compute_is_measured for past in past_ladders(Ladder.from_frame(rows)))
