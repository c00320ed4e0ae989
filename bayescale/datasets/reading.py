"""The CSV files that are part of the package."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd


def read_embedded(file: str) -> pd.DataFrame:
    """One embedded table."""
    with files("bayescale.datasets").joinpath(file).open(encoding="utf-8") as stream:
        return pd.read_csv(stream, keep_default_na=False, na_values=[""])
