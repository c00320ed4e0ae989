"""Embedded data sets: the published figures, roles, and what `tasks` picks."""

from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from bayescale.data.datasets import load_dataset
from bayescale.errors import SettingError

# published.md: accuracy in points of 7B-4T and 13B-5T.
ACTUAL = {
    "mmlu": (49.01, 51.61),
    "hellaswag": (81.35, 83.19),
    "piqa": (82.05, 82.96),
    "socialiqa": (59.93, 61.60),
    "arc_challenge": (61.95, 63.81),
    "arc_easy": (84.55, 87.17),
    "csqa": (72.65, 74.10),
    "openbookqa": (49.40, 48.64),
}


@pytest.mark.parametrize("task", ACTUAL)
def test_ladder_targets_are_the_published_ones(task: str) -> None:
    accuracy = load_dataset("ladder2024").where(task=task).frame.set_index("run")["accuracy"]
    assert 100 * accuracy[["7B-4T", "13B-5T"]].to_numpy() == pytest.approx(ACTUAL[task], abs=0.0051)


@pytest.mark.parametrize(
    ("run", "loss", "error"),
    [("redpajama-1.4B-M640", 2.50205, 0.47522), ("redpajama-6.9B-M20", 2.42499, 0.47164)],
)
def test_gadre_targets_are_the_published_ones(run: str, loss: float, error: float) -> None:
    row = load_dataset("gadre2024").where(run=run, task="average17").frame.iloc[0]
    assert row["loss"] == pytest.approx(loss, abs=5.1e-6)
    assert 1 - row["accuracy"] == pytest.approx(error, abs=5.1e-6)


def test_ladder_extrapolation_factors_are_the_known_ones() -> None:
    ladder = load_dataset("ladder2024")
    for measured, factors in ((True, (75, 177)), (False, (83, 202))):
        compute = ladder.compute(measured=measured)
        ceiling = compute[ladder.runs["role"] == "fit"].max()
        assert np.round(compute[["7B-4T", "13B-5T"]] / ceiling).tolist() == list(factors)


def test_default_is_the_papers_own_set() -> None:
    ladder, gadre = load_dataset("ladder2024"), load_dataset("gadre2024")
    assert set(ladder.tasks) == set(ACTUAL)
    assert set(ladder.loss_names) == {*ACTUAL, "c4"}
    assert (gadre.tasks, gadre.loss_names) == (["average17", "average46"], ["c4"])
    assert (ladder.law, ladder.link, gadre.law, gadre.link) == (
        "skaling",
        "logistic",
        "gadre",
        "exponential",
    )
    assert ladder.conventions.tokenizer != gadre.conventions.tokenizer
    assert ladder.conventions.loss_units["c4"] == gadre.conventions.loss_units["c4"] == "nats/token"


@pytest.mark.parametrize(
    ("name", "runs", "tasks", "losses"), [("ladder2024", 32, 10, 11), ("gadre2024", 104, 48, 8)]
)
def test_all_gives_everything_with_the_same_runs(
    name: str, runs: int, tasks: int, losses: int
) -> None:
    everything = load_dataset(name, tasks="all")
    assert (len(everything.runs), len(everything.tasks), len(everything.loss_names)) == (
        runs,
        tasks,
        losses,
    )
    pd.testing.assert_frame_equal(everything.runs, load_dataset(name).runs)


def test_roles_are_the_papers() -> None:
    assert load_dataset("ladder2024").runs["role"].value_counts().to_dict() == {
        "fit": 16,
        "held_out": 14,
        "target": 2,
    }
    assert load_dataset("gadre2024").runs["role"].value_counts().to_dict() == {
        "held_out": 80,
        "fit": 15,
        "target": 6,
        "link": 3,
    }


def test_tasks_pick_by_name_in_that_order() -> None:
    picked = load_dataset("gadre2024", tasks=["paloma_ptb", "piqa"])
    assert (picked.tasks, picked.loss_names, len(picked.runs)) == (
        ["piqa"],
        ["paloma_ptb", "c4"],
        104,
    )
    assert load_dataset("ladder2024", tasks="boolq").tasks == ["boolq"]
    assert load_dataset("ladder2024", tasks="c4").tasks == []


@pytest.mark.parametrize(
    ("name", "tasks", "words"),
    [
        ("ladder2025", None, "must be one of ladder2024, gadre2024; got 'ladder2025'"),
        (
            "ladder2024",
            ["mmlu", "helaswag"],
            "task 'helaswag': must be a task or a loss series of ladder2024; got 'helaswag'; "
            "use hellaswag",
        ),
        ("gadre2024", "arc", "arc_easy"),
        ("ladder2024", ["xyzzy"], "use mmlu, hellaswag"),
        ("ladder2024", [], "must name at least one task"),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(
    name: str, tasks: list[str] | str | None, words: str
) -> None:
    with pytest.raises(SettingError) as caught:
        load_dataset(name, tasks=tasks)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tables_are_small_and_carry_source_and_licence() -> None:
    embedded = [
        file
        for file in files("bayescale.data.datasets").iterdir()
        if file.name.endswith((".csv", ".md"))
    ]
    assert len(embedded) == 8
    assert sum(len(file.read_bytes()) for file in embedded) < 250_000
    for name, licence in (("ladder2024", "Apache-2.0"), ("gadre2024", "MIT")):
        assert f"Licence: {licence}" in files("bayescale.data.datasets").joinpath(
            f"{name}.md"
        ).read_text("utf-8")
