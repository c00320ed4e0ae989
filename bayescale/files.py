"""Files written whole or not at all, and the user's cache folder."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from bayescale.errors import FileError


def cache_folder() -> Path:
    """The user's cache folder for compiled programs."""
    home = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or home) / "bayescale" / "jax"


class atomic_write:  # noqa: N801 (a context manager, used as a word)
    """A temporary file beside `path` that takes its place when the block ends well, and is removed
    when it does not.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def __enter__(self) -> Path:
        check_folder(self._path)
        self._temporary = self._path.with_name(
            f".{self._path.name}.{os.getpid()}.{secrets.token_hex(4)}"
        )
        self._temporary.touch(exist_ok=False)
        return self._temporary

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            os.replace(self._temporary, self._path)
        else:
            self._temporary.unlink(missing_ok=True)


def check_folder(path: str | Path) -> None:
    """A FileError where `path` could not be written: its folder is missing or closed to us, or it
    is a folder itself.
    """
    target = Path(path)
    if not target.parent.is_dir() or target.is_dir() or not os.access(target.parent, os.W_OK):
        raise FileError(
            f"file {str(path)!r}",
            rule="must lie in a folder that exists and can be written to",
            got=f"folder {str(target.parent)!r}",
            way_out="make the folder, or mend the path",
        )
