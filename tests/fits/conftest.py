"""Fits that are saved and read back."""

from dataclasses import replace
from pathlib import Path

import pytest
import xarray as xr

from bayescale.fits.record import Fit
from helpers.fits import with_trees


@pytest.fixture(scope="session")
def short_fit(gadre_fit: Fit) -> Fit:
    """Ten draws of each chain, and only the groups that forecasts and checks read: its file is
    small.
    """

    def cut(tree: xr.DataTree | None) -> xr.DataTree:
        assert tree is not None
        short = xr.DataTree.from_dict(
            {
                f"/{name}": tree[name].to_dataset().isel(draw=slice(10))
                for name in ("posterior", "sample_stats")
            }
        )
        short.attrs = tree.attrs
        return short

    short = with_trees(gadre_fit, cut(gadre_fit.losses), cut(gadre_fit.accuracies))
    return replace(short, sampler=replace(gadre_fit.sampler, draws=10))


@pytest.fixture(scope="session")
def saved(short_fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole file."""
    path = tmp_path_factory.mktemp("whole") / "whole.fit"
    short_fit.save(path)
    return path
