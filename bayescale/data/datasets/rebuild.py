"""Makes the embedded tables again from the released files: ``python -m
bayescale.data.datasets.rebuild FOLDER``.

FOLDER holds ``ladder2024/raw`` and ``gadre2024/raw``, each laid out as its reader says, and
``published``, the output of the papers' released code (see `bayescale.data.datasets.released`). For
developers, in a source checkout.
"""

from __future__ import annotations

import os
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import pandas as pd

from bayescale.data.datasets.released import released_tables
from bayescale.data.ladder import Ladder
from bayescale.data.readers import read_checkpoints, read_gadre
from bayescale.data.readers.parse import require_folder
from bayescale.data.readers.wide import ACCURACY, LOSS, widen
from bayescale.errors import BayescaleError

# significant digits of losses and accuracies; the sources carry 7 (float32), means of them a little
# more
DIGITS = 10

READERS = {"ladder2024": read_checkpoints, "gadre2024": read_gadre}


def tables(ladder: Ladder) -> dict[str, str]:
    """The text of each embedded table of a ladder, by the end of its file name."""
    wide, tasks = widen(ladder)
    results = [name for name in wide.columns if name.startswith((LOSS, ACCURACY))]
    wide = wide.astype({"params": "int64", "tokens": "int64"})
    wide[results] = wide[results].apply(_rounded)
    return {"runs.csv": _as_csv(wide), "tasks.csv": _as_csv(tasks)}


def rebuild(folder: str | Path, into: str | Path) -> list[Path]:
    """Writes every embedded table into `into`, each at once or not at all, and gives their paths.

    Parameters
    ----------
    folder
        Holds ``NAME/raw`` for each data set, and ``published``.
    into
        Folder to write to.

    Raises
    ------
    FileError
        For a source file that is missing or of another format; nothing is written then.
    """
    texts = {
        f"{name}_{end}": text
        for name, read in READERS.items()
        for end, text in tables(read(Path(folder) / name / "raw")).items()
    }
    released = released_tables(require_folder(Path(folder) / "published"))
    texts |= {
        f"{name}_released.csv": _as_csv(table.assign(value=_rounded(table["value"])))
        for name, table in released.items()
    }
    for file, text in texts.items():
        _write(Path(into) / file, text)
    return [Path(into) / file for file in texts]


def main(arguments: list[str]) -> int:
    """Exit status: 0 where the tables were written, 2 with one line on stderr where they could not
    be.
    """
    if len(arguments) != 1:
        print("usage: python -m bayescale.data.datasets.rebuild FOLDER", file=sys.stderr)
        return 2
    try:
        written = rebuild(arguments[0], str(files("bayescale.data.datasets")))
    except BayescaleError as error:
        print(error, file=sys.stderr)
        return 2
    for path in written:
        print(f"{path.name}: {path.stat().st_size} bytes")
    return 0


def _rounded(values: pd.Series) -> pd.Series:
    return values.map(lambda value: f"{value:.{DIGITS}g}")


def _as_csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, lineterminator="\n")


def _write(path: Path, text: str) -> None:
    """Through a temporary file beside it, so that no reader ever meets half a table."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner may read
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
