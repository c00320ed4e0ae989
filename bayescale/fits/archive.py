"""The file of Fit.save: one zip archive with posteriors, ladder and settings, written whole or not
at all.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.files import atomic_write
from bayescale.fits.record import Fit
from bayescale.models.laws import LAWS
from bayescale.models.links import LINKS

FORMAT = "bayescale-fit-4"
ENGINE = "h5netcdf"
# columns of the tables of the past and of the weights
OTHER_TEXT_COLUMNS = ("name", "law", "link", "via")


def save_fit(fit: Fit, path: str | Path) -> None:
    """Write `fit` to `path`, atomically: a file of that name is replaced only by a whole one."""
    with atomic_write(path) as temporary:
        _write(fit, temporary, None)


def _write(fit: Fit, file: Path | io.BytesIO, of: Fit | None) -> None:
    """One archive; the members of a mixture are archives in it, without the losses that they share
    with the fit `of` which they belong to.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "settings.json", json.dumps(_settings(fit), indent=1, default=np.ndarray.tolist)
        )
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


def _settings(fit: Fit) -> dict[str, object]:
    ladder = {
        "name": fit.ladder.name,
        "source": fit.ladder.source,
        "law": fit.ladder.law,
        "link": fit.ladder.link,
        "conventions": {
            **vars(fit.ladder.conventions),
            "loss_units": dict(fit.ladder.conventions.loss_units),
        },
    }
    return {
        "format": FORMAT,
        "ladder": ladder,
        "law": fit.law.name,
        "link": fit.link.name if fit.link else None,
        "own": [
            what
            for what, part, known in (("law", fit.law, LAWS), ("link", fit.link, LINKS))
            if part and known.get(part.name) is not part
        ],
        "via": fit.via,
        "pooling": fit.pooling,
        "noise": fit.noise,
        "blocks": fit.blocks,
        "discrepancy": asdict(fit.discrepancy),
        "members": len(fit.members),
        "own_priors": fit.priors is None or len(fit.priors) > 0,
        "sampler": asdict(fit.sampler),
    }


def _csv(table: pd.DataFrame) -> str:
    """The table as `_table` reads it: as rows end in CR LF, a name that holds either of them is
    quoted.
    """
    return table.to_csv(index=False, float_format="%.17g", lineterminator="\r\n")
