"""The value of information: figures of a candidate as a forecast draws them, the two methods
against one another, what bad input is told.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.target import Target
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.cost import Cost
from bayescale.decisions.decide import decide
from bayescale.decisions.evidence import value_of_information
from bayescale.decisions.evsi import Question
from bayescale.decisions.figures import figures_of_items, figures_of_runs, joined
from bayescale.decisions.preference import Preference
from bayescale.decisions.value import Linear, Threshold
from bayescale.errors import SettingError
from bayescale.fits.fit import Fitter, fit
from bayescale.fits.record import Fit
from bayescale.fits.settings import Settings
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.update import with_rows
from bayescale.models.links import get_link

LARGE = Target(1.3e10, 5e12, name="large", flops=4.6e23)
MONEY = {"cost": 1e6, "value": Linear(1e5, 0.6)}


def again(fit: Fit, run: str) -> Target:
    return next(t for t in fit.ladder.targets("fit", "held_out") if t.label == run)


@pytest.fixture(scope="module")
def whole_fit() -> Fit:
    """At the defaults, whose checks pass: fits with outcomes added whose checks fail are left
    out.
    """
    return fit(load_dataset("ladder2024"))


class TestFigures:
    @pytest.mark.parametrize("run", ["760M-5xC", "1B-10xC"])
    def test_are_those_that_a_forecast_draws(self, default_fit: Fit, run: str) -> None:
        """Mean, sd and correlation of losses and scores, of a mixture of routes, noise included."""
        made = forecast(default_fit, [again(default_fit, run)])
        found = figures_of_runs(made.parts, [run])
        rng = np.random.default_rng(0)
        noise = np.einsum("jlf,jl->jf", found.loading, rng.standard_normal(found.loading.shape[:2]))
        y = found.mean + noise + found.sd * rng.standard_normal(found.sd.shape)
        losses = [key for key in made.parts.cells(None) if key[0] == "loss"]
        scores = [key for key in made.parts.cells(None) if key[0] == "accuracy"]
        cells = made.parts.cells(None)
        wanted = np.stack([*(np.log(cells[k]) for k in losses), *(cells[k] for k in scores)], 1)
        np.testing.assert_allclose(y.std(0), wanted.std(0), rtol=0.15)  # 600 draws each
        assert (np.abs(y.mean(0) - wanted.mean(0)) < 0.2 * wanted.std(0)).all()
        np.testing.assert_allclose(np.corrcoef(y.T), np.corrcoef(wanted.T), atol=0.2)

    def test_more_questions_are_less_noisy(self, default_fit: Fit) -> None:
        made = forecast(default_fit, [LARGE])
        few, many = (figures_of_items(made.parts, times) for times in (2.0, 9.0))
        np.testing.assert_allclose(few.sd / many.sd, np.sqrt(8.0), rtol=0.02)
        assert few.mean.shape[1] == 16 * len(default_fit.ladder.tasks)
        both = joined(few, many)
        assert both.mean.shape[1] == both.loading.shape[2] == 2 * few.mean.shape[1]


class TestEvidence:
    def test_ranks_by_what_is_left_after_the_cost(self, default_fit: Fit) -> None:
        runs = [again(default_fit, r) for r in ("760M-5xC", "1B-10xC")]
        candidates = [
            Candidate(runs[:1], cost=0.0, name="small"),
            Candidate(runs[1:], cost=1e9, name="dear"),
            Candidate(items=4, cost=10.0),
        ]
        found = value_of_information(default_fit, LARGE, candidates, **MONEY)
        assert found.table["net"].is_monotonic_decreasing
        assert (found.table["evsi"] >= 0).all()
        assert (found.table["evpi"] >= found.table["evsi"]).all()
        assert set(found.table["method"]) == {"reweighting"}
        assert found.table["reliable"].all()
        assert found.table.iloc[-1]["candidate"] == "dear"

    def test_evidence_worth_its_cost_comes_first_and_a_failed_check_before_it(
        self, default_fit: Fit
    ) -> None:
        free = value_of_information(
            default_fit,
            LARGE,
            [Candidate([again(default_fit, "1B-10xC")], cost=0.0, name="free")],
            **MONEY,
        )
        made = replace(forecast(default_fit, LARGE), status="pass")
        assert decide(replace(made, status="fail"), **MONEY, evidence=free).verdict == "undecided"
        assert decide(made, **MONEY, evidence=replace(free, status="fail")).verdict == "undecided"
        sure = replace(
            free,
            table=free.table.assign(evsi=5e3, net=5e3, evsi_se=2e3, evsi_floor=1e3),
            status="pass",
        )
        found = decide(made, **MONEY, evidence=sure)
        assert found.verdict == "gather evidence first"
        assert "free is worth 5000 more than it costs" in found.reason
        without = decide(made, **MONEY).verdict
        for doubtful in ({"evsi_se": 3e3}, {"evsi_floor": 6e3}, {"reliable": False}, {"net": -1.0}):
            assert (
                decide(
                    made, **MONEY, evidence=replace(sure, table=sure.table.assign(**doubtful))
                ).verdict
                == without
            )
        others = {
            "tasks": ("chess",),
            "targets": (replace(LARGE, tokens=1e12),),
            "cost": 2e6,
            "value": Linear(1e5, 0.7),
        }
        others |= {"preference": Preference(1.0, 1.0, 1.0)}
        for name, other in others.items():
            with pytest.raises(SettingError, match=f"about the {name}"):
                decide(made, **MONEY, evidence=replace(free, **{name: other}))

    def test_a_candidate_dearer_than_a_target_is_said_to_be(self, default_fit: Fit) -> None:
        run = again(default_fit, "1B-10xC")
        found = value_of_information(
            default_fit,
            Target(1e9, 2e10, name="small"),
            [run, Candidate(items=2, cost=1.0)],
            cost=Cost(),
            value=MONEY["value"],
        )
        assert found.table["note"].str.contains("a rerun").sum() == 1
        notes = found.table.set_index("candidate")["note"]
        assert "dearer to train than small itself" in notes[run.label]
        assert "dearer" not in notes["2 x the questions"]

    def test_whoever_puts_up_with_no_regret_pays_for_no_run_that_cannot_take_it_away(
        self, default_fit: Fit
    ) -> None:
        """At the cost at which nobody indifferent to risk knows what to do, a run that hardly
        narrows the forecast.
        """
        value = Threshold(3e6, 0.7)
        net = forecast(default_fit, LARGE).draws
        cost = float(3e6 * (value.margin(net["accuracy"]) >= 0).mean())
        asked = {"cost": cost, "value": value}
        found = [
            value_of_information(
                default_fit,
                LARGE,
                [Candidate([again(default_fit, "760M-10xC")], cost=0.0)],
                **asked,
                most_regret=cap,
            )
            for cap in (1.0, 0.1)
        ]
        assert found[0].table["evsi"].item() > 0
        assert found[1].table["evsi"].item() == 0

    def test_an_outcome_is_a_run_like_the_ladders(self, default_fit: Fit) -> None:
        """Compute stays measured, repetition goes along, and outcomes are in the order of what they
        say of the target.
        """
        runs = [Target(3e9, 3e11, unique_tokens=1e11)]
        asked = Question(
            default_fit,
            [LARGE],
            [Candidate(runs, cost=1.0)],
            1.0,
            MONEY["value"],
            Preference(0.0, 1.0, 1.0),
            0,
        )
        ladders = asked.outcomes(0, 4)
        old = set(default_fit.ladder.runs.index)
        new = [ladder.runs.drop(index=list(old)) for ladder in ladders]
        for ladder, run in zip(ladders, new, strict=True):
            assert ladder.compute_is_measured
            assert run["unique_tokens"].item() == 1e11
            assert run["flops"].item() == pytest.approx(6 * 3e9 * 3e11, rel=0.5)
        best = [
            ladder.frame[ladder.frame["run"].isin(run.index)]["accuracy"].mean()
            for ladder, run in zip(ladders, new, strict=True)
        ]
        assert np.corrcoef(best, range(4))[0, 1] > 0.8

    @pytest.mark.slow
    def test_weighing_and_fitting_again_agree(
        self, whole_fit: Fit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Runs at or below the frontier, at the cost at which evidence tells most: expected widths
        within a fifth, values within their Monte Carlo error.
        """
        value = Linear(1e5, 0.6)
        asked = {
            "cost": float(
                100
                * value.per_point
                * value.margin(forecast(whole_fit, LARGE).draws["accuracy"]).mean()
            ),
            "value": value,
        }
        candidates = [
            Candidate([again(whole_fit, r)], cost=1.0, name=r)
            for r in ("370M-10xC", "760M-10xC", "1B-10xC")
        ]
        weighed = value_of_information(whole_fit, LARGE, candidates, **asked).table.set_index(
            "candidate"
        )
        monkeypatch.setattr("bayescale.decisions.evsi.Question.beyond", lambda self, i: True)
        fitted = value_of_information(
            whole_fit, LARGE, candidates, **asked, refits=4
        ).table.set_index("candidate")
        print(f"\n{weighed.T.to_string()}\n{fitted.T.to_string()}")
        assert set(fitted["method"]) == {"refitting"}
        assert (weighed["evsi"] > weighed["evsi_floor"]).any(), "or there is nothing to compare"
        for name in weighed.index:
            one, other = weighed.loc[name], fitted.loc[name]
            assert (1 - other["narrowing"]) / (1 - one["narrowing"]) == pytest.approx(1.0, abs=0.2)
            assert abs(one["evsi"] - other["evsi"]) <= 3 * np.hypot(
                one["evsi_se"], other["evsi_se"]
            ) + max(one["evsi_floor"], other["evsi_floor"])

    @pytest.mark.slow
    def test_in_hindsight_the_best_candidate_narrows_most(self) -> None:
        """Fitted on 190M to 760M; the 1B runs are the candidates, and each is then really added."""
        whole = load_dataset("ladder2024")
        rows = whole.frame
        small = Ladder.from_frame(
            rows[~rows["run"].str.startswith("1B")], tasks=whole.task_table.reset_index()
        )
        target = next(t for t in whole.targets() if t.label == "7B-4T")
        candidates = [
            Candidate([t], cost=0.0, name=t.label)
            for t in whole.targets("fit", "held_out")
            if t.label.startswith("1B")
        ]
        fitted = fit(small)
        table = value_of_information(
            fitted, target, candidates, cost=5e5, value=Linear(1e5, 0.62), refits=4
        ).table.set_index("candidate")
        names = list(table.index)
        added = [
            with_rows(small, rows[rows["run"] == name].assign(role="fit", run=f"{name}-new"))
            for name in names
        ]
        settings = Settings(
            fitted.law,
            get_link(small.link),
            fitted.via,
            fitted.pooling,
            fitted.discrepancy.kind,
            fitted.noise,
            fitted.blocks,
            {},
        )
        fitter, width = Fitter(settings, fitted.sampler, added), {}
        for i, name in enumerate(names):
            mean = forecast(fitter.fit(i), target).mean()
            width[name] = float((mean["upper"] - mean["lower"]).iloc[0])
        print(f"\n{table.assign(width=width).T.to_string()}")
        assert width[table.index[0]] < np.median(list(width.values()))

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"candidates": []}, "one or more"),
            ({"candidates": [Candidate(items=2, cost=1.0)], "refits": 1}, "2 or more"),
            ({"candidates": [Candidate(items=2, cost=1.0)], "risk_aversion": -1.0}, "0 or more"),
            ({"candidates": [Target(1e9, 1e11)]}, "cost of candidate"),
            (
                {
                    "candidates": [Candidate([Target(1e9, 1e11)], cost=1.0)],
                    "value": Threshold(1.0, 0.5, tasks=["chess"]),
                },
                "chess",
            ),
        ],
    )
    def test_bad_input_is_told(self, default_fit: Fit, asked: dict[str, Any], said: str) -> None:
        candidates = asked.pop("candidates")
        with pytest.raises(SettingError, match=said):
            value_of_information(default_fit, LARGE, candidates, **(MONEY | asked))

    def test_priors_that_were_not_saved_are_not_replaced_by_ours(self, default_fit: Fit) -> None:
        with pytest.raises(SettingError, match="priors of the fit"):
            value_of_information(
                replace(default_fit, priors=None), LARGE, [Candidate(items=2, cost=1.0)], **MONEY
            )

    @pytest.mark.parametrize(
        "build",
        [
            lambda: Candidate(),
            lambda: Candidate(items=0.5),
            lambda: Candidate(items=2, cost=-1.0),
            lambda: Candidate([Target(1e9, 1e11, shift=0.1)]),
        ],
    )
    def test_candidates_that_are_none(self, build: Any) -> None:
        with pytest.raises(SettingError, match="candidate"):
            build()

    def test_a_cost_by_the_hour_prices_candidates_too_but_nobody_serves_them(
        self, default_fit: Fit
    ) -> None:
        run = again(default_fit, "760M-5xC")
        found = value_of_information(
            default_fit,
            LARGE,
            [run],
            cost=Cost(utilisation=0.4, price=2.0, served_tokens=1e13),
            value=MONEY["value"],
        )
        assert found.table["cost"].item() == pytest.approx(
            float(Cost(utilisation=0.4, price=2.0).draw([run], 1, 0)[0, 0])
        )
