"""A fit's file: written whole or not at all."""

import os
import shutil
from pathlib import Path

import pytest

from bayescale.errors import FileError
from bayescale.fits.record import Fit
from helpers.fits import round_trip


class TestSaving:
    def test_a_failed_save_leaves_the_old_file_as_it_was(
        self, short_fit: Fit, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = shutil.copy(saved, tmp_path / "a.fit")
        self._fail_half_way(monkeypatch)
        with pytest.raises(FileError, match="must be written whole; got disk full"):
            short_fit.save(path)
        assert path.read_bytes() == saved.read_bytes()
        assert [p.name for p in tmp_path.iterdir()] == ["a.fit"]

    def test_a_failed_save_leaves_no_file_where_none_was(
        self, short_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._fail_half_way(monkeypatch)
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

    def _fail_half_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = Path.write_bytes

        def broken(path: Path, content: bytes) -> int:
            whole(path, content[: len(content) // 2])
            raise OSError("disk full")

        monkeypatch.setattr(Path, "write_bytes", broken)
