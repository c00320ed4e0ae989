"""Errors that grow beyond the ladder: how they are drawn and what the past says of them."""

import dataclasses

import numpy as np
import pytest

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.target import Target
from bayescale.extrapolation.discrepancy import (
    MIN_RUNS,
    SCALE_SD,
    SMALL_LADDER,
    Slopes,
    link_slopes,
    loss_slopes,
    past_slope,
)
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.models.laws import LAWS

MANY = 40_000


def slopes(series: int = 3, **changed: object) -> Slopes:
    prior = Slopes(
        stage="loss",
        kind="validation",
        series=tuple(range(series)),
        names=tuple(range(series)),
        common=0.01,
        by_name=0.0,
        own=0.005,
        persistence=0.3,
        half_normal=False,
        basis="prior",
    )
    return dataclasses.replace(prior, **changed)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


class TestSlopes:
    def test_prior_has_a_common_part_and_one_of_each_series(self) -> None:
        b = slopes().draw(rng(), MANY)
        scale2 = np.exp(2 * SCALE_SD**2)  # E r^2 of the log-normal; the grid ends at three sds
        covariance = np.cov(b.T)
        assert covariance[0, 0] == pytest.approx(scale2 * (0.01**2 + 0.005**2), rel=0.08)
        assert covariance[0, 1] == pytest.approx(scale2 * 0.01**2, rel=0.1)
        assert np.abs(b.mean(0)).max() < 4 * b.std() / np.sqrt(MANY)

    def test_given_the_past_as_by_weighting_prior_draws(self) -> None:
        """An independent implementation: draw r, past and future slopes, weigh by the likelihood of
        the past that was seen.
        """
        past, covariance = np.array([0.02, 0.005]), np.array([[4e-5, 1e-5], [1e-5, 3e-5]])
        b = slopes(2, past_slopes=past[None], covariance=covariance[None]).draw(rng(), MANY)
        g, n = np.random.default_rng(1), 400_000
        r = np.exp(SCALE_SD * g.standard_normal(n))[:, None]
        old, new = (
            r * (0.01 * g.standard_normal((n, 1)) + 0.005 * g.standard_normal((n, 2)))
            for _ in range(2)
        )
        future = 0.3 * old + np.sqrt(1 - 0.3**2) * new
        gap = past - old
        w = np.exp(-0.5 * np.einsum("ni,ij,nj->n", gap, np.linalg.inv(covariance), gap))
        mean = (w[:, None] * future).sum(0) / w.sum()
        sd = np.sqrt((w[:, None] * (future - mean) ** 2).sum(0) / w.sum())
        np.testing.assert_allclose(b.mean(0), mean, atol=4e-4)
        np.testing.assert_allclose(b.std(0), sd, rtol=0.05)

    def test_large_past_errors_widen_and_small_ones_narrow(self) -> None:
        known = 1e-8 * np.eye(3)[None]
        spread = {
            past: slopes(past_slopes=np.full((1, 3), past), covariance=known)
            .draw(rng(), MANY)
            .std()
            for past in (0.0, 0.05)
        }
        assert spread[0.0] < slopes().draw(rng(), MANY).std() < spread[0.05]

    def test_cuts_that_contradict_one_another_are_no_evidence_of_small_errors(self) -> None:
        """Their mean is nil, yet each of them says that errors are large."""
        both = slopes(
            past_slopes=np.array([[0.05] * 3, [-0.05] * 3]),
            covariance=np.repeat(1e-8 * np.eye(3)[None], 2, 0),
        )
        one = slopes(past_slopes=np.full((1, 3), 0.05), covariance=1e-8 * np.eye(3)[None])
        np.testing.assert_allclose(both.scales()[1], one.scales()[1])
        assert np.abs(both.draw(rng(), MANY).mean(0)).max() < 1e-3, (
            "which way they go, their mean says"
        )

    def test_each_cut_is_as_well_known_as_it_is(self) -> None:
        """An independent implementation, two cuts that are not known alike."""
        past, covariance = (
            np.array([[0.02, 0.005], [0.01, -0.01]]),
            np.array([[[4e-5, 1e-5], [1e-5, 3e-5]], [[4e-4, 0.0], [0.0, 1e-5]]]),
        )
        s = slopes(2, past_slopes=past, covariance=covariance)
        prior = np.array([[1.25e-4, 1e-4], [1e-4, 1.25e-4]])
        found = dict(zip(s.scales()[0], s.log_likelihoods(), strict=True))
        for r in list(found)[::10]:
            each = [
                -0.5
                * (
                    b @ np.linalg.solve(r**2 * prior + c, b)
                    + np.log(np.linalg.det(2 * np.pi * (r**2 * prior + c)))
                )
                for b, c in zip(past, covariance, strict=True)
            ]
            assert found[r] == pytest.approx(np.mean(each))

    def test_link_has_nothing_in_common_between_tasks(self, ladder_fit: Fit) -> None:
        assert ladder_fit.accuracy_data is not None
        b = link_slopes(ladder_fit.accuracy_data.groups).draw(rng(), MANY)
        assert np.abs(np.corrcoef(np.sign(b[:, :2]).T)[0, 1]) < 0.02
        assert np.corrcoef(np.abs(b[:, :2]).T)[0, 1] > 0.1, "but their scale"

    def test_corpora_share_what_a_task_has_of_its_own(self) -> None:
        """Two corpora by two tasks: slopes of one task go together, and their difference is far
        less than either.
        """
        b = slopes(4, names=(0, 1, 0, 1), common=0.0, by_name=0.01, own=0.002).draw(rng(), MANY)
        correlation = np.corrcoef(b.T)
        assert correlation[0, 2] > 0.9
        assert abs(correlation[0, 1]) < 0.05
        assert (b[:, 0] - b[:, 2]).std() < 0.4 * b[:, 0].std()

    def test_past_slope_is_least_squares_through_the_frontier(self) -> None:
        at = np.array([0.5, 1.0, 2.0])
        b = past_slope([0.03 * at[None], (0.01 * at + np.array([0.1, 0.0, 0.0]))[None]], [at, at])
        assert b[0, 0] == pytest.approx(0.03)
        assert b[0, 1] == pytest.approx(
            np.linalg.lstsq(at[:, None], 0.01 * at + np.array([0.1, 0.0, 0.0]))[0][0]
        )


class TestFit:
    @pytest.mark.slow
    def test_a_small_ladder_has_the_prior_of_small_ladders_and_says_so(self) -> None:
        ladder = load_dataset("gadre2024").where(task=["average17"])
        fitted = fit(ladder, chains=2, draws=50)
        assert {s.common for s in fitted.discrepancy.slopes if s.stage == "loss"} == {SMALL_LADDER}
        assert f"fewer than {MIN_RUNS}" in fitted.discrepancy.note
        assert "widening" not in fitted.losses["posterior"]
        assert not [c.check for c in fitted.checks if "past" in c.check], (
            "a check that had nothing to look at is none that passed"
        )

    def test_the_prior_alone_needs_no_past(self, ladder_fit: Fit) -> None:
        fitted = ladder_fit
        assert {s.basis for s in fitted.discrepancy.slopes} == {"prior"}
        assert all(s.past_slopes is None for s in fitted.discrepancy.slopes)
        assert "widening" in fitted.losses["posterior"]


class TestForecast:
    def test_corpora_are_compared_far_better_than_either_is_known(self, gadre_fit: Fit) -> None:
        """The error of a law is common to corpora: their difference at the target is known better
        than from two forecasts apart.
        """
        slope = dataclasses.replace(
            loss_slopes(gadre_fit.loss_data.groups, LAWS["gadre"].drift)[0], basis="prior"
        )
        fitted = dataclasses.replace(
            gadre_fit,
            discrepancy=dataclasses.replace(gadre_fit.discrepancy, kind="prior", slopes=(slope,)),
        )
        made = forecast(
            fitted,
            [Target(6.9e9, 1.4e11, corpus=c, name=c) for c in ("c4", "redpajama", "refinedweb")],
        )
        compared = made.compare("c4", "redpajama").set_index(["task", "quantity"])["sd"][
            "average46", "loss"
        ]
        levels = made.to_frame().set_index(["target", "task", "quantity"])["sd"]
        apart = np.hypot(*(levels[corpus, "average46", "loss"] for corpus in ("c4", "redpajama")))
        assert compared < 0.6 * apart


class TestLaddersOfUnequalParts:
    """Two corpora, one with a shorter ladder; rows in no order; accuracies of larger runs alone."""

    @pytest.mark.slow
    def test_a_short_corpus_makes_no_other_any_surer(self, unequal: Ladder) -> None:
        rows = unequal.frame
        few = rows[rows["corpus"] == "short"].groupby("run").head(1)["run"].iloc[:8]
        thin = Ladder.from_frame(
            rows[(rows["corpus"] == "long") | rows["run"].isin(few)],
            tasks=unequal.task_table.reset_index(),
            law="compute",
        )
        fitted = fit(thin, discrepancy="prior", chains=2, draws=50)
        assert min(thin.where(corpus="short").runs.groupby("corpus").size()) == 8 < MIN_RUNS
        assert fitted.discrepancy.slopes[0].common == LAWS["compute"].drift
        assert "widening" in fitted.losses["posterior"]
