"""A fit's file: written whole or not at all."""

import os
import shutil
from pathlib import Path

import pytest
import xarray as xr

from bayescale.errors import FileError
from bayescale.fits.record import Fit
from helpers.fits import round_trip


class TestSaving:
    def test_a_failed_save_leaves_the_old_file_as_it_was(
        self, short_fit: Fit, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = shutil.copy(saved, tmp_path / "a.fit")
        self._fail_at_the_second_tree(monkeypatch)
        with pytest.raises(FileError, match="must be written whole; got disk full"):
            short_fit.save(path)
        assert path.read_bytes() == saved.read_bytes()
        assert [p.name for p in tmp_path.iterdir()] == ["a.fit"]

    def test_a_failed_save_leaves_no_file_where_none_was(
        self, short_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._fail_at_the_second_tree(monkeypatch)
        with pytest.raises(FileError, match="must be written whole; got disk full"):
            short_fit.save(tmp_path / "a.fit")
        assert list(tmp_path.iterdir()) == []

    def test_a_save_takes_the_place_of_the_old_file(self, short_fit: Fit, tmp_path: Path) -> None:
        (tmp_path / "a.fit").write_text("something old")
        assert round_trip(short_fit, tmp_path).ladder == short_fit.ladder
        assert [p.name for p in tmp_path.iterdir()] == ["a.fit"]

    def test_a_missing_folder(self, short_fit: Fit, tmp_path: Path) -> None:
        with pytest.raises(FileError, match="must lie in a folder that exists"):
            short_fit.save(tmp_path / "nowhere" / "a.fit")

    def test_others_may_read_the_file_where_they_may_read_any_new_one(
        self, saved: Path, tmp_path: Path
    ) -> None:
        plain = tmp_path / "plain"
        plain.write_text("")
        assert os.stat(saved).st_mode == os.stat(plain).st_mode

    def _fail_at_the_second_tree(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole, calls = xr.DataTree.to_netcdf, []

        def broken(tree: xr.DataTree, **settings: str) -> object:
            calls.append(tree)
            if len(calls) == 2:
                raise OSError("disk full")
            return whole(tree, **settings)

        monkeypatch.setattr(xr.DataTree, "to_netcdf", broken)
