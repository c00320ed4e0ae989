"""Files: written whole or not at all, and the user's cache folder."""

from pathlib import Path

import pytest

from bayescale.errors import FileError
from bayescale.files import atomic_write, cache_folder, check_folder


def write_half(path: Path, error: type[BaseException]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text("half of the n")
        raise error


def test_a_block_that_ends_leaves_the_new_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == path.parent, "one file system: the last step is a rename"
        assert path.read_text() == "old", "until the block ends"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("old", [None, "old"])
def test_a_block_that_raises_leaves_the_folder_as_it_was(
    tmp_path: Path, error: type[BaseException], old: str | None
) -> None:
    path = tmp_path / "a.txt"
    if old is not None:
        path.write_text(old)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(error):
        write_half(path, error)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with atomic_write(path) as one, atomic_write(path) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one", "the block that ended last"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["nowhere/a.txt", "a.txt/b.txt", "."])
def test_a_file_needs_a_folder_that_exists(tmp_path: Path, place: str) -> None:
    (tmp_path / "a.txt").write_text("a file")
    path = tmp_path / place
    with pytest.raises(FileError, match="must lie in a folder that exists"):
        check_folder(path)
    with pytest.raises(FileError, match="must lie in a folder that exists"), atomic_write(path):
        raise AssertionError("the block began")
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_file_that_can_be_written_passes(tmp_path: Path) -> None:
    check_folder(tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == [], "checked, not made"


def test_the_cache_lies_where_the_user_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "bayescale" / "jax"
    assert list(tmp_path.iterdir()) == [], "named, not made"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert Path.home() in cache_folder().parents
