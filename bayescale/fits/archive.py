"""The file of Fit.save: one zip archive with posteriors, ladder and settings.

It is written whole or not at all. `bayescale.fits.load` reads it.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bayescale.files import atomic_write, check_folder
from bayescale.models.laws import LAWS
from bayescale.models.links import LINKS

if TYPE_CHECKING:
    from bayescale.fits.record import Fit

FORMAT = "bayescale-fit-5"
ENGINE = "h5netcdf"
# Columns of text in the table of weights.
OTHER_TEXT_COLUMNS = ("law", "link", "via")


def save_fit(fit: Fit, path: str | Path) -> None:
    """Write a fit to a file. A file of that name is replaced by a whole one only.

    Raises
    ------
    FileError
        Where the folder is missing, or the file cannot be written whole.
    """
    check_folder(path)
    # Whole before the file is begun: the predictive draws take seconds, in which an interrupt may
    # end the process, and the temporary file would stay.
    archive = io.BytesIO()
    _write(fit, archive, None)
    with atomic_write(path) as temporary:
        temporary.write_bytes(archive.getvalue())


def _write(fit: Fit, file: io.BytesIO, mixture: Fit | None) -> None:
    """One archive; components of a mixture are archives in it, without the losses they share."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        settings = json.dumps(_settings(fit), indent=1)
        archive.writestr("settings.json", settings)
        archive.writestr("runs.csv", _csv(fit.ladder.frame))
        archive.writestr("tasks.csv", _csv(fit.ladder.task_table.reset_index()))
        archive.writestr("weights.csv", _csv(fit.weights))
        if mixture is None or fit.posteriors.loss is not mixture.posteriors.loss:
            archive.writestr("losses.nc", bytes(fit.losses.to_netcdf(engine=ENGINE)))
        if fit.accuracies is not None:
            archive.writestr("accuracies.nc", bytes(fit.accuracies.to_netcdf(engine=ENGINE)))
        for i, component in enumerate(fit.members):
            inside = io.BytesIO()
            _write(component, inside, fit)
            archive.writestr(f"member-{i}.fit", inside.getvalue())


def _settings(fit: Fit) -> dict[str, object]:
    conventions = fit.ladder.conventions
    ladder = {
        "name": fit.ladder.name,
        "source": fit.ladder.source,
        "law": fit.ladder.law,
        "link": fit.ladder.link,
        "conventions": {**vars(conventions), "loss_units": dict(conventions.loss_units)},
        "notes": list(fit.ladder.notes),
    }
    own = ["law"] if LAWS.get(fit.law.name) is not fit.law else []
    if fit.link is not None and LINKS.get(fit.link.name) is not fit.link:
        own.append("link")
    return {
        "format": FORMAT,
        "ladder": ladder,
        "law": fit.law.name,
        "link": fit.link.name if fit.link else None,
        "own": own,
        "via": fit.via,
        "pooling": fit.pooling,
        "noise": fit.noise,
        "blocks": fit.blocks,
        "discrepancy": fit.settings.discrepancy,
        "members": len(fit.members),
        "own_priors": fit.priors is None or len(fit.priors) > 0,
        "sampler": asdict(fit.sampler),
    }


def _csv(table: pd.DataFrame) -> str:
    """The table as `bayescale.fits.load` reads it.

    Rows end in CR LF, so a name that holds either of the two is quoted.
    """
    return table.to_csv(index=False, float_format="%.17g", lineterminator="\r\n")
