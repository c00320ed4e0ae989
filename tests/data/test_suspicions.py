"""Warnings of figures that cannot be what they claim; a sound ladder has none."""

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.checks import Check
from bayescale.data.ladder import Ladder

SIZES = np.array([1e8, 2e8, 4e8, 8e8, 1.6e9])


def frame() -> pd.DataFrame:
    """Five runs of one loss and one task, as a law and a link would have them."""
    loss = 1.7 + 400.0 * SIZES**-0.3
    accuracy = 0.25 + 0.5 / (1 + np.exp(4 * (loss - 2.6)))
    columns = {"params": SIZES, "tokens": 20 * SIZES**0.9, "loss": loss, "accuracy": accuracy}
    return pd.DataFrame({"run": list("abcde"), **columns, "task": "quiz", "loss_name": "c4"})


def warned(rows: pd.DataFrame) -> list[Check]:
    tasks = pd.DataFrame({"task": rows["task"].unique(), "chance": 0.25, "items": 1000})
    return Ladder.from_frame(rows, tasks=tasks).checks()


def test_a_sound_ladder_has_no_warning() -> None:
    assert warned(frame()) == []


@pytest.mark.parametrize("name", ["ladder2024", "gadre2024"])
def test_the_embedded_ladders_keep_their_meaning(name: str) -> None:
    checks = bs.load_dataset(name).checks()
    assert all("accuracy above chance" in check.check for check in checks)


def test_perplexities_are_no_losses() -> None:
    checks = warned(frame().assign(loss=lambda rows: np.exp(rows["loss"])))
    assert [check.check for check in checks] == ["loss c4"]
    assert "perplexit" in checks[0].advice


def test_the_same_losses_under_two_names() -> None:
    rows = pd.concat([frame().assign(task=t, loss_name=t) for t in ("quiz", "exam")])
    (check,) = warned(rows)
    assert "quiz, exam" in check.advice
    assert "loss_name" in check.advice


def test_a_diverged_run_is_named() -> None:
    rows = frame()
    rows.loc[2, "loss"] = 10.8
    checks = warned(rows.drop(columns="accuracy"))
    assert [check.check for check in checks] == ["loss above a smaller run's: c"]
    assert checks[0].value == pytest.approx(10.8 / rows["loss"][1])


def test_a_target_is_not_looked_at() -> None:
    rows = frame().assign(role="fit")
    rows.loc[2, ["loss", "role"]] = [10.8, "target"]
    assert warned(rows.drop(columns="accuracy")) == []


def test_an_error_rate_falls_with_the_loss() -> None:
    (check,) = warned(frame().assign(accuracy=lambda rows: 1 - rows["accuracy"]))
    assert check.check == "accuracy that falls: quiz"
    assert "1 - score" in check.advice


def test_runs_of_one_configuration() -> None:
    rows = pd.concat([frame(), frame().assign(run=list("ABCDE"), loss=frame()["loss"] * 1.02)])
    (check,) = warned(rows.drop(columns="accuracy"))
    assert check.value == 10
    assert "learning rates" in check.advice


def test_reruns_whose_seeds_are_given_have_no_warning() -> None:
    again = frame().assign(run=list("ABCDE"), loss=frame()["loss"] * 1.002, seed=2)
    rows = pd.concat([frame().assign(seed=1), again]).drop(columns="accuracy")
    assert warned(rows) == []
    rows.loc[rows["run"] == "B", "seed"] = 1
    (check,) = warned(rows)
    assert (check.check, check.value) == ("runs of one configuration", 2)


def test_a_run_that_repeats_its_data_may_lie_above_one_that_does_not() -> None:
    rows = frame().drop(columns="accuracy").assign(unique_tokens=np.nan)
    rows.loc[4, ["loss", "unique_tokens"]] = [1.3 * rows["loss"][3], 1e8]
    assert warned(rows) == []
    # More unique tokens than were seen say no more than none.
    rows.loc[3, "unique_tokens"] = 1e15
    rows.loc[4, "unique_tokens"] = np.nan
    assert [check.check for check in warned(rows)] == ["loss above a smaller run's: e"]


@pytest.mark.parametrize(("column", "value"), [("params", 4e8), ("tokens", 8e9)])
def test_a_size_that_never_varies(column: str, value: float) -> None:
    (check,) = warned(frame().assign(**{column: value}))
    assert check.check == f"{column} that never varies"


def test_a_chance_that_contradicts_the_catalogue() -> None:
    rows = frame().assign(task="piqa")
    (check,) = warned(rows)
    assert check.check == "chance of piqa"
    assert check.limit == 0.5


def test_runs_of_nearly_one_compute() -> None:
    near = frame().assign(
        params=1e8 * np.arange(1.0, 1.5, 0.1), tokens=2e9 * np.arange(1, 1.5, 0.1)
    )
    (check,) = warned(near)
    assert check.check == "range of compute"
    assert check.value == pytest.approx(1.4**2)


def test_a_task_whose_runs_are_all_near_chance() -> None:
    (check,) = warned(frame().assign(accuracy=[0.25, 0.26, 0.24, 0.25, 0.28]))
    assert check.check == "accuracy near chance: quiz"
    assert "unknown" in check.advice


def test_one_cell_in_another_unit_is_named() -> None:
    rows = frame()
    rows.loc[2, "params"] /= 1e6
    checks = {check.check: check for check in warned(rows.drop(columns="accuracy"))}
    assert "of c are at most 400" in checks["gap in params"].advice


def test_runs_whose_learning_rates_end_differently_are_counted() -> None:
    schedules = ["cosine", "cosine", "constant", "cosine", ""]
    (check,) = warned(frame().assign(schedule=schedules))
    assert (check.check, check.value) == ("schedules on default", 2)
    assert "cosine (3), constant (1)" in check.advice
    assert warned(frame().assign(schedule="cosine")) == []


def test_a_target_of_another_schedule_is_named() -> None:
    rows = frame().assign(schedule="cosine", role="fit")
    rows.loc[4, ["schedule", "role"]] = ["wsd", "target"]
    (check,) = warned(rows)
    assert check.check == "schedule of targets on default"
    assert "e end in another way" in check.advice
    assert "(wsd, not cosine)" in check.advice
    rows.loc[0, "schedule"] = "wsd"
    assert [check.check for check in warned(rows)] == ["schedules on default"]


def test_the_corpora_may_differ_in_schedule() -> None:
    rows = pd.concat([frame(), frame().assign(run=list("fghij"), corpus="pile", schedule="wsd")])
    rows["schedule"] = rows["schedule"].fillna("cosine")
    assert warned(rows) == []
