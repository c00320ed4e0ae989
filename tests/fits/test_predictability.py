"""One verdict per task: its rule, on simulated tasks of each kind."""

from __future__ import annotations

from functools import cache
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayescale.data.ladder import Ladder
from bayescale.data.target import Target
from bayescale.fits.fit import fit
from bayescale.fits.predictability import Predictability, predictability
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.inference.diagnostics import design_checks
from bayescale.models.inputs import accuracy_data, loss_data
from bayescale.models.laws import LAWS
from bayescale.models.links import LINKS

RUNS = 16
SIZE = np.repeat([1e8, 2e8, 4e8, 8e8], 4)
TOKENS = SIZE * np.tile([20.0, 40.0, 100.0, 200.0], 4)
LOSS = 1.5 + 400 * SIZE**-0.34 + 400 * TOKENS**-0.28
RISE = 1 / (1 + np.exp(3 * (LOSS - LOSS.mean())))


def ladder(seed: int) -> Ladder:
    """Tasks of each kind on 16 runs: 2000 questions, so that a score scatters by about 0.01."""
    rng = np.random.default_rng(seed)
    scatter = 0.01 * rng.standard_normal((5, RUNS))
    # a loss of the task's own that has nothing to do with the runs
    own = np.exp(0.3 * rng.standard_normal(RUNS))
    scores = {
        "steep": 0.25 + 0.5 * RISE + scatter[0],
        "faint": 0.25 + 0.05 * RISE + scatter[1],
        "flat": 0.25 + scatter[2],
        "falling": 0.6 - 0.3 * RISE + scatter[3],
        "elsewhere": 0.25 + 0.5 * RISE + scatter[4],
    }
    rows = [
        {
            "run": f"r{i}",
            "params": SIZE[i],
            "tokens": TOKENS[i],
            "task": task,
            "accuracy": np.clip(accuracy[i], 0, 1),
        }
        | (
            {"loss": own[i], "loss_name": "elsewhere"}
            if task == "elsewhere"
            else {"loss": LOSS[i], "loss_name": "c4"}
        )
        for task, accuracy in scores.items()
        for i in range(RUNS)
    ]
    return Ladder.from_frame(
        pd.DataFrame(rows),
        tasks=pd.DataFrame({"task": list(scores), "chance": 0.25, "items": 2000}),
    )


@cache
def judged(seed: int) -> pd.DataFrame:
    one = ladder(seed)
    data = accuracy_data(one, None)
    assert data is not None
    return predictability(data, one.compute())


@pytest.mark.parametrize(
    ("task", "allowed", "least"),
    [
        ("steep", {"predictable"}, 1.0),
        # it does rise, by 3 standard deviations of a score: more often than not the runs show it
        ("faint", {"weak", "predictable"}, 0.7),
        ("flat", {"no trend"}, 0.9),
        ("falling", {"inverse"}, 1.0),
        ("elsewhere", {"not through this loss"}, 0.9),
    ],
)
def test_each_kind_of_task_gets_its_verdict(task: str, allowed: set[str], least: float) -> None:
    found = [judged(seed).loc[task, "verdict"] for seed in range(40)]
    assert np.mean([v in allowed for v in found]) >= least


def test_weak_is_the_verdict_between() -> None:
    assert "weak" in {judged(seed).loc["faint", "verdict"] for seed in range(40)}


def test_figures_are_spearmans_with_fishers_interval() -> None:
    one, frame = ladder(0), judged(0)
    accuracy = one.frame.query("task == 'faint'")["accuracy"].to_numpy()
    rho = stats.spearmanr(accuracy, -LOSS)[0]
    assert frame.loc["faint", "rho"] == pytest.approx(rho)
    assert frame.loc["faint", "rho_lower"] == pytest.approx(
        np.tanh(np.arctanh(rho) - 1.645 * np.sqrt(1.06 / 13))
    )
    assert frame.loc["faint", "rho_compute"] == pytest.approx(
        stats.spearmanr(accuracy, SIZE * TOKENS)[0]
    )
    assert (frame["runs"] == RUNS).all()


def test_a_score_that_never_changes_has_no_trend() -> None:
    one = ladder(0)
    rows = one.frame
    rows.loc[rows["task"] == "steep", "accuracy"] = 0.3
    data = accuracy_data(Ladder.from_frame(rows, tasks=one.task_table.reset_index()), None)
    assert data is not None
    assert predictability(data, one.compute()).loc["steep", "verdict"] == "no trend"


def test_a_forecast_carries_them(ladder_fit: Fit) -> None:
    frame = forecast(ladder_fit, ladder_fit.ladder.targets()).to_frame()
    accuracy = frame[frame["quantity"] == "accuracy"].set_index("task")["verdict"]
    assert accuracy.to_dict() == ladder_fit.verdicts()["verdict"].to_dict()
    assert set(accuracy) <= set(get_args(Predictability))
    assert frame.loc[frame["quantity"] == "loss", "verdict"].isna().all()


def test_a_task_below_its_stated_chance_is_not_predictable() -> None:
    made = ladder(0)
    table = made.task_table.assign(chance=[0.45, *[0.25] * 4]).reset_index()
    wrong = Ladder.from_frame(made.frame, tasks=table)
    data = accuracy_data(wrong, None)
    assert data is not None
    verdicts = predictability(data, wrong.compute())["verdict"]
    assert verdicts["steep"] == "weak"
    assert judged(0).loc["steep", "verdict"] == "predictable"
    checks = design_checks(loss_data(wrong), LAWS["compute"], data, LINKS["logistic"])
    (check,) = [c for c in checks if c.check.startswith("chance of")]
    assert check.check == "chance of steep, default"
    assert check.limit == 0.45
    assert "give the chance of the metric" in check.advice


@pytest.mark.slow
def test_a_task_that_bends_where_its_link_does_not_is_weak_and_goes_on_from_its_best_run() -> None:
    # One family of models: "late" stays at chance, then rises faster than any logistic that does.
    # Its last size, at twice the compute of the one before, is the target.
    size = np.append(np.geomspace(1e8, 1e10, 10), 1.41e10)
    loss = 1.7 + 400 * size**-0.34 + 410 * (20 * size) ** -0.28
    rng = np.random.default_rng(0)
    measured = loss * np.exp(0.003 * rng.standard_normal(len(size)))
    expected = {
        "late": 0.25 + 1.5 * np.clip(0.85 - np.log(loss), 0, None),
        "steady": 0.25 + 0.5 / (1 + np.exp(3 * (loss - 2.6))),
    }
    rows = [
        {
            "run": f"r{i}",
            "params": size[i],
            "tokens": 20 * size[i],
            "loss_name": "validation",
            "loss": measured[i],
            "task": task,
            "accuracy": score[i] + 0.005 * rng.standard_normal(),
        }
        for i in range(len(size) - 1)
        for task, score in expected.items()
    ]
    tasks = pd.DataFrame({"task": list(expected), "chance": 0.25, "items": 2000})
    family = Ladder.from_frame(pd.DataFrame(rows), tasks=tasks)
    fitted = fit(family, chains=2, draws=400)
    assert fitted.verdicts()["verdict"].to_dict() == {"late": "weak", "steady": "predictable"}
    twice = Target(params=size[-1], tokens=20 * size[-1])
    table = forecast(fitted, [twice]).to_frame().query("quantity == 'accuracy'").set_index("task")
    best = family.frame.groupby("task")["accuracy"].max()
    assert (table["median"] > best).all()
    truth = pd.Series({task: score[-1] for task, score in expected.items()})
    assert table["lower"].lt(truth).all()
    assert table["upper"].gt(truth).all()
