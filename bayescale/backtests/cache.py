"""The finished cuts of a long backtest, kept in the user's cache folder until all are done."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from bayescale.data.ladder import Ladder
from bayescale.errors import FileError
from bayescale.files import atomic_write, cache_folder, source_digest, warn_without_cache
from bayescale.fits.settings import FitSettings
from bayescale.inference.nuts import Sampler
from bayescale.models.laws import LAWS
from bayescale.models.links import LINKS

# Packages whose versions decide what a fit gives, beside this package's own code.
PACKAGES = ("bayescale", "jax", "jaxlib", "numpyro")
TEXT_COLUMNS = ("model", "run", "corpus", "quantity", "name", "role", "status", "failed")


class Fold(NamedTuple):
    """One cut of a backtest by one model.

    Parameters
    ----------
    cases
        One row per case: see `Backtest.cases`.
    fits
        One row per model: see `Backtest.folds`.
    """

    cases: pd.DataFrame
    fits: pd.DataFrame


class Cache:
    """The fold of each (model, cut), by ladder, settings, versions and the code of the package.

    A law, a link or a prior of the user's own has no name to keep a fold under, so such folds are
    not kept. Without a usable cache folder, no fold is kept, and a warning says so.

    Parameters
    ----------
    ladder
        The whole ladder.
    settings
        What was asked of every fit.
    sampler
        Chains, draws, warm-up and seed.
    by
        What the cuts are of.
    baselines
        Whether folds hold the cases of the baselines.
    """

    def __init__(
        self,
        ladder: Ladder,
        settings: FitSettings,
        sampler: Sampler,
        *,
        by: str,
        baselines: bool,
    ) -> None:
        own = (
            LAWS.get(settings.law.name) is not settings.law
            or LINKS.get(settings.link.name) is not settings.link
            or settings.priors
        )
        asked = [
            settings.law.name,
            settings.link.name,
            settings.via,
            settings.pooling,
            settings.discrepancy,
            settings.noise,
            by,
            baselines,
            asdict(sampler),
        ]
        versions = [version(package) for package in PACKAGES]
        text = json.dumps([versions, source_digest(), ladder.digest(), *asked])
        self._key = hashlib.sha256(text.encode()).hexdigest()
        folder = None if own else cache_folder("backtests")
        self._folder = None if folder is None else folder / self._key[:32]

    def load(self, model: str, cut: float) -> Fold | None:
        """The fold that was saved; None where there is none, or not the one that was saved."""
        path = self._path(model, cut)
        try:
            content = b"" if path is None else path.read_bytes()
        except OSError:
            # Most often the fold was not made yet. What cannot be read is made again.
            return None
        digest, _, tables = content.partition(b"\n")
        if digest.decode("ascii", "replace") != self._digest(model, cut, tables):
            return None
        cases, fits = (_table(table) for table in json.loads(tables))
        return Fold(cases, fits)

    def save(self, model: str, cut: float, fold: Fold) -> None:
        """Write the fold whole, behind its digest; where that fails, no more folds are kept."""
        path = self._path(model, cut)
        if path is None:
            return
        csv = [table.to_csv(index=False, float_format="%.17g", na_rep="nan") for table in fold]
        tables = json.dumps(csv).encode()
        try:
            path.parent.mkdir(exist_ok=True)
            with atomic_write(path) as temporary:
                temporary.write_bytes(f"{self._digest(model, cut, tables)}\n".encode() + tables)
        except (OSError, FileError) as error:
            warn_without_cache(str(error))
            self._folder = None

    def clear(self) -> None:
        """Remove every fold: the backtest is done."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _digest(self, model: str, cut: float, tables: bytes) -> str:
        """The digest of one fold and of what it is the fold of."""
        whose = json.dumps([self._key, model, float(cut)])
        return hashlib.sha256(whose.encode() + tables).hexdigest()

    def _path(self, model: str, cut: float) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"{model.replace(' ', '-')}-{cut:.6g}.fold"


def _table(csv: str) -> pd.DataFrame:
    """A table as it was saved, to the last digit."""
    # A fold without cases has no columns either.
    if not csv.strip():
        return pd.DataFrame()
    return pd.read_csv(
        io.StringIO(csv),
        keep_default_na=False,
        na_values=["nan"],
        dtype=dict.fromkeys(TEXT_COLUMNS, str),
    )
