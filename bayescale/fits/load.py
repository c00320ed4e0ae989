"""load_fit: the fit that Fit.save wrote."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.data.ladder import Ladder
from bayescale.data.schema import TEXT_COLUMNS
from bayescale.data.target import Conventions
from bayescale.errors import FileError, SettingError
from bayescale.extrapolation.amplitudes import DISCREPANCY_MODES
from bayescale.fits.archive import ENGINE, FORMAT, OTHER_TEXT_COLUMNS
from bayescale.fits.contents import check_numbers, check_sizes
from bayescale.fits.record import Fit
from bayescale.fits.settings import FitSettings
from bayescale.inference.nuts import Sampler
from bayescale.inference.posterior import Posterior, real_draws
from bayescale.models.laws import LAWS, Law
from bayescale.models.links import LINKS, Link, get_link
from bayescale.models.noise import NOISES
from bayescale.models.pooling import POOLING_MODES
from bayescale.models.series import SeriesModel
from bayescale.models.stages import Stages
from bayescale.runtime import require_64bit
from bayescale.validation import require_choice

# What checks and forecasts read of a tree.
STATISTICS = ("diverging", "energy", "tree_depth")
ATTRIBUTES = ("leapfrog_steps", "seconds", "seconds_together")


class _OwnFunctionError(SettingError):
    """The user's own law or link must be given anew."""


def load_fit(path: str | Path, *, law: Law | None = None, link: Link | None = None) -> Fit:
    """The fit that `Fit.save` wrote to `path`.

    Load only fits that you trust: the posteriors are read by the HDF5 library. Sizes and structure
    are checked first: a file may unpack to 64 MB, or to 200 times its own size where that is more.

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
        For a file that is missing, damaged, or of another format, and for one whose draws are not
        those of its ladder and settings.
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
            check_sizes(archive, Path(path).stat().st_size)
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
    except (FileError, _OwnFunctionError):
        raise
    # A damaged archive can fail in any of its entries, and each entry in its own way.
    except Exception as error:
        raise FileError(
            name,
            rule="must be a whole file that Fit.save wrote",
            got=f"a damaged or foreign one ({' '.join(str(error).split())})",
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
    _check_draws(whole)
    if settings["members"] != len(whole.weights):
        raise ValueError("not one weight for each member")
    members = []
    for i in range(settings["members"]):
        with zipfile.ZipFile(io.BytesIO(archive.read(f"member-{i}.fit"))) as inside:
            own = json.loads(inside.read("settings.json"))
            members.append(_read(inside, own, law, link, loss))
    return replace(whole, members=tuple(members))


def _ladder(archive: zipfile.ZipFile, settings: Mapping[str, Any]) -> Ladder:
    record = dict(settings["ladder"])
    conventions = Conventions(**record.pop("conventions"))
    notes = tuple(map(str, record.pop("notes")))
    runs = _table(archive.read("runs.csv"))
    tasks = _table(archive.read("tasks.csv"))
    ladder = Ladder.from_frame(runs, tasks=tasks, conventions=conventions, **record)
    return replace(ladder, notes=notes)


def _fit_settings(
    settings: Mapping[str, Any], ladder: Ladder, law: Law | None, link: Link | None
) -> FitSettings:
    require_choice("pooling", settings["pooling"], POOLING_MODES)
    require_choice("noise", settings["noise"], NOISES)
    require_choice("discrepancy", settings["discrepancy"], DISCREPANCY_MODES)
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
        raise _OwnFunctionError(
            f"{kind} {name!r}",
            rule="was your own when the fit was made, and functions are not saved",
            got="no value" if given is None else repr(given),
            way_out=f"load_fit(path, {kind}=...)",
        )
    return given


def _posterior(archive: zipfile.ZipFile, entry: str) -> Posterior:
    content = archive.read(entry)
    check_numbers(content)
    return Posterior(xr.open_datatree(io.BytesIO(content), engine=ENGINE).load())


def _check_draws(fit: Fit) -> None:
    """Check that draws are of the ladder's series and of the model's parameters."""
    names = fit.loss_data.groups.names
    _check_tree(fit, fit.posteriors.loss.draws, fit.loss_model, names, "loss_name")
    accuracy, model = fit.posteriors.accuracy, fit.accuracy_model
    if accuracy is None:
        return
    if fit.accuracy_data is None or model is None:
        raise ValueError("draws of accuracies, and a ladder without them")
    _check_tree(fit, accuracy.draws, model, fit.accuracy_data.groups.names, "task")


def _check_tree(
    fit: Fit, tree: xr.DataTree, model: SeriesModel, names: Sequence[str], dim: str
) -> None:
    """The same of one stage; what is wrong ends in some exception, such as a KeyError."""
    sampler, posterior = fit.sampler, tree["posterior"].to_dataset()
    for group in tree.children.values():
        sizes = {"chain": sampler.chains, "draw": sampler.draws}
        if any(group.sizes.get(name, size) != size for name, size in sizes.items()):
            raise ValueError(f"not {sampler.chains} x {sampler.draws} draws")
    levels = {"corpus": model.pooling.groups.corpora, dim: names}
    for name, wanted in levels.items():
        if posterior[name].values.tolist() != list(wanted):
            raise ValueError(f"draws of another {name} than those of the ladder")
    real, _ = real_draws(tree, model, names, dim)
    needed = {model.scale_name, *({model.amplitude} - {None})}
    if model.noise == "student_t":
        needed.add("tail")
    if not needed <= set(real):
        raise ValueError(f"no draws of {', '.join(map(str, needed - set(real)))}")
    for statistic in STATISTICS:
        values = tree["sample_stats"][statistic].transpose("chain", "draw").values
        if values.dtype.kind not in "biuf":
            raise ValueError(f"statistic {statistic} is no number")
    for attribute in ATTRIBUTES:
        float(np.squeeze(tree.attrs[attribute]))


def _table(text: bytes) -> pd.DataFrame:
    """A table as it was saved; names are text, whatever they look like."""
    if not text.strip():
        return pd.DataFrame()
    text_columns = dict.fromkeys((*TEXT_COLUMNS, *OTHER_TEXT_COLUMNS), str)
    return pd.read_csv(io.BytesIO(text), dtype=text_columns, keep_default_na=False, na_values=[""])
