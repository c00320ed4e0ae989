"""The same cells from every format, and what a damaged file is told."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pytest

from bayescale.data.readers.formats import MAX_DEPTH, read_cells
from bayescale.data.readers.parse import MAX_COLUMNS
from bayescale.errors import BayescaleError, DataError, FileError
from helpers.tables import assert_one_line, write

RECORDS = [{"run": "007", "params": 1e8, "loss": 3.5}, {"run": "b", "params": 2e8, "loss": None}]


def lines(separator: str) -> str:
    return (
        separator.join(("run", "params", "loss"))
        + "\n"
        + "\n".join(
            separator.join(("" if v is None else str(v)) for v in record.values())
            for record in RECORDS
        )
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (lines(","), "CSV"),
        (lines("\t"), "TSV"),
        (lines(";"), "CSV with semicolons"),
        ("\ufeff" + lines(","), "CSV"),
        (json.dumps(RECORDS), "JSON"),
        ("\n".join(map(json.dumps, RECORDS)), "JSON Lines"),
        ("\n\n".join(map(json.dumps, RECORDS)) + "\n", "JSON Lines"),
    ],
)
def test_formats_of_text_give_the_same_cells(tmp_path: Path, text: str, kind: str) -> None:
    cells = read_cells(write(tmp_path, text, "runs.txt"))
    assert cells.format == kind
    assert list(cells.table.columns) == ["run", "params", "loss"]
    assert list(cells.table["run"]) == ["007", "b"]
    assert cells.table["params"].astype(float).tolist() == [1e8, 2e8]
    assert float(cells.table["loss"][0]) == 3.5
    assert pd.isna(cells.table["loss"][1])


def test_parquet_and_data_frames_give_the_same_cells(tmp_path: Path) -> None:
    frame = polars.DataFrame(RECORDS)
    frame.write_parquet(tmp_path / "runs.dat")
    tables = [read_cells(s).table for s in (tmp_path / "runs.dat", frame, frame.to_pandas())]
    for table in tables:
        assert list(table["run"]) == ["007", "b"]
        assert table["loss"].tolist()[0] == 3.5
        assert np.isnan(table["loss"].astype(float)[1])
    assert read_cells(frame).format == "data frame of polars"


def test_nested_fields_have_names_of_their_path(tmp_path: Path) -> None:
    record = {"name": "a", "train": {"lr": 1e-3, "more": {"steps": 5}}, "tags": ["x", "y"]}
    table = read_cells(write(tmp_path, json.dumps([record]))).table
    assert list(table.columns) == ["name", "train.lr", "train.more.steps", "tags"]
    assert table["tags"][0] == '["x", "y"]'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\x89PNG\0", "binary"),
        (b"PAR1 no parquet", "whole Parquet file"),
        (b"run,run\na,b\n", "'run' twice"),
        (b"run,params\na,1\nb,2,3\n", "3 fields in row 3"),
        (b'run,params\n"a,1\n', "1 fields in row 2"),
        (b"{broken", "JSON Lines"),
        (b"[1, 2]", "named fields"),
        (b"[]", "named fields"),
        (b'[{"run": "\\ud800"}]', "JSON"),
        (b"[" * 100_000, "JSON"),
        (b'[{"a":' + b'{"a":' * (MAX_DEPTH + 2) + b"1" + b"}" * (MAX_DEPTH + 3) + b"]", "deep"),
        (",".join(f"c{i}" for i in range(20_000)).encode(), f"at most {MAX_COLUMNS} columns"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(BayescaleError) as caught:
        read_cells(path)
    assert_one_line(caught.value, words)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("source", [3, None, [1, 2], {"run": ["a"]}])
def test_what_is_neither_path_nor_frame_is_an_error(source: object) -> None:
    with pytest.raises(DataError, match="a path or a data frame"):
        read_cells(source)


def test_a_path_that_is_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="must exist"):
        read_cells(tmp_path / "absent.csv")
    with pytest.raises(FileError, match="a folder"):
        read_cells(tmp_path)
