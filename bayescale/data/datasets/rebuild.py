"""Make the embedded tables again: ``python -m bayescale.data.datasets.rebuild FOLDER``.

FOLDER holds the released files: ``ladder2024/raw`` and ``gadre2024/raw``, each laid out as its
reader says, and ``published``, the output of the papers' released code (see
`bayescale.data.datasets.released`). For developers, in a source checkout.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

import pandas as pd

from bayescale.data.datasets.released import released_tables
from bayescale.data.ladder import Ladder
from bayescale.data.readers import read_checkpoints, read_gadre
from bayescale.data.readers.parse import require_folder
from bayescale.data.readers.wide import ACCURACY, LOSS, widen
from bayescale.errors import BayescaleError
from bayescale.files import atomic_write

# Significant digits of losses and accuracies. The sources carry 7 (float32); their means carry a
# few more.
DIGITS = 10

READERS = {"ladder2024": read_checkpoints, "gadre2024": read_gadre}


def tables(ladder: Ladder) -> dict[str, str]:
    """The text of each embedded table of a ladder, by the ending of its file name.

    Parameters
    ----------
    ladder
        What a reader makes of the released files.

    Returns
    -------
    dict
        CSV texts under ``runs.csv`` and ``tasks.csv``.
    """
    wide, tasks = widen(ladder)
    results = [name for name in wide.columns if name.startswith((LOSS, ACCURACY))]
    wide = wide.astype({"params": "int64", "tokens": "int64"})
    wide[results] = wide[results].apply(_rounded)
    return {"runs.csv": _as_csv(wide), "tasks.csv": _as_csv(tasks)}


def rebuild(folder: str | Path, into: str | Path) -> list[Path]:
    """Write every embedded table, each file whole or not at all.

    Parameters
    ----------
    folder
        The folder with the released files: ``NAME/raw`` for each data set, and ``published``.
    into
        The folder to write to.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    FileError
        For a source file that is missing or of another format, and nothing is written; for a folder
        that cannot be written to.
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
        with atomic_write(Path(into) / file) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
    return [Path(into) / file for file in texts]


def main(arguments: list[str]) -> int:
    """Run the command; its exit status is 0, or 2 where the tables could not be written.

    Parameters
    ----------
    arguments
        The arguments of the command line: one folder.

    Returns
    -------
    int
        0 where the tables were written; 2, with one line on stderr, where they were not.
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
    """The values as texts of `DIGITS` significant digits."""
    return values.map(lambda value: f"{value:.{DIGITS}g}")


def _as_csv(table: pd.DataFrame) -> str:
    """The table as CSV, the same on every system."""
    return table.to_csv(index=False, lineterminator="\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
