"""Files that are written whole or not at all, and the user's cache folders."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import secrets
import shutil
import stat
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from bayescale.errors import FileError

# Temporary files begin with it. Their names do not grow with the name of the file to write.
TEMPORARY = ".bayescale-"
# Permissions of a new file, less the user's umask.
NEW_FILE = 0o666
PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
# Bytes that a cache must have room for.
PROBE = 4096
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def cache_folder(purpose: str) -> Path | None:
    """The folder of the user's cache for one purpose, made where it is missing.

    A folder that other users may write to is not used: who can change a compiled program runs code
    as this user. Without a usable folder there is no cache, and a warning says why.

    Parameters
    ----------
    purpose
        Name of the folder, such as ``jax``.

    Returns
    -------
    Path or None
        A folder that this user alone can write to; None where there is none.

    Warns
    -----
    RuntimeWarning
        Where there is no usable folder.
    """
    try:
        folder = _caches() / "bayescale" / purpose
        folder.parent.parent.mkdir(parents=True, exist_ok=True)
        for part in (folder.parent, folder):
            part.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        reason = _distrust(folder)
        if not reason:
            # A full disk has room for a name and none for content.
            with _temporary(folder, PRIVATE_FILE) as (_, descriptor):
                os.write(descriptor, bytes(PROBE))
            return folder
    except OSError as error:
        reason = str(error)
    warn_without_cache(reason)
    return None


@functools.cache
def warn_without_cache(reason: str) -> None:
    """Warn that nothing is kept in the user's cache; the same reason is told once in a process.

    Parameters
    ----------
    reason
        Why nothing is kept.

    Warns
    -----
    RuntimeWarning
        With the reason.
    """
    warnings.warn(f"nothing is kept in the cache: {reason}", RuntimeWarning, stacklevel=2)


@functools.cache
def source_digest() -> str:
    """The digest of this package's source code: what other code has made is not taken up."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(package)} {content}\n".encode())
    return digest.hexdigest()


def _caches() -> Path:
    """The folder in which programs keep their caches; an OSError where the user has no home."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG Base Directory Specification: a path that is not absolute is ignored.
    if named.is_absolute():
        return named
    try:
        home = Path.home()
    except RuntimeError as error:
        raise FileNotFoundError("no home folder; XDG_CACHE_HOME can name another") from error
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def _distrust(folder: Path) -> str:
    """Why a cache folder is not used; empty where this user alone can write to it."""
    for part in (folder, folder.parent):
        state = part.stat()
        if state.st_uid != os.geteuid():
            return f"folder {str(part)!r} belongs to another user"
        if state.st_mode & OTHERS_MAY_WRITE:
            return f"other users may write to folder {str(part)!r}; chmod 700 changes that"
    # A link can be turned where it lies, and what it names can be renamed where that lies.
    for part in (*folder.parents, *folder.resolve().parents):
        state = part.stat()
        # In a sticky folder such as /tmp, nobody can rename a folder of another user.
        if state.st_mode & stat.S_IWOTH and not state.st_mode & stat.S_ISVTX:
            return f"every user may rename what lies in folder {str(part)!r}"
    return ""


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all: ``with atomic_write(path) as temporary: ...``.

    The block writes to a temporary file in the same folder. The temporary file takes the place of
    `path` when the block ends, and is removed when the block raises. So `path` never holds half a
    file. Links are followed, and a file keeps its permissions. A device, a pipe, or the output of
    this process is written straight into, when the block ends. The temporary files of processes
    that were killed are removed.

    Parameters
    ----------
    path
        The file to write; the content of an older file of that name is replaced.

    Yields
    ------
    Path
        The temporary file to write to, empty at first.

    Raises
    ------
    FileError
        Where `path` cannot be written (see `check_folder`), or an OSError ends the block.
    """
    check_folder(path)
    with _file_errors(path, OSError):
        write = _written_straight if _is_stream(path) else _replaced
        with write(Path(path)) as temporary:
            yield temporary


def check_folder(path: str | Path) -> None:
    """Check that a file can be written at `path`, before any work is done for it.

    Parameters
    ----------
    path
        The file to be written later.

    Raises
    ------
    FileError
        Where the folder of `path` does not exist or may not be written to, where `path` is itself
        a folder or a file that may not be written to, and for a name that the system refuses.
    """
    with _file_errors(path, OSError, ValueError):
        state = _state(path)
        folder = Path(os.path.realpath(path)).parent
        stream = _is_stream(path)
    if not stream and not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise FileError(
            f"file {str(path)!r}",
            rule="must lie in a folder that exists and can be written to",
            got=f"folder {str(folder)!r}",
            way_out="make the folder, or fix the path",
        )
    if state is not None and (stat.S_ISDIR(state.st_mode) or not os.access(path, os.W_OK)):
        is_folder = stat.S_ISDIR(state.st_mode)
        raise FileError(
            f"file {str(path)!r}",
            rule="must be a file that can be written to",
            got="a folder" if is_folder else "a file that cannot be written to",
            way_out="give the name of a file" if is_folder else "allow writing, or fix the path",
        )


def _state(path: str | Path) -> os.stat_result | None:
    """What lies at the end of all links; None where nothing does."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_stream(path: str | Path) -> bool:
    """Whether to write straight into it: a device, a pipe, or the output of this process."""
    state = _state(path)
    if state is None or stat.S_ISDIR(state.st_mode):
        return False
    return not stat.S_ISREG(state.st_mode) or _own_output(state) is not None


def _own_output(state: os.stat_result) -> int | None:
    """The descriptor of stdout or stderr where it is this file, else None."""
    for descriptor in (1, 2):
        # A process may have been started without stdout or stderr.
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), state):
                return descriptor
    return None


@contextlib.contextmanager
def _written_straight(path: Path) -> Iterator[Path]:
    """A temporary file whose content is copied into a device or a pipe when the block ends."""
    with _temporary(Path(tempfile.gettempdir()), PRIVATE_FILE) as (temporary, _):
        yield temporary
        output = _own_output(os.stat(path))
        if output is None:
            opened = os.open(path, os.O_WRONLY)
        else:
            # Our own output goes on behind what was printed; a file opened anew starts at 0.
            (sys.stdout if output == 1 else sys.stderr).flush()
            opened = os.dup(output)
        with os.fdopen(opened, "wb") as stream, temporary.open("rb") as content:
            shutil.copyfileobj(content, stream)


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """A temporary file that takes the place of a file when the block ends."""
    target = Path(os.path.realpath(path))
    old = _state(target)
    mode = NEW_FILE if old is None else stat.S_IMODE(old.st_mode)
    with _temporary(target.parent, mode) as (temporary, descriptor):
        yield temporary
        if old is not None:
            # Only the superuser may give a file to its old owner.
            with contextlib.suppress(PermissionError):
                os.chown(temporary, old.st_uid, old.st_gid)
            os.chmod(temporary, mode)
        # Some file systems report a full disk only here; and power may fail after the rename.
        os.fsync(descriptor)
        os.replace(temporary, target)


@contextlib.contextmanager
def _temporary(folder: Path, mode: int) -> Iterator[tuple[Path, int]]:
    """A new file and its descriptor, locked as long as this process writes to it.

    The system frees the lock of a process that ends, however it ends. So a temporary file without
    a lock is one that nobody will finish.
    """
    _remove_abandoned(folder)
    while True:
        path = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        # Where the file system has no locks, no temporary file is taken for an abandoned one.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Another process may have removed the file before it was locked.
        if os.fstat(descriptor).st_nlink:
            break
        os.close(descriptor)
    try:
        yield path, descriptor
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """Remove this user's temporary files that no process has locked."""
    for path in folder.glob(f"{TEMPORARY}*"):
        # A file that is locked, that is gone by now, or that may not be opened is left alone.
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                state = os.fstat(descriptor)
                if stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def _file_errors(path: str | Path, *kinds: type[Exception]) -> Iterator[None]:
    """Errors of these kinds as a FileError."""
    try:
        yield
    except kinds as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise FileError(
            f"file {str(path)!r}",
            rule="must be written whole",
            got=(reason or str(error)).replace("\n", " "),
            way_out="free space on the disk, or choose another place or name",
        ) from error
