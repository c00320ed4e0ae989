"""The map of columns: the user's words win, names that tell are guessed, and each guess is told."""

from pathlib import Path

import pytest

from bayescale.data.readers.columns import Source, find_columns, measure_of, parse_map
from bayescale.errors import DataError, FileError, SettingError
from helpers.tables import write


@pytest.mark.parametrize(
    ("column", "kind", "series"),
    [
        ("loss", "loss", "loss"),
        ("val_loss", "loss", "loss"),
        ("eval/pile/loss", "loss", "pile"),
        ("loss/c4", "loss", "c4"),
        ("loss:c4", "loss", "c4"),
        ("pile_ppl", "perplexity", "pile"),
        ("eval/c4_en/CrossEntropyLoss", "loss", "c4_en"),
        ("val_bpb", "bits_per_byte", "bpb"),
        ("arc_easy_acc", "accuracy", "arc_easy"),
        ("eval/hellaswag/acc_norm", "accuracy", "hellaswag"),
        ("error:piqa", "error", "piqa"),
        ("percent:arc/easy", "percent", "arc/easy"),
    ],
)
def test_the_name_of_a_measure_tells_kind_and_series(column: str, kind: str, series: str) -> None:
    assert measure_of(column)[:2] == (kind, series)


@pytest.mark.parametrize("column", ["train/loss", "train_loss", "lr", "Runtime", "", "/", "glossy"])
def test_any_other_name_is_no_measure(column: str) -> None:
    assert measure_of(column)[:2] == ("", "")


def test_names_of_the_run_table_are_no_guesses() -> None:
    found = find_columns(["run", "params", "tokens", "task", "loss", "accuracy"], {})
    assert found.guesses == ()
    assert found.of_run["params"] == Source("params")
    assert found.measures == {("loss", ""): Source("loss"), ("accuracy", ""): Source("accuracy")}


def test_a_column_may_be_called_by_its_kind() -> None:
    found = find_columns(["run", "task", "perplexity", "percent"], {})
    assert found.measures == {
        ("perplexity", ""): Source("perplexity"),
        ("percent", ""): Source("percent"),
    }
    assert found.guesses == ()


def test_other_names_are_guessed_and_told() -> None:
    header = ["Name", "N", "D", "val_loss", "budget", "dataset", "Runtime"]
    found = find_columns(header, {})
    assert {name: source.column for name, source in found.of_run.items()} == {
        "run": "Name",
        "params": "N",
        "tokens": "D",
        "flops": "budget",
        "corpus": "dataset",
    }
    assert found.measures == {("loss", "loss"): Source("val_loss")}
    assert len(found.guesses) == 6
    assert "params from 'N'" in found.guesses
    assert "Runtime" not in found.used


@pytest.mark.parametrize(
    ("header", "column", "count"),
    [
        (["params", "active_params"], "params", None),
        (["total_params", "active_params"], "active_params", "active"),
        (["total_params", "non_embedding_params"], "total_params", "total"),
        (["non_embedding_params"], "non_embedding_params", "non-embedding"),
    ],
)
def test_what_n_counts_is_chosen_and_told(
    header: list[str], column: str, count: str | None
) -> None:
    found = find_columns(header, {})
    assert found.of_run["params"].column == column
    assert found.params_count == count
    for other in header:
        if other != column and count is not None:
            assert f"not from {other!r}" in found.guesses[0]


def test_a_map_overrules_the_guesses_of_its_quantity_only() -> None:
    header = ["run", "N", "D", "val_loss", "eval/c4/loss", "piqa_acc"]
    found = find_columns(header, {"loss:c4": "eval/c4/loss"})
    assert [key for key in found.measures if key[0] == "loss"] == [("loss", "c4")]
    assert ("accuracy", "piqa") in found.measures


def test_a_column_may_be_multiplied() -> None:
    found = find_columns(["size_b"], {"params": "size_b*1e9"})
    assert found.of_run["params"] == Source("size_b", 1e9)
    assert find_columns(["size*2"], {"params": "size*2"}).of_run["params"] == Source("size*2")


def test_a_column_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DataError, match="must name a column of the table; got columns a, b"):
        find_columns(["a", "b"], {"params": "N"})


def test_a_map_is_text_a_mapping_or_a_file(tmp_path: Path) -> None:
    wanted = {"params": "N", "loss:c4": "eval/c4/loss"}
    assert parse_map("params=N, loss:c4=eval/c4/loss") == wanted
    assert parse_map(wanted) == wanted
    toml = 'params = "N"\n"loss:c4" = "eval/c4/loss"\n'
    assert parse_map(write(tmp_path, toml, "map.toml")) == wanted
    assert parse_map(str(write(tmp_path, "[columns]\n" + toml, "map.toml"))) == wanted
    assert parse_map(None) == {}


@pytest.mark.parametrize(
    "columns",
    [
        "params",
        "params=N,tokens",
        3,
        ["params=N"],
        {"params": 3},
        {"size": "N"},
        "loss:=x",
        "flavour:c4=x",
    ],
)
def test_what_is_no_map_is_an_error(columns: object) -> None:
    with pytest.raises(SettingError):
        parse_map(columns)


def test_a_toml_file_that_does_not_parse_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="must be TOML"):
        parse_map(write(tmp_path, "params = ", "map.toml"))
