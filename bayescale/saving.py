"""Fit.save's file: one zip archive that holds the two posteriors, the ladder and the settings; written whole or not at all."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from bayescale.errors import FileError, SettingError
from bayescale.fitting import Fit
from bayescale.ladder import Conventions, Ladder
from bayescale.laws import LAWS, Law
from bayescale.links import LINKS, Link
from bayescale.sampling import Sampler

FORMAT = "bayescale-fit-1"
ENGINE = "h5netcdf"


def save_fit(fit: Fit, path: str | Path) -> None:
    """Write `fit` to `path`, atomically: a file of that name is replaced only by a whole one."""
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("settings.json", json.dumps(_settings(fit), indent=1))
        archive.writestr("runs.csv", fit.ladder.frame.to_csv(index=False, float_format="%.17g"))
        archive.writestr("tasks.csv", fit.ladder.task_table.to_csv(float_format="%.17g"))
        for name, tree in (("losses", fit.losses), ("accuracies", fit.accuracies)):
            if tree is not None:
                archive.writestr(f"{name}.nc", bytes(tree.to_netcdf(engine=ENGINE)))


def load_fit(path: str | Path, *, law: Law | None = None, link: Link | None = None) -> Fit:
    """The fit that `Fit.save` wrote to `path`.

    Parameters
    ----------
    path
        The file.
    law, link
        Needed where the fit was made with a law or a link of your own: functions are not saved.

    Raises
    ------
    FileError
        For a file that is missing, damaged, or of another format.
    SettingError
        Where the fit needs a law or a link of your own.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            if broken:
                raise zipfile.BadZipFile(f"{broken} does not match its checksum")
            settings = json.loads(archive.read("settings.json"))
            if settings.get("format") != FORMAT:
                raise FileError(
                    f"file {str(path)!r}",
                    rule=f"must have format {FORMAT}",
                    got=repr(settings.get("format")),
                    way_out="load it with the version that wrote it, or fit again",
                )
            return _read(archive, settings, law, link)
    except FileNotFoundError:
        raise FileError(f"file {str(path)!r}", rule="must exist", got="no such file", way_out="mend the path") from None
    except (zipfile.BadZipFile, IsADirectoryError, KeyError, json.JSONDecodeError, OSError) as error:
        raise FileError(
            f"file {str(path)!r}",
            rule="must be a whole file that Fit.save wrote",
            got=f"a damaged or foreign one ({error})",
            way_out="fit again and save again",
        ) from None


class atomic:  # noqa: N801 (a context manager, used as a word)
    """A temporary file beside `path` that takes its place when the block ends well, and is removed when it does not."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def __enter__(self) -> Path:
        check_folder(self._path)
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        os.close(handle)
        self._temporary = Path(name)
        return self._temporary

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            os.replace(self._temporary, self._path)
        else:
            self._temporary.unlink(missing_ok=True)


def check_folder(path: str | Path) -> None:
    """A FileError where `path` could not be written: its folder is missing, or it is a folder itself."""
    target = Path(path)
    if not target.parent.is_dir() or target.is_dir():
        raise FileError(
            f"file {str(path)!r}", rule="must lie in a folder that exists", got=f"folder {str(target.parent)!r}", way_out="make the folder, or mend the path"
        )


def _settings(fit: Fit) -> dict[str, object]:
    ladder = {
        "name": fit.ladder.name,
        "source": fit.ladder.source,
        "law": fit.ladder.law,
        "link": fit.ladder.link,
        "conventions": asdict(fit.ladder.conventions),
    }
    return {
        "format": FORMAT,
        "ladder": ladder,
        "law": fit.law.name,
        "link": fit.link.name if fit.link else None,
        "via": fit.via,
        "pooling": fit.pooling,
        "noise": fit.noise,
        "sampler": asdict(fit.sampler),
    }


def _read(archive: zipfile.ZipFile, settings: dict[str, Any], law: Law | None, link: Link | None) -> Fit:
    about = dict(settings["ladder"])
    conventions = Conventions(**about.pop("conventions"))
    runs, tasks = (pd.read_csv(io.BytesIO(archive.read(name))) for name in ("runs.csv", "tasks.csv"))
    ladder = Ladder.from_frame(runs, tasks=tasks, conventions=conventions, **about)
    names = set(archive.namelist())
    trees = {name: xr.open_datatree(io.BytesIO(archive.read(f"{name}.nc")), engine=ENGINE).load() for name in ("losses", "accuracies") if f"{name}.nc" in names}
    return Fit(
        ladder=ladder,
        law=law or _known(settings["law"], LAWS, "law"),
        link=None if settings["link"] is None else link or _known(settings["link"], LINKS, "link"),
        via=settings["via"],
        pooling=settings["pooling"],
        noise=settings["noise"],
        losses=trees["losses"],
        accuracies=trees.get("accuracies"),
        sampler=Sampler(**settings["sampler"]),
    )


def _known[T](name: str, registry: Mapping[str, T], what: str) -> T:
    if name not in registry:
        raise SettingError(
            f"{what} {name!r}", rule="was your own when the fit was made, and functions are not saved", got="no value", way_out=f"load_fit(path, {what}=...)"
        )
    return registry[name]
