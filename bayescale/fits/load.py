"""load_fit: the fit that Fit.save wrote."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from bayescale.data.ladder import Ladder
from bayescale.data.schema import TEXT_COLUMNS
from bayescale.data.target import Conventions
from bayescale.errors import BayescaleError, FileError, SettingError
from bayescale.fits.archive import ENGINE, FORMAT, OTHER_TEXT_COLUMNS
from bayescale.fits.record import Fit
from bayescale.fits.settings import FitSettings
from bayescale.inference.nuts import Sampler
from bayescale.inference.posterior import Posterior
from bayescale.models.laws import LAWS, Law
from bayescale.models.links import LINKS, Link, get_link
from bayescale.models.stages import Stages
from bayescale.runtime import require_64bit


def load_fit(path: str | Path, *, law: Law | None = None, link: Link | None = None) -> Fit:
    """The fit that `Fit.save` wrote to `path`.

    Load only files that you trust: the posteriors are read by the HDF5 library.

    Parameters
    ----------
    path
        The file.
    law
        The law, where the fit was made with a law of your own: functions are not saved.
    link
        The link, where the fit was made with a link of your own.

    Returns
    -------
    Fit
        The fit as it was, but for priors of your own, which are not saved.

    Raises
    ------
    FileError
        For a file that is missing, damaged, or of another format.
    SettingError
        Where the fit needs a law or a link of your own, and where JAX computes in 32-bit.

    Examples
    --------
    >>> import tempfile
    >>> import bayescale as bs
    >>> bs.setup(chains=2)
    >>> ladder = bs.load_dataset("ladder2024", tasks=["hellaswag"])
    >>> fit = bs.fit(ladder, law="compute", discrepancy="none", chains=2, draws=100)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fit.save(f"{folder}/ladder.fit")
    ...     same = bs.load_fit(f"{folder}/ladder.fit")
    >>> same.ladder == ladder
    True
    """
    require_64bit()
    name = f"file {str(path)!r}"
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            if broken:
                raise zipfile.BadZipFile(f"{broken} does not match its checksum")
            settings = json.loads(archive.read("settings.json"))
            if settings.get("format") != FORMAT:
                raise FileError(
                    name,
                    rule=f"must have format {FORMAT}",
                    got=repr(settings.get("format")),
                    way_out="load it with the version that wrote it, or fit again",
                )
            return _read(archive, settings, law, link, None)
    except FileNotFoundError:
        raise FileError(
            name, rule="must exist", got="no such file", way_out="check the path"
        ) from None
    except BayescaleError:
        raise
    # A damaged archive can fail in any of its entries, and each entry in its own way.
    except Exception as error:
        raise FileError(
            name,
            rule="must be a whole file that Fit.save wrote",
            got=f"a damaged or foreign one ({error})",
            way_out="fit again and save again",
        ) from error


def _read(
    archive: zipfile.ZipFile,
    settings: dict[str, Any],
    law: Law | None,
    link: Link | None,
    shared: Posterior | None,
) -> Fit:
    """The fit of one archive; a component of a mixture may share the losses of the mixture."""
    entries = set(archive.namelist())
    loss = _posterior(archive, "losses.nc") if "losses.nc" in entries else shared
    if loss is None:
        raise zipfile.BadZipFile("no losses.nc")
    has_accuracies = "accuracies.nc" in entries
    accuracy = _posterior(archive, "accuracies.nc") if has_accuracies else None
    ladder = _ladder(archive, settings)
    whole = Fit(
        ladder=ladder,
        settings=_fit_settings(settings, ladder, law, link),
        posteriors=Stages(loss, accuracy),
        sampler=Sampler(**settings["sampler"]),
        weights=_table(archive.read("weights.csv")),
    )
    members = []
    for i in range(settings["members"]):
        with zipfile.ZipFile(io.BytesIO(archive.read(f"member-{i}.fit"))) as inside:
            own = json.loads(inside.read("settings.json"))
            members.append(_read(inside, own, law, link, loss))
    return replace(whole, members=tuple(members))


def _ladder(archive: zipfile.ZipFile, settings: Mapping[str, Any]) -> Ladder:
    record = dict(settings["ladder"])
    conventions = Conventions(**record.pop("conventions"))
    runs = _table(archive.read("runs.csv"))
    tasks = _table(archive.read("tasks.csv"))
    return Ladder.from_frame(runs, tasks=tasks, conventions=conventions, **record)


def _fit_settings(
    settings: Mapping[str, Any], ladder: Ladder, law: Law | None, link: Link | None
) -> FitSettings:
    has_link = settings["link"] is not None
    return FitSettings(
        law=_curve(law, settings, LAWS, "law"),
        link=_curve(link, settings, LINKS, "link") if has_link else get_link(ladder.link),
        via=settings["via"],
        pooling=settings["pooling"],
        discrepancy=settings["discrepancy"],
        noise=settings["noise"],
        blocks=settings["blocks"],
        priors=None if settings["own_priors"] else {},
    )


def _curve[T: (Law, Link)](
    given: T | None, settings: Mapping[str, Any], registry: Mapping[str, T], kind: str
) -> T:
    """The law or the link of the saved name: a registered one, or the user's own, given anew."""
    name = settings[kind]
    if kind not in settings["own"]:
        return registry[name]
    if given is None or getattr(given, "name", None) != name:
        raise SettingError(
            f"{kind} {name!r}",
            rule="was your own when the fit was made, and functions are not saved",
            got="no value" if given is None else repr(given),
            way_out=f"load_fit(path, {kind}=...)",
        )
    return given


def _posterior(archive: zipfile.ZipFile, entry: str) -> Posterior:
    return Posterior(xr.open_datatree(io.BytesIO(archive.read(entry)), engine=ENGINE).load())


def _table(text: bytes) -> pd.DataFrame:
    """A table as it was saved; names are text, whatever they look like."""
    if not text.strip():
        return pd.DataFrame()
    text_columns = dict.fromkeys((*TEXT_COLUMNS, *OTHER_TEXT_COLUMNS), str)
    return pd.read_csv(io.BytesIO(text), dtype=text_columns, keep_default_na=False, na_values=[""])
