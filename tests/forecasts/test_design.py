"""What the design of a ladder can tell, checked against the normal algebra and simple limits."""

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.data.ladder import Ladder
from bayescale.errors import DataError
from bayescale.forecasts.design import propose_runs, study_design


@pytest.fixture(scope="module", autouse=True)
def in_64_bit() -> None:
    bs.setup()


def ladder(runs: list[tuple[float, float]]) -> Ladder:
    rows = pd.DataFrame(runs, columns=["params", "tokens"])
    rows["loss"] = 1.7 + 400 * rows["params"] ** -0.34 + 2000 * rows["tokens"] ** -0.37
    return Ladder.from_frame(rows.assign(run=[f"r{i}" for i in range(len(rows))], task="c4"))


GRID = [(n, m * n) for n in (1e8, 2e8, 4e8, 8e8) for m in (10, 40)]
FAR = bs.Target(params=7e9, tokens=1.4e11, name="far")


def sd(runs: list[tuple[float, float]], target: bs.Target = FAR) -> float:
    return float(study_design(ladder(runs), [target]).targets["design_sd_percent"].iloc[0])


def test_distances_are_ratios_to_the_largest_run() -> None:
    row = study_design(ladder(GRID), [FAR]).targets.iloc[0]
    assert row["params_ratio"] == pytest.approx(7e9 / 8e8)
    assert row["tokens_ratio"] == pytest.approx(1.4e11 / 3.2e10)
    assert row["multiplier"] == pytest.approx(20)
    assert row["extrapolation_factor"] == pytest.approx(7e9 * 1.4e11 / (8e8 * 3.2e10))


def test_the_design_says_more_of_a_near_target_and_of_a_larger_ladder() -> None:
    near = bs.Target(params=1e9, tokens=2e10, name="near")
    assert sd(GRID, near) < sd(GRID)
    assert sd([*GRID, (1.6e9, 3.2e10), (3.2e9, 6.4e10)]) < sd(GRID)


def test_one_size_says_less_of_another_size() -> None:
    one_size = [(4e8, m * 4e8) for m in (5, 10, 20, 40, 80, 160, 320, 640)]
    assert sd(one_size) > 1.5 * sd(GRID)


def test_losses_do_not_enter() -> None:
    """The design is known before the runs are trained."""
    other = ladder(GRID).frame.assign(loss=np.linspace(4, 3, len(GRID)))
    again = study_design(Ladder.from_frame(other), [FAR])
    assert again.targets["design_sd_percent"].iloc[0] == sd(GRID)


def test_the_run_that_helps_most_costs_no_more_than_the_largest() -> None:
    (sentence,) = study_design(ladder(GRID), [FAR]).sentences
    words = sentence.split("largest one, ")[1].split()
    params, tokens = float(words[0]), float(words[3])
    assert params * tokens <= 1.01 * 8e8 * 3.2e10
    assert sentence.startswith("far: of runs within the compute of the largest one")


def test_what_a_fit_refuses_is_refused() -> None:
    with pytest.raises(DataError, match="at least 3 fitted runs"):
        study_design(ladder(GRID[:2]), [])


def test_without_targets_there_are_only_checks() -> None:
    design = study_design(ladder([(n, 20 * n) for n in (1e8, 2e8, 4e8)]), [])
    assert design.targets.empty
    assert design.sentences == []
    assert "spread of ln(D/N)" in [check.check for check in design.checks]


def test_proposed_runs_are_within_their_compute_and_tell_more_the_larger_they_are() -> None:
    largest = max(n * d for n, d in GRID)
    proposed = propose_runs(ladder(GRID), [FAR])
    for run, factor in zip(proposed, (1 / 3, 1, 3), strict=True):
        # Sizes are rounded to two digits.
        assert run.params * run.tokens <= 1.1 * factor * largest
    after = [sd([*GRID, (run.params, run.tokens)]) for run in proposed]
    assert sd(GRID) > after[0] > after[1] > after[2]


def test_the_first_proposed_run_tells_more_than_others_of_its_compute() -> None:
    _, run, _ = propose_runs(ladder(GRID), [FAR])
    compute = run.params * run.tokens
    others = [((compute / m) ** 0.5, (compute * m) ** 0.5) for m in (10, 20, 80, 160)]
    best = sd([*GRID, (run.params, run.tokens)])
    assert all(best < 1.1 * sd([*GRID, other]) for other in others)
