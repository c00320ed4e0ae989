"""Errors of law and link beyond the ladder: how they are drawn, what the ladder's past says of
them, and what they do to a forecast.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.replicates import with_reruns
from bayescale.data.target import Target
from bayescale.errors import SettingError
from bayescale.extrapolation import history as rolling
from bayescale.extrapolation.cuts import below, cuts
from bayescale.extrapolation.discrepancy import (
    MIN_RUNS,
    SCALE_SD,
    SMALL_LADDER,
    Slopes,
    link_slopes,
    loss_slopes,
    past_slope,
)
from bayescale.extrapolation.history import PastFit, past_ladders, past_noise
from bayescale.extrapolation.predictive import COMPONENTS, LOSS_COMPONENTS, LossComponents
from bayescale.fits.fit import Fit, fit, make_settings
from bayescale.fits.load import load_fit
from bayescale.forecasts.components import MixedParts, Parts, shared_variance
from bayescale.forecasts.forecast import Forecast, forecast
from bayescale.inference.batch import Job, sample_jobs
from bayescale.inference.nuts import Sampler
from bayescale.models.inputs import loss_data
from bayescale.models.laws import LAWS
from bayescale.models.series import loss_model

MANY = 40_000


def slopes(members: int = 3, **changed: object) -> Slopes:
    return dataclasses.replace(
        Slopes(
            "loss",
            "validation",
            tuple(range(members)),
            tuple(range(members)),
            0.01,
            0.0,
            0.005,
            0.3,
            False,
            "prior",
        ),
        **changed,
    )


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
        b = slopes(2, past=past[None], covariance=covariance[None]).draw(rng(), MANY)
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
            past: slopes(past=np.full((1, 3), past), covariance=known).draw(rng(), MANY).std()
            for past in (0.0, 0.05)
        }
        assert spread[0.0] < slopes().draw(rng(), MANY).std() < spread[0.05]

    def test_cuts_that_contradict_one_another_are_no_evidence_of_small_errors(self) -> None:
        """Their mean is nil, yet each of them says that errors are large."""
        both = slopes(
            past=np.array([[0.05] * 3, [-0.05] * 3]),
            covariance=np.repeat(1e-8 * np.eye(3)[None], 2, 0),
        )
        one = slopes(past=np.full((1, 3), 0.05), covariance=1e-8 * np.eye(3)[None])
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
        s = slopes(2, past=past, covariance=covariance)
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
        made = settings.prepare(past, widening=False)
        jobs = {
            name: [Job(step, Sampler(chains=1, draws=10, warmup=50), 1.0)]
            for name, step in made.steps.items()
        }
        folds = {
            name: PastFit(made.data[name], made.steps[name], of[0])
            for name, of in sample_jobs(jobs)[0].items()
        }
        wholes = {"loss": member.loss_data, "accuracy": member.accuracy_data}
        for name, errors in (("loss", rolling._loss_errors), ("accuracy", rolling._link_errors)):
            places = folds[name].places(wholes[name].groups)
            found = {}
            for size in (0.0, 1.0, 3.0):
                monkeypatch.setattr(
                    rolling, "past_noise", lambda model, real, tail, data, size=size: size
                )
                found[size] = errors(folds[name], wholes[name], places)[0]
            sd = found[1.0] - found[0.0]
            assert (sd[:, np.asarray(wholes[name].layout.seen)] > 0).all()
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


class TestCuts:
    def test_cuts_of_a_ladder_cut_short_are_those_of_the_whole(self) -> None:
        ladder = load_dataset("ladder2024")
        compute = ladder.with_role("fit").compute()
        whole = cuts(compute, first=float(compute.min()), ratio=1.5)
        assert len(whole) > 5
        for cut in whole[2:]:
            assert cuts(compute[compute <= cut], first=float(compute.min()), ratio=1.5) == [
                c for c in whole if c < cut
            ]

    def test_the_past_knows_no_dearer_run(self) -> None:
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

    def test_a_small_ladder_has_the_prior_of_small_ladders_and_says_so(self) -> None:
        ladder = load_dataset("gadre2024").where(task=["average17"])
        fitted = fit(ladder, chains=2, draws=50)
        assert {s.common for s in fitted.discrepancy.slopes if s.step == "loss"} == {SMALL_LADDER}
        assert f"fewer than {MIN_RUNS}" in fitted.discrepancy.note
        assert "widening" not in fitted.losses["posterior"]
        assert not [c.check for c in fitted.checks if "past" in c.check], (
            "a check that had nothing to look at is none that passed"
        )

    def test_the_prior_alone_needs_no_past(self, default_fit: Fit) -> None:
        fitted = fit(default_fit.ladder, via="c4", discrepancy="prior", chains=2, draws=50)
        assert {s.basis for s in fitted.discrepancy.slopes} == {"prior"}
        assert all(s.past is None for s in fitted.discrepancy.slopes)
        assert "widening" in fitted.losses["posterior"]

    def test_rivals_are_refused(self) -> None:
        with pytest.raises(SettingError, match="calibrated, prior, none"):
            fit(load_dataset("ladder2024"), discrepancy="some")  # type: ignore[arg-type]

    def test_a_saved_fit_keeps_it(
        self, default_fit: Fit, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        path = tmp_path_factory.mktemp("fits") / "default.fit"
        default_fit.save(path)
        again = load_fit(path)
        assert again.discrepancy.note == default_fit.discrepancy.note
        target = default_fit.ladder.targets("target")
        assert forecast(again, target).draws.equals(forecast(default_fit, target).draws)


@pytest.fixture(scope="module")
def far(default_fit: Fit) -> Forecast:
    return forecast(default_fit, default_fit.ladder.targets("target"))


class TestForecast:
    def test_nothing_changes_inside_the_ladder(self, default_fit: Fit) -> None:
        inside = Target(7e8, 2e10, flops=1e20, name="inside")
        plain = dataclasses.replace(
            default_fit,
            discrepancy=dataclasses.replace(default_fit.discrepancy, kind="none", slopes=()),
        )
        np.testing.assert_array_equal(
            *(forecast(f, inside).draws["loss"].to_numpy() for f in (default_fit, plain))
        )

    def test_noise_inside_the_ladder_is_that_of_a_run_of_its_compute(
        self, default_fit: Fit
    ) -> None:
        biggest = float(default_fit.ladder.with_role("fit").compute().max())
        targets = [
            Target(2e8, 4e9, flops=biggest / 100, name="cheap"),
            Target(7e9, 4e12, flops=100 * biggest, name="dear"),
        ]
        parts = forecast(default_fit, targets).parts
        assert isinstance(parts, MixedParts)
        losses, posterior = (
            parts.members[0].losses,
            default_fit.losses["posterior"].to_dataset().isel(corpus=0),
        )
        s, cheap = parts.members[0].loss_at["cheap", "c4"]
        dear = parts.members[0].loss_at["dear", "c4"][1]
        sigma, widening = (
            posterior[name].sel(loss_name="c4").to_numpy().ravel() for name in ("sigma", "widening")
        )
        np.testing.assert_allclose(losses.sd[:, s, dear], sigma, rtol=1e-6)
        np.testing.assert_allclose(
            losses.sd[:, s, cheap], sigma * np.sqrt(1 + (widening * np.log(100)) ** 2), rtol=1e-6
        )

    def test_error_grows_with_every_efold(self, default_fit: Fit) -> None:
        """With law and noise the same, what the discrepancy adds to ln L is l times a slope."""
        biggest = default_fit.ladder.with_role("fit").compute().max()
        targets = [
            Target(1e10, 1e12, flops=float(biggest * np.exp(at)), name=str(at)) for at in (1, 2, 4)
        ]
        plain = dataclasses.replace(
            default_fit,
            discrepancy=dataclasses.replace(default_fit.discrepancy, kind="none", slopes=()),
        )
        with_it, without = (
            np.log(forecast(f, targets).draws["loss"]) for f in (default_fit, plain)
        )
        added = (with_it - without).sel(task="c4").to_numpy()
        np.testing.assert_allclose(added[..., 2], 4 * added[..., 0], rtol=1e-6)
        np.testing.assert_allclose(added[..., 1], 2 * added[..., 0], rtol=1e-6)

    def test_shares_of_the_variance_sum_to_1(self, far: Forecast) -> None:
        shares = far.variance()
        np.testing.assert_allclose(shares[list(COMPONENTS)].sum(axis=1), 1.0)
        assert (shares[list(COMPONENTS)] >= 0).all(axis=None)
        losses = shares[shares["quantity"] == "loss"]
        assert (losses[list(COMPONENTS[len(LOSS_COMPONENTS) :])] == 0).all(axis=None)
        assert losses["discrepancy"].gt(0.2).mean() > 0.5, (
            "at 75 and 177 times the compute the law's error is a large part"
        )

    def test_shares_are_those_of_independent_normals(self) -> None:
        g, n = rng(), 4000
        law, noise = 0.01 * g.standard_normal((n, 1, 1)), g.standard_normal((n, 1, 1))
        losses = LossComponents(
            law,
            np.full((n, 1, 1), 0.005),
            0.004 * g.standard_normal((n, 1)),
            np.array([3.0]),
            noise,
            np.zeros((n, 1)),
        )
        parts = Parts(losses, None, {("t", "c4"): (0, 0)}, {})
        whole = parts.cells(None)
        total = 0.01**2 + 0.012**2 + 0.005**2
        for kept, share in ((1, 0.01**2), (2, 0.01**2 + 0.012**2)):
            found = shared_variance(parts, whole, LOSS_COMPONENTS[:kept], g)[("loss", "t", "c4")]
            assert found / total == pytest.approx(share / total, abs=0.06)

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

    def test_comparing_is_antisymmetric(self, far: Forecast) -> None:
        ab, ba = far.compare("7B-4T", "13B-5T"), far.compare("13B-5T", "7B-4T")
        np.testing.assert_allclose(ab["prob_a_better"] + ba["prob_a_better"], 1.0)
        np.testing.assert_allclose(ab["mean"], -ba["mean"])
        assert (ab["prob_a_better"] < 0.5).mean() > 0.8, "the larger one is better"
        with pytest.raises(SettingError, match="'8B'"):
            far.compare("8B", "7B-4T")


@pytest.fixture(scope="module")
def unequal() -> Ladder:
    g, rows = np.random.default_rng(2), []
    sizes = [(n, 20 * n * m) for n in np.geomspace(2e7, 2e9, 8) for m in (1, 4)]
    for corpus, most in (("long", 99), ("short", 13)):
        for i, (n, d) in enumerate(sizes[:most][::-1]):
            c4 = 1.8 + 1.3 * (6 * n * d / 1e18) ** -0.16 * np.exp(0.003 * g.standard_normal())
            row = {"run": f"{corpus}-{i}", "corpus": corpus, "params": n, "tokens": d}
            rows.append({**row, "task": "c4", "loss": c4})
            if 6 * n * d > 4e18:
                rows.append(
                    {
                        **row,
                        "task": "quiz",
                        "loss_name": "c4",
                        "loss": c4,
                        "accuracy": 0.25 + 0.5 * np.exp(-(c4 - 1.8)),
                    }
                )
    return Ladder.from_frame(
        pd.DataFrame(rows).assign(loss_name="c4"),
        tasks=pd.DataFrame({"task": ["quiz"], "chance": [0.25], "items": [2000]}),
        law="compute",
    )


class TestLaddersOfUnequalParts:
    """Two corpora, of which one has a shorter ladder, rows in an order of their own, accuracies of
    the dearer runs alone.
    """

    @pytest.mark.slow
    def test_the_past_is_found_whatever_the_order_of_rows(self, unequal: Ladder) -> None:
        fitted = fit(unequal, chains=2, draws=60)
        assert "calibrated on" in fitted.discrepancy.to_frame().set_index("step")["basis"]["loss"]
        flipped = Ladder.from_frame(
            unequal.frame.iloc[::-1].reset_index(drop=True),
            tasks=unequal.task_table.reset_index(),
            law="compute",
        )
        other = fit(flipped, chains=2, draws=60)
        one, two = (
            {
                c: float(p)
                for c, p in zip(
                    f.loss_data.groups.corpora, f.discrepancy.slopes[0].past.mean(0), strict=True
                )
            }
            for f in (fitted, other)
        )
        for corpus in ("long", "short"):
            assert one[corpus] == pytest.approx(two[corpus], abs=0.003)

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

    def test_a_target_is_far_from_its_own_corpus(self, unequal: Ladder) -> None:
        fitted = fit(unequal, discrepancy="prior", chains=2, draws=60)
        biggest = {c: float(unequal.where(corpus=c).compute().max()) for c in unequal.corpora}
        assert biggest["long"] > 2 * biggest["short"]
        made = forecast(fitted, [Target(2e9, 1.6e11, corpus=c, name=c) for c in unequal.corpora])
        far = made.extrapolation.set_index("target")["extrapolation_factor"]
        for corpus in unequal.corpora:
            assert far[corpus] == pytest.approx(6 * 2e9 * 1.6e11 / biggest[corpus])
        efolds = made.parts.losses.efolds
        assert (
            efolds[list(fitted.loss_data.groups.corpora).index("short")]
            > efolds[list(fitted.loss_data.groups.corpora).index("long")]
        ).all()

    def test_compute_is_measured_for_all_of_its_past_or_for_none(self) -> None:
        rows = load_dataset("ladder2024").where(task=["c4"]).with_role("fit").frame
        dearest = rows["flops"].idxmax()
        partly = Ladder.from_frame(rows.assign(flops=rows["flops"].where(rows.index != dearest)))
        assert not partly.compute_is_measured
        assert not any(past.compute_is_measured for past in past_ladders(partly))
        assert all(past.compute_is_measured for past in past_ladders(Ladder.from_frame(rows)))
