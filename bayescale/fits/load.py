"""load_fit: the fit that Fit.save wrote."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.checks import Check
from bayescale.data.ladder import Ladder
from bayescale.data.schema import TEXT_COLUMNS
from bayescale.data.target import Conventions
from bayescale.errors import BayescaleError, FileError, SettingError
from bayescale.extrapolation.discrepancy import Discrepancy, Slopes
from bayescale.fits.archive import ENGINE, FORMAT, OTHER_TEXT_COLUMNS
from bayescale.fits.record import Fit
from bayescale.inference.nuts import Sampler
from bayescale.models.laws import LAWS, Law
from bayescale.models.links import LINKS, Link


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
            return _read(archive, settings, law, link, None)
    except FileNotFoundError:
        raise FileError(
            f"file {str(path)!r}", rule="must exist", got="no such file", way_out="mend the path"
        ) from None
    except BayescaleError:
        raise
    # a damaged archive can fail in any of its parts, and each in a way of its own
    except Exception as error:
        raise FileError(
            f"file {str(path)!r}",
            rule="must be a whole file that Fit.save wrote",
            got=f"a damaged or foreign one ({error})",
            way_out="fit again and save again",
        ) from error


def _read(
    archive: zipfile.ZipFile,
    settings: dict[str, Any],
    law: Law | None,
    link: Link | None,
    shared: xr.DataTree | None,
) -> Fit:
    about = dict(settings["ladder"])
    conventions = Conventions(**about.pop("conventions"))
    runs, tasks = (_table(archive.read(name)) for name in ("runs.csv", "tasks.csv"))
    ladder = Ladder.from_frame(runs, tasks=tasks, conventions=conventions, **about)
    names = set(archive.namelist())
    losses, accuracies = (
        _tree(archive, name) if f"{name}.nc" in names else None for name in ("losses", "accuracies")
    )
    whole = Fit(
        ladder=ladder,
        law=_part(law, settings, LAWS, "law"),
        link=None if settings["link"] is None else _part(link, settings, LINKS, "link"),
        via=settings["via"],
        pooling=settings["pooling"],
        noise=settings["noise"],
        losses=shared if losses is None else losses,
        accuracies=accuracies,
        sampler=Sampler(**settings["sampler"]),
        blocks=settings["blocks"],
        discrepancy=_discrepancy(settings["discrepancy"]),
        priors=None if settings["own_priors"] else {},
        past=_table(archive.read("past.csv")),
        weights=_table(archive.read("weights.csv")),
    )
    members = []
    for i in range(settings["members"]):
        with zipfile.ZipFile(io.BytesIO(archive.read(f"member-{i}.fit"))) as inside:
            members.append(
                _read(inside, json.loads(inside.read("settings.json")), law, link, whole.losses)
            )
    return replace(whole, members=tuple(members))


def _tree(archive: zipfile.ZipFile, name: str) -> xr.DataTree:
    return xr.open_datatree(io.BytesIO(archive.read(f"{name}.nc")), engine=ENGINE).load()


def _discrepancy(saved: dict[str, Any]) -> Discrepancy:
    def slopes(s: dict[str, Any]) -> Slopes:
        arrays = {
            name: None if s[name] is None else np.array(s[name]) for name in ("past", "covariance")
        }
        return Slopes(**{**s, "members": tuple(s["members"]), "names": tuple(s["names"]), **arrays})

    return Discrepancy(
        saved["kind"],
        tuple(map(slopes, saved["slopes"])),
        tuple(Check(**c) for c in saved["checks"]),
    )


def _table(text: bytes) -> pd.DataFrame:
    """A table as it was, names as text whatever they look like."""
    if not text.strip():
        return pd.DataFrame()
    table = pd.read_csv(
        io.BytesIO(text),
        dtype=dict.fromkeys((*TEXT_COLUMNS, *OTHER_TEXT_COLUMNS), str),
        keep_default_na=False,
        na_values=[""],
    )
    return table.assign(task=table["task"].fillna("")) if "weight" in table else table


def _part[T: (Law, Link)](
    given: T | None, settings: Mapping[str, Any], registry: Mapping[str, T], what: str
) -> T:
    """The law or the link of the saved name: one of ours, or the user's own, given anew."""
    name = settings[what]
    if what not in settings["own"]:
        return registry[name]
    if given is None or getattr(given, "name", None) != name:
        got = "no value" if given is None else repr(given)
        raise SettingError(
            f"{what} {name!r}",
            rule="was your own when the fit was made, and functions are not saved",
            got=got,
            way_out=f"load_fit(path, {what}=...)",
        )
    return given
