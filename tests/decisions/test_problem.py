"""The decision problem that all candidates share: outcomes, cost, remarks."""

import numpy as np
import pytest

from bayescale.data.target import Target
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.cost import Cost
from bayescale.decisions.preference import Preference
from bayescale.decisions.problem import EvsiProblem
from bayescale.decisions.value import Linear
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from helpers.targets import again

LARGE = Target(1.3e10, 5e12, name="large", flops=4.6e23)
MONEY = {"cost": 1e6, "value": Linear(1e5, 0.6)}


def problem_of(fit: Fit, *candidates: Candidate, cost: float | Cost = 1e6) -> EvsiProblem:
    return EvsiProblem(
        fit=fit,
        targets=[LARGE],
        candidates=candidates,
        cost=cost,
        value=MONEY["value"],
        preference=Preference(0.0, 1.0, 1.0),
        seed=0,
    )


def test_an_outcome_is_a_run_like_the_ladders(default_fit: Fit) -> None:
    """Compute stays measured, repetition goes along, and outcomes are in the order of what they
    say of the target.
    """
    runs = [Target(3e9, 3e11, unique_tokens=1e11)]
    problem = EvsiProblem(
        fit=default_fit,
        targets=[LARGE],
        candidates=[Candidate(runs, cost=1.0)],
        cost=1.0,
        value=MONEY["value"],
        preference=Preference(0.0, 1.0, 1.0),
        seed=0,
    )
    ladders = problem.outcomes(0, 4)
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


def test_remarks_name_reruns_and_runs_larger_than_the_target(default_fit: Fit) -> None:
    rerun = Candidate([again(default_fit, "1B-10xC")], cost=1.0)
    larger = Candidate([Target(1e11, 1e13)], cost=1.0)
    problem = problem_of(default_fit, rerun, larger)
    assert "rerun" in problem.remarks(0)[0]
    assert "large" in problem.remarks(1)[0]
    assert "compute" in problem.remarks(1)[0]


def test_a_candidate_is_priced_by_the_hour_without_the_tokens_served(default_fit: Fit) -> None:
    run = Target(1e9, 1e11)
    hours = Cost(utilisation=0.4, price=2.0, overhead=0.0, served_tokens=1e13)
    problem = problem_of(default_fit, Candidate([run]), Candidate([run], cost=5.0), cost=hours)
    assert problem.cost_of(0) == pytest.approx(2.0 * 6e20 / 0.4 / 989e12 / 3600)
    assert problem.cost_of(1) == 5.0
    with pytest.raises(SettingError, match="cost of candidate"):
        problem_of(default_fit, Candidate([run])).cost_of(0)


def test_targets_and_runs_share_the_law_of_each_draw(default_fit: Fit) -> None:
    problem = problem_of(default_fit, Candidate([Target(3e9, 3e11)], cost=1.0))
    draws = problem.joint.draws
    assert list(draws.target.values) == ["large", "candidate 1, run 1"]
    assert problem.net(problem.of_targets(problem.joint)).shape == (600, 1)
    loss = np.log(draws["loss"].sel(task="c4")).values.reshape(-1, 2)
    assert np.corrcoef(loss.T)[0, 1] > 0.3
