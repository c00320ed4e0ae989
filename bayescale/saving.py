"""Fit.save's file: one zip archive that holds the two posteriors, the ladder and the settings; written whole or not at all."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, replace
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
from bayescale.files import atomic
from bayescale.fits import Fit
from bayescale.inference.nuts import Sampler
from bayescale.models.laws import LAWS, Law
from bayescale.models.links import LINKS, Link

FORMAT = "bayescale-fit-4"
ENGINE = "h5netcdf"
OTHER_TEXT_COLUMNS = ("name", "law", "link", "via")  # columns of the tables of the past and of the weights


def save_fit(fit: Fit, path: str | Path) -> None:
    """Write `fit` to `path`, atomically: a file of that name is replaced only by a whole one."""
    with atomic(path) as temporary:
        _write(fit, temporary, None)


def _write(fit: Fit, file: Path | io.BytesIO, of: Fit | None) -> None:
    """One archive; the members of a mixture are archives in it, without the losses that they share with the fit `of` which they belong to."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("settings.json", json.dumps(_settings(fit), indent=1, default=np.ndarray.tolist))
        archive.writestr("runs.csv", _csv(fit.ladder.frame))
        archive.writestr("tasks.csv", _csv(fit.ladder.task_table.reset_index()))
        archive.writestr("past.csv", _csv(fit.past))
        archive.writestr("weights.csv", _csv(fit.weights))
        if of is None or fit.losses is not of.losses:
            archive.writestr("losses.nc", bytes(fit.losses.to_netcdf(engine=ENGINE)))
        if fit.accuracies is not None:
            archive.writestr("accuracies.nc", bytes(fit.accuracies.to_netcdf(engine=ENGINE)))
        for i, member in enumerate(fit.members):
            inside = io.BytesIO()
            _write(member, inside, fit)
            archive.writestr(f"member-{i}.fit", inside.getvalue())


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
        raise FileError(f"file {str(path)!r}", rule="must exist", got="no such file", way_out="mend the path") from None
    except BayescaleError:
        raise
    except Exception as error:  # a damaged archive can fail in any of its parts, and each in a way of its own
        raise FileError(
            f"file {str(path)!r}",
            rule="must be a whole file that Fit.save wrote",
            got=f"a damaged or foreign one ({error})",
            way_out="fit again and save again",
        ) from error


def _settings(fit: Fit) -> dict[str, object]:
    ladder = {
        "name": fit.ladder.name,
        "source": fit.ladder.source,
        "law": fit.ladder.law,
        "link": fit.ladder.link,
        "conventions": {**vars(fit.ladder.conventions), "loss_units": dict(fit.ladder.conventions.loss_units)},
    }
    return {
        "format": FORMAT,
        "ladder": ladder,
        "law": fit.law.name,
        "link": fit.link.name if fit.link else None,
        "own": [what for what, part, known in (("law", fit.law, LAWS), ("link", fit.link, LINKS)) if part and known.get(part.name) is not part],
        "via": fit.via,
        "pooling": fit.pooling,
        "noise": fit.noise,
        "blocks": fit.blocks,
        "discrepancy": asdict(fit.discrepancy),
        "members": len(fit.members),
        "own_priors": fit.priors is None or len(fit.priors) > 0,
        "sampler": asdict(fit.sampler),
    }


def _read(archive: zipfile.ZipFile, settings: dict[str, Any], law: Law | None, link: Link | None, shared: xr.DataTree | None) -> Fit:
    about = dict(settings["ladder"])
    conventions = Conventions(**about.pop("conventions"))
    runs, tasks = (_table(archive.read(name)) for name in ("runs.csv", "tasks.csv"))
    ladder = Ladder.from_frame(runs, tasks=tasks, conventions=conventions, **about)
    names = set(archive.namelist())
    losses, accuracies = (_tree(archive, name) if f"{name}.nc" in names else None for name in ("losses", "accuracies"))
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
            members.append(_read(inside, json.loads(inside.read("settings.json")), law, link, whole.losses))
    return replace(whole, members=tuple(members))


def _tree(archive: zipfile.ZipFile, name: str) -> xr.DataTree:
    return xr.open_datatree(io.BytesIO(archive.read(f"{name}.nc")), engine=ENGINE).load()


def _discrepancy(saved: dict[str, Any]) -> Discrepancy:
    def slopes(s: dict[str, Any]) -> Slopes:
        arrays = {name: None if s[name] is None else np.array(s[name]) for name in ("past", "covariance")}
        return Slopes(**{**s, "members": tuple(s["members"]), "names": tuple(s["names"]), **arrays})

    return Discrepancy(saved["kind"], tuple(map(slopes, saved["slopes"])), tuple(Check(**c) for c in saved["checks"]))


def _csv(table: pd.DataFrame) -> str:
    """The table as `_table` reads it: as rows end in CR LF, a name that holds either of them is quoted."""
    return table.to_csv(index=False, float_format="%.17g", lineterminator="\r\n")


def _table(text: bytes) -> pd.DataFrame:
    """A table as it was, names as text whatever they look like."""
    if not text.strip():
        return pd.DataFrame()
    table = pd.read_csv(io.BytesIO(text), dtype=dict.fromkeys((*TEXT_COLUMNS, *OTHER_TEXT_COLUMNS), str), keep_default_na=False, na_values=[""])
    return table.assign(task=table["task"].fillna("")) if "weight" in table else table


def _part[T: (Law, Link)](given: T | None, settings: Mapping[str, Any], registry: Mapping[str, T], what: str) -> T:
    """The law or the link of the saved name: one of ours, or the user's own, given anew."""
    name = settings[what]
    if what not in settings["own"]:
        return registry[name]
    if given is None or getattr(given, "name", None) != name:
        got = "no value" if given is None else repr(given)
        raise SettingError(
            f"{what} {name!r}", rule="was your own when the fit was made, and functions are not saved", got=got, way_out=f"load_fit(path, {what}=...)"
        )
    return given
