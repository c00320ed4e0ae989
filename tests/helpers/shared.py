"""What both test processes use, made by the first that asks."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from bayescale.fits.load import load_fit
from bayescale.fits.record import Fit


class Shared:
    """Results by name, in a folder that all test processes of a session see.

    A session of one process has no such folder: `folder` is then None, and every result is made.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def fit(self, name: str, make: Callable[[], Fit]) -> Fit:
        """The fit of that name: what `make` gives, or what another process saved of it."""
        return self._once(f"{name}.fit", make, Fit.save, load_fit)

    def record[T](self, name: str, make: Callable[[], T]) -> T:
        """The same of a record that can be pickled."""
        return self._once(
            f"{name}.pickle",
            make,
            lambda made, path: path.write_bytes(pickle.dumps(made)),
            lambda path: pickle.loads(path.read_bytes()),
        )

    def _once[T](
        self,
        name: str,
        make: Callable[[], T],
        write: Callable[[T, Path], object],
        read: Callable[[Path], T],
    ) -> T:
        if self.folder is None:
            return make()
        path = self.folder / name
        with FileLock(f"{path}.lock"):
            if path.exists():
                return read(path)
            made = make()
            write(made, path)
        return made


def shared_folder(worker: str, factory: pytest.TempPathFactory) -> Path | None:
    """The temporary folder above that of each process; None where `worker` is the only one."""
    return None if worker == "master" else factory.getbasetemp().parent
