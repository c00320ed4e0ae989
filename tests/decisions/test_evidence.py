"""The value of information: ranks, prices and regret of candidates."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bayescale.data.ladder import Ladder
from bayescale.data.target import Target
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.cost import Cost
from bayescale.decisions.decide import decide
from bayescale.decisions.evidence import value_of_information
from bayescale.decisions.preference import Preference
from bayescale.decisions.value import Linear, Threshold
from bayescale.errors import SettingError
from bayescale.fits.fit import fit, fit_many
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from helpers.targets import again

LARGE = Target(1.3e10, 5e12, name="large", flops=4.6e23)
MONEY = {"cost": 1e6, "value": Linear(1e5, 0.6)}


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

    def test_a_candidate_of_more_compute_than_a_target_is_noted(self, default_fit: Fit) -> None:
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
        assert "takes more compute than small itself" in notes[run.label]
        assert "more compute" not in notes["2 x the questions"]

    def test_with_no_regret_allowed_no_run_is_worth_buying_that_cannot_take_it_away(
        self, default_fit: Fit
    ) -> None:
        """At the cost at which nobody indifferent to risk knows what to do, a run that hardly
        narrows the forecast.
        """
        mean = forecast(default_fit, LARGE).draws["accuracy"].mean("task")
        value, cost = Threshold(3e6, float(mean.median())), 1.5e6
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

    @pytest.mark.slow
    def test_in_hindsight_the_best_candidate_narrows_most(self, four_tasks: Ladder) -> None:
        """Fitted on 190M to 760M; the 1B runs are the candidates, and each is then really added."""
        rows = four_tasks.frame
        small = Ladder.from_frame(
            rows[~rows["run"].str.startswith("1B")], tasks=four_tasks.task_table.reset_index()
        )
        target = next(t for t in four_tasks.targets() if t.label == "7B-4T")
        candidates = [
            Candidate([t], cost=0.0, name=t.label)
            for t in four_tasks.targets("fit", "held_out")
            if t.label.startswith("1B")
        ]
        fitted = fit(small, discrepancy="calibrated", chains=2)
        table = value_of_information(
            fitted, target, candidates, cost=5e5, value=Linear(1e5, 0.62), refits=4
        ).table.set_index("candidate")
        names = list(table.index)
        added = [
            small.with_rows(rows[rows["run"] == name].assign(role="fit", run=f"{name}-new"))
            for name in names
        ]
        width = {}
        refits = fit_many(fitted.settings, fitted.sampler, added)
        for name, refit in zip(names, refits, strict=True):
            mean = forecast(refit, target).mean()
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
                replace(default_fit, settings=replace(default_fit.settings, priors=None)),
                LARGE,
                [Candidate(items=2, cost=1.0)],
                **MONEY,
            )

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
