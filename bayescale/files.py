"""Files that are written whole or not at all, and the user's cache folder."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from bayescale.errors import FileError


def cache_folder() -> Path:
    """The user's cache folder for compiled programs; it need not exist yet."""
    home = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or home) / "bayescale" / "jax"


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all: ``with atomic_write(path) as temporary: ...``.

    The block writes to a temporary file in the same folder. The temporary file takes the place of
    `path` when the block ends, and is removed when the block raises. So `path` never holds half a
    file.

    Parameters
    ----------
    path
        The file to write; an older file of that name is replaced.

    Yields
    ------
    Path
        The temporary file to write to, empty at first.

    Raises
    ------
    FileError
        Where `path` cannot be written (see `check_folder`).
    """
    target = Path(path)
    check_folder(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    os.replace(temporary, target)


def check_folder(path: str | Path) -> None:
    """Check that a file can be written at `path`, before any work is done for it.

    Parameters
    ----------
    path
        The file to be written later.

    Raises
    ------
    FileError
        Where the folder of `path` does not exist or may not be written to, or where `path` is
        itself a folder.
    """
    target = Path(path)
    if not target.parent.is_dir() or target.is_dir() or not os.access(target.parent, os.W_OK):
        raise FileError(
            f"file {str(path)!r}",
            rule="must lie in a folder that exists and can be written to",
            got=f"folder {str(target.parent)!r}",
            way_out="make the folder, or fix the path",
        )
