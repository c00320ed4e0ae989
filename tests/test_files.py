"""Files: written whole or not at all, whatever lies at the path; and the user's cache folders."""

import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bayescale import files
from bayescale.errors import FileError
from bayescale.files import TEMPORARY, atomic_write, cache_folder, check_folder, warn_without_cache

NOT_THE_SUPERUSER = pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")


def write(path: str | Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes, as on a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


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


@pytest.mark.parametrize("place", ["nowhere/a.txt", "a.txt/b.txt"])
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


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="must be a file that can be written to; got a folder"):
        write(tmp_path, "new")


@NOT_THE_SUPERUSER
def test_a_file_that_must_not_be_written_to_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(FileError, match="must be a file that can be written to"):
        check_folder(path)
    assert path.read_text() == "old"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(mode)
    with atomic_write(path) as temporary:
        assert not temporary.stat().st_mode & ~mode & 0o777, "nor is its content shown before"
        temporary.write_text("new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", mode)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_file_has_the_permissions_of_any_new_one(tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        write(tmp_path / "a.txt", "new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o666 & ~umask


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser gives files away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    os.chown(path, 12345, 54321)
    write(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


@pytest.mark.parametrize("old", [None, "old"])
def test_links_are_followed(tmp_path: Path, old: str | None) -> None:
    (tmp_path / "there").mkdir()
    target, link, links = tmp_path / "there" / "a.txt", tmp_path / "link", tmp_path / "links"
    if old is not None:
        target.write_text(old)
    link.symlink_to("there/a.txt")
    links.symlink_to(link)
    write(links, "new")
    assert link.is_symlink()
    assert links.is_symlink()
    assert target.read_text() == "new"
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["a.txt", "link", "links", "there"]


def test_a_link_that_leads_to_itself(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "a")
    with pytest.raises(FileError, match="must be written whole; got Too many levels"):
        write(tmp_path / "a", "new")


def test_a_device_is_written_straight_into(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    for path in ("/dev/null", link):
        check_folder(path)
        write(path, "new")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert link.is_symlink()


def test_a_pipe_takes_the_whole_content(tmp_path: Path) -> None:
    path, seen = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: seen.append(path.read_text()))
    reader.start()
    content = "line\n" * 100_000
    write(path, content)
    reader.join(timeout=30)
    assert seen == [content]
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert list(tmp_path.iterdir()) == [path]


PRINTED = """
import sys
from bayescale.files import atomic_write
print("answer")
with atomic_write(sys.argv[1]) as temporary:
    temporary.write_text("table\\n")
print("end")
"""


def python(*words: object, **settings: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", *map(str, words)]
    return subprocess.run(command, text=True, check=False, timeout=120, **settings)  # type: ignore[call-overload]


def test_the_output_of_the_process_goes_on_where_it_is(tmp_path: Path) -> None:
    done = python(PRINTED, "/dev/stdout", capture_output=True)
    assert (done.stdout, done.stderr) == ("answer\ntable\nend\n", "")
    for path in ("/dev/stdout", tmp_path / "out"):
        with (tmp_path / "out").open("w") as out:
            python(PRINTED, path, stdout=out)
        assert (tmp_path / "out").read_text() == "answer\ntable\nend\n"
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".txt")
    write(path, "new")
    assert path.read_text() == "new"
    for longer in (tmp_path / ("n" * 300), tmp_path / "null\0byte"):
        with pytest.raises(FileError, match="must be written whole") as caught:
            check_folder(longer)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("old", [None, "old"])
def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path: Path, old: str | None) -> None:
    path = tmp_path / "a.txt"
    if old is not None:
        path.write_text(old)
    with pytest.raises(FileError, match="must be written whole") as caught, largest_file(10_000):
        write(path, "new" * 10_000)
    assert "\n" not in str(caught.value)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == (
        {} if old is None else {"a.txt": old}
    )
    with pytest.raises(FileError, match="got No space left on device"):
        write("/dev/full", "new")


class TestAbandonedFiles:
    """Temporary files of processes that were killed; a lock tells them from those in use."""

    def test_the_next_save_removes_them_and_nothing_else(self, tmp_path: Path) -> None:
        abandoned, foreign = tmp_path / f"{TEMPORARY}0123", tmp_path / ".notes-0123"
        abandoned.write_text("half of the n")
        foreign.write_text("mine")
        (tmp_path / f"{TEMPORARY}pipe").symlink_to(foreign)
        os.mkfifo(tmp_path / f"{TEMPORARY}fifo")
        (tmp_path / f"{TEMPORARY}folder").mkdir()
        write(tmp_path / "a.txt", "new")
        left = {file.name for file in tmp_path.iterdir()}
        assert abandoned.name not in left
        kept = {f"{TEMPORARY}{end}" for end in ("pipe", "fifo", "folder")}
        assert left == {foreign.name, "a.txt", *kept}

    def test_one_that_a_process_writes_to_stays(self, tmp_path: Path) -> None:
        with atomic_write(tmp_path / "a.txt") as temporary:
            temporary.write_text("slow")
            write(tmp_path / "b.txt", "quick")
            assert temporary.exists()
        assert (tmp_path / "a.txt").read_text() == "slow"

    def test_one_that_is_removed_before_it_is_locked_is_made_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole, removed = fcntl.flock, []

        def slow(descriptor: int, operation: int) -> None:
            if not removed:
                removed.extend(tmp_path.glob(f"{TEMPORARY}*"))
                removed[0].unlink()
            whole(descriptor, operation)

        monkeypatch.setattr(fcntl, "flock", slow)
        write(tmp_path / "a.txt", "new")
        assert len(removed) == 1
        assert (tmp_path / "a.txt").read_text() == "new"

    def test_a_file_system_without_locks_is_written_to(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: int) -> None:
            raise OSError("Function not implemented")

        monkeypatch.setattr(fcntl, "flock", refuse)
        other = tmp_path / f"{TEMPORARY}0123"
        other.write_text("in use?")
        write(tmp_path / "a.txt", "new")
        assert sorted(file.name for file in tmp_path.iterdir()) == [other.name, "a.txt"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the user's caches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    warn_without_cache.cache_clear()
    return tmp_path


class TestCacheFolder:
    def test_it_lies_where_the_user_keeps_caches(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = cache_folder("jax")
        assert folder == home / "bayescale" / "jax"
        assert [stat.S_IMODE(part.stat().st_mode) for part in (folder, folder.parent)] == [
            0o700
        ] * 2
        assert list(folder.iterdir()) == []
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(home / "me"))
        made = cache_folder("jax")
        assert made is not None
        assert home / "me" in made.parents
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        assert cache_folder("jax") == made

    @pytest.mark.parametrize("part", ["bayescale", "bayescale/jax"])
    @pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
    def test_one_that_others_may_write_to_is_not_used_and_it_is_said_once(
        self, home: Path, part: str, mode: int
    ) -> None:
        assert cache_folder("jax") is not None
        (home / part).chmod(mode)
        with pytest.warns(RuntimeWarning, match=r"other users may write .*chmod 700") as caught:
            assert cache_folder("jax") is None
        assert "\n" not in str(caught[0].message)
        assert cache_folder("jax") is None, "and a second warning would be an error"

    def test_nor_one_that_every_user_may_rename(self, home: Path) -> None:
        home.chmod(0o777)
        with pytest.warns(RuntimeWarning, match="every user may rename"):
            assert cache_folder("jax") is None
        home.chmod(0o1777)
        assert cache_folder("jax") == home / "bayescale" / "jax", "sticky, as /tmp is"

    @pytest.mark.usefixtures("home")
    @pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser gives files away")
    def test_nor_one_of_another_user(self) -> None:
        folder = cache_folder("jax")
        assert folder is not None
        os.chown(folder, 12345, -1)
        with pytest.warns(RuntimeWarning, match="belongs to another user"):
            assert cache_folder("jax") is None

    @pytest.mark.usefixtures("home")
    def test_one_that_cannot_be_made_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
        with pytest.warns(RuntimeWarning, match="nothing is kept in the cache: .*/dev/null"):
            assert cache_folder("jax") is None
        monkeypatch.delenv("XDG_CACHE_HOME")

        def homeless() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", homeless)
        with pytest.warns(RuntimeWarning, match="no home folder; XDG_CACHE_HOME can name another"):
            assert cache_folder("jax") is None

    @pytest.mark.usefixtures("home")
    def test_one_on_a_full_disk_is_none(self) -> None:
        with pytest.warns(RuntimeWarning, match="nothing is kept"), largest_file(0):
            assert cache_folder("jax") is None


def test_the_digest_of_the_source_changes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = [files.source_digest()]
    monkeypatch.setattr(files, "__file__", str(tmp_path / "files.py"))
    for text in ("x = 1", "x = 2"):
        (tmp_path / "files.py").write_text(text)
        files.source_digest.cache_clear()
        digests.append(files.source_digest())
    files.source_digest.cache_clear()
    assert len(set(digests)) == 3
