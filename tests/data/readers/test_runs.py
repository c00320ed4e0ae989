"""read_runs: one ladder from every form of a table, and what it says of what it understood."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pytest

from bayescale.data.ladder import Ladder
from bayescale.data.readers.runs import read_runs
from bayescale.data.readers.tidy import read_csv
from bayescale.data.target import COMPUTE_ONLY, Conventions
from bayescale.errors import DataError
from helpers.tables import assert_one_line, write

RUNS = ["s", "m", "l"]
N = [1e8, 4e8, 1.6e9]
D = [2e9, 8e9, 3.2e10]
LOSS = [3.4, 2.9, 2.5]
SHARE = [0.30, 0.42, 0.55]
WIDE = pd.DataFrame(
    {"run": RUNS, "params": N, "tokens": D, "loss:c4": LOSS, "accuracy:piqa": SHARE}
)


@pytest.fixture(autouse=True)
def no_warnings() -> object:
    """A guess is a warning; a test that means one asks for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def tidy() -> Ladder:
    """The ladder that every form of the table must give."""
    of_run = {"run": RUNS, "params": N, "tokens": D, "loss_name": "c4", "loss": LOSS}
    rows = pd.concat(
        [
            pd.DataFrame({**of_run, "task": "piqa", "accuracy": SHARE}),
            pd.DataFrame({**of_run, "task": "c4", "accuracy": np.nan}),
        ]
    )
    facts = pd.DataFrame({"task": ["piqa"], "chance": [0.5], "items": [1838]})
    return Ladder.from_frame(rows, tasks=facts)


def same(ladder: Ladder) -> bool:
    return ladder.digest() == tidy().digest()


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_text_of_any_separator(tmp_path: Path, separator: str) -> None:
    ladder = read_runs(write(tmp_path, WIDE.to_csv(index=False, sep=separator)))
    assert same(ladder)
    assert ladder.name == "runs"
    assert ladder.source == "runs.csv"


def test_json_and_parquet_and_frames(tmp_path: Path) -> None:
    records = WIDE.to_dict("records")
    lines = "\n".join(map(json.dumps, records))
    polars.DataFrame(records).write_parquet(tmp_path / "runs.parquet")
    assert same(read_runs(write(tmp_path, lines, "runs.jsonl")))
    assert same(read_runs(write(tmp_path, json.dumps(records), "runs.json")))
    assert same(read_runs(str(tmp_path / "runs.parquet")))
    assert same(read_runs(WIDE))
    assert same(read_runs(polars.DataFrame(records)))


def test_a_tidy_file_is_read_as_read_csv_reads_it(tmp_path: Path) -> None:
    path = write(tmp_path, tidy().frame.to_csv(index=False))
    tasks = write(tmp_path, tidy().task_table.to_csv(), "tasks.csv")
    assert read_runs(path, tasks=tasks) == read_csv(path, tasks=tasks)


def test_the_catalogue_fills_the_task_table_and_says_so() -> None:
    ladder = read_runs(WIDE)
    assert ladder.task_table.loc["piqa"].tolist() == [0.5, 1838]
    assert any("the catalogue's" in note for note in ladder.notes)
    own = read_runs(WIDE, tasks=pd.DataFrame({"task": ["piqa"], "chance": [0.4], "items": [9]}))
    assert own.task_table.loc["piqa"].tolist() == [0.4, 9]
    assert [check.check for check in own.checks()][-1] == "chance of piqa"


def test_columns_of_other_names_are_guessed_in_one_warning() -> None:
    other = WIDE.set_axis(["Name", "N", "D", "eval/c4/loss", "piqa_acc"], axis="columns")
    with pytest.warns(UserWarning, match="Guessed") as caught:
        ladder = read_runs(other)
    assert same(ladder)
    (warning,) = caught
    for guess in ("run from 'Name'", "params from 'N'", "loss:c4 from", "accuracy:piqa from"):
        assert guess in str(warning.message)
        assert any(guess in note for note in ladder.notes)
    columns = dict(zip(WIDE.columns, other.columns, strict=True))
    assert same(read_runs(other, columns=columns)), "a map leaves nothing to guess"


def test_sizes_with_suffixes_and_in_billions() -> None:
    assert same(read_runs(WIDE.assign(params=["100M", "400M", "1.6B"])))
    billions = WIDE.assign(params=WIDE["params"] / 1e9)
    with pytest.raises(DataError) as caught:
        read_runs(billions)
    assert_one_line(caught.value, "only be billions or millions", "params=COLUMN*1e9")
    assert same(read_runs(billions, columns={"params": "params*1e9"}))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("perplexity:c4", np.exp),
        ("bits_per_token:c4", lambda x: x / np.log(2)),
        ("percent:piqa", lambda x: 100 * x),
        ("error:piqa", lambda x: 1 - x),
        ("centred:piqa", lambda x: (x - 0.5) / 0.5),
    ],
)
def test_other_kinds_of_numbers_are_turned_into_losses_and_shares(
    kind: str, change: Callable[[pd.Series], pd.Series]
) -> None:
    column = next(name for name in WIDE.columns if name.endswith(kind.split(":")[1]))
    ladder = read_runs(WIDE.assign(**{column: change(WIDE[column])}).rename(columns={column: kind}))
    frame, wanted = ladder.frame, tidy().frame
    for name in ("loss", "accuracy"):
        assert frame[name].to_numpy() == pytest.approx(wanted[name].to_numpy(), nan_ok=True)
    assert any(kind.split(":")[1] in note for note in ladder.notes)
    unit = "nats/token" if kind.endswith("c4") else None
    assert ladder.conventions.loss_units.get("c4") == unit


def test_the_task_table_may_say_what_kind_a_score_is() -> None:
    facts = pd.DataFrame({"task": ["piqa"], "chance": [0.5], "items": [1838], "metric": ["error"]})
    ladder = read_runs(WIDE.assign(**{"accuracy:piqa": 1 - WIDE["accuracy:piqa"]}), tasks=facts)
    assert ladder.frame["accuracy"].dropna().tolist() == pytest.approx(SHARE)
    with pytest.raises(DataError, match="column 'metric'"):
        read_runs(WIDE, tasks=facts.assign(metric="f1"))


def test_units_of_two_losses_must_agree() -> None:
    both = WIDE.drop(columns="accuracy:piqa").rename(columns={"loss:c4": "bits_per_token:c4"})
    sound = both.assign(**{"bits_per_byte:c4_bytes": [0.9, 0.8, 0.7]})
    units = read_runs(sound).conventions.loss_units
    assert units == {"c4": "nats/token", "c4_bytes": "bits/byte"}
    in_nats = WIDE.drop(columns="accuracy:piqa").rename(columns={"loss:c4": "perplexity:c4"})
    in_nats["perplexity:c4"] = np.exp(LOSS)
    with pytest.raises(DataError, match="bytes per token"):
        read_runs(in_nats.assign(**{"bits_per_byte:c4_bytes": LOSS}))


def test_a_table_of_compute_alone_is_for_law_compute() -> None:
    frontier = pd.DataFrame({"flops": [1e18, 1e19, 1e20, 1e21], "loss": [3.5, 3.1, 2.8, 2.6]})
    ladder = read_runs(frontier)
    assert ladder.law == "compute"
    assert ladder.conventions.params == COMPUTE_ONLY
    assert ladder.compute().tolist() == frontier["flops"].tolist()
    runs = ladder.runs
    assert (6 * runs["params"] * runs["tokens"]).to_numpy() == pytest.approx(frontier["flops"])
    assert any("only law compute" in note for note in ladder.notes)


def test_runs_are_left_out_before_the_rules_are_checked() -> None:
    damaged = WIDE.assign(**{"loss:c4": [3.4, np.nan, 2.5]})
    with pytest.raises(DataError) as caught:
        read_runs(damaged)
    assert_one_line(caught.value, "'m'", "an empty cell")
    ladder = read_runs(damaged, leave_out=["m"])
    assert list(ladder.runs.index) == ["s", "l"]
    assert "left out by 'm': m" in ladder.notes


def test_every_missing_column_is_named_at_once() -> None:
    with pytest.raises(DataError) as caught:
        read_runs(pd.DataFrame({"step": [1.0], "lr": [0.1]}))
    assert_one_line(caught.value, "'params', 'tokens', 'loss'", "params=COLUMN", "loss:NAME=COLUMN")
    with pytest.raises(DataError, match="without a loss there is no forecast"):
        read_runs(WIDE.drop(columns="loss:c4"))


def test_the_users_conventions_are_completed_and_win() -> None:
    own = Conventions(params="all", loss_units={"c4": "nats/word"})
    frame = WIDE.rename(columns={"loss:c4": "perplexity:c4"})
    assert read_runs(frame, conventions=own).conventions == own
    with pytest.warns(UserWarning, match="active_params"):
        active = read_runs(WIDE.rename(columns={"params": "active_params"}))
    assert active.conventions.params == "active"


def test_decimal_commas_in_a_table_of_semicolons_are_told(tmp_path: Path) -> None:
    text = WIDE.to_csv(index=False, sep=";", decimal=",")
    with pytest.warns(UserWarning, match="decimal point in .*loss:c4"):
        assert same(read_runs(write(tmp_path, text)))


WANDB = """Name,State,Created,parameter_count,throughput/total_tokens,eval/c4/loss,train/loss
s,finished,2024-01-01T00:00:00.000Z,1e8,2e9,3.4,3.5
m,finished,2024-01-01T00:00:00.000Z,4e8,8e9,2.9,3.0
x,crashed,2024-01-01T00:00:00.000Z,8e8,2e10,9.9,9.9
l,finished,2024-01-01T00:00:00.000Z,1.6e9,3.2e10,2.5,2.6
"""


def harness(run: str, accuracy: float) -> str:
    """Results of one run in the present format."""
    se = float(np.sqrt(accuracy * (1 - accuracy) / 1837))
    return json.dumps(
        {
            "results": {"piqa": {"alias": "piqa", "acc,none": accuracy, "acc_stderr,none": se}},
            "n-samples": {"piqa": {"original": 1838, "effective": 1838}},
            "n-shot": {"piqa": 0},
            "versions": {"piqa": 1.0},
            "config": {"model": "hf", "model_args": f"pretrained=models/{run}"},
        }
    )


def test_a_wandb_export_and_harness_results_are_one_ladder(tmp_path: Path) -> None:
    runs = write(tmp_path, WANDB, "wandb.csv")
    results = tmp_path / "results"
    results.mkdir()
    for run, share in zip(RUNS, SHARE, strict=True):
        write(results, harness(run, share), f"{run}.json")
    with pytest.warns(UserWarning, match=r"x \(crashed\)"):
        ladder = read_runs(runs, join=results)
    scored = ladder.frame.set_index("task").loc["piqa"]
    assert scored["accuracy"].tolist() == SHARE
    assert scored["loss"].tolist() == LOSS
    assert set(ladder.frame["loss_name"]) == {"c4"}
    assert ladder.task_table.loc["piqa"].tolist() == [0.5, 1838]
    assert any("Metric acc" in note for note in ladder.notes)
    with pytest.warns(UserWarning, match="Guessed"):
        assert "x" in read_runs(runs, unfinished=True).runs.index


def test_a_chart_joins_a_table_of_sizes(tmp_path: Path) -> None:
    sizes = WIDE.drop(columns=["loss:c4", "accuracy:piqa"])
    chart = pd.DataFrame({"Step": [1, 2]})
    for run, loss in zip(RUNS, LOSS, strict=True):
        chart[f"{run} - eval/c4/loss"] = [9.0, loss]
        chart[f"{run} - eval/c4/loss__MIN"] = 0.0
    path = write(tmp_path, chart.to_csv(index=False), "chart.csv")
    with pytest.warns(UserWarning, match="loss:c4 from"):
        ladder = read_runs(sizes, join=[path])
    assert ladder.frame["loss"].tolist() == LOSS
    with pytest.raises(DataError, match="exported chart"):
        read_runs(path)


def test_results_alone_are_no_run_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="JSON results of lm-evaluation-harness"):
        read_runs(write(tmp_path, harness("s", 0.3), "results.json"))
