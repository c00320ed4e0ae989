"""The embedded tables made again from the public files."""

import io
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest

from bayescale.data.datasets import DATASETS
from bayescale.data.datasets.rebuild import READERS, main, rebuild, tables


@pytest.mark.parametrize("name", DATASETS)
def test_readers_still_make_the_embedded_tables(name: str, shared_data: Path) -> None:
    made = tables(READERS[name](shared_data / name / "raw"))
    for end, text in made.items():
        embedded = files("bayescale.data.datasets").joinpath(f"{name}_{end}").read_text("utf-8")
        # Not byte for byte: another version of pandas may sum in another order, which the tenth
        # digit can show.
        pd.testing.assert_frame_equal(
            pd.read_csv(io.StringIO(text)), pd.read_csv(io.StringIO(embedded)), rtol=1e-9
        )


@pytest.mark.slow
def test_rebuild_writes_whole_tables_or_nothing(
    tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = rebuild(shared_data, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)
    embedded = {
        path: files("bayescale.data.datasets").joinpath(path.name).read_bytes() for path in written
    }
    assert main([str(tmp_path)]) == 2
    assert main([]) == 2
    said = capsys.readouterr().err.splitlines()
    assert "must be a folder; got nothing there" in said[0]
    assert said[1].startswith("usage:")
    assert embedded == {
        path: files("bayescale.data.datasets").joinpath(path.name).read_bytes() for path in written
    }
