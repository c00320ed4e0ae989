"""The figures that the papers' own code prints."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bayescale.data.datasets import DATASETS
from bayescale.data.datasets.released import load_released, released_tables


@pytest.mark.parametrize("name", DATASETS)
def test_released_figures_are_those_of_the_files(name: str, shared_data: Path) -> None:
    made = released_tables(shared_data / "published")[name].set_index(
        ["corpus", "series", "run", "quantity"]
    )["value"]
    pd.testing.assert_series_equal(made, load_released(name), rtol=1e-9)


def test_released_tables_are_complete() -> None:
    assert load_released("gadre2024").notna().all()
    assert load_released("ladder2024").notna().all()
    assert len(load_released("gadre2024")) == 30 + 3 * 104
