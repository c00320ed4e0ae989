"""The finished cuts of a long backtest, kept in the user's cache folder until all are done."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from bayescale.data.ladder import Ladder
from bayescale.files import atomic_write, cache_folder
from bayescale.fits.settings import FitSettings
from bayescale.inference.nuts import Sampler
from bayescale.models.laws import LAWS
from bayescale.models.links import LINKS

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
    """The fold of each (model, cut), by ladder, settings and version of the package.

    A law, a link or a prior of the user's own has no name to keep a fold under, so such folds are
    not kept.

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
        text = json.dumps([version("bayescale"), ladder.digest(), *asked])
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        self._folder = None if own else cache_folder().parent / "backtests" / digest

    def load(self, model: str, cut: float) -> Fold | None:
        """The fold that was saved; None where there is none."""
        paths = self._paths(model, cut)
        if paths is None or not all(path.exists() for path in paths):
            return None
        text = dict.fromkeys(TEXT_COLUMNS, str)
        cases, fits = (
            pd.read_csv(path, keep_default_na=False, na_values=["nan"], dtype=text)
            for path in paths
        )
        return Fold(cases, fits)

    def save(self, model: str, cut: float, fold: Fold) -> None:
        """Write the fold, each file whole or not at all."""
        paths = self._paths(model, cut)
        if paths is None:
            return
        paths[0].parent.mkdir(parents=True, exist_ok=True)
        for table, path in zip(fold, paths, strict=True):
            with atomic_write(path) as temporary:
                table.to_csv(temporary, index=False, float_format="%.17g", na_rep="nan")

    def clear(self) -> None:
        """Remove every fold: the backtest is done."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _paths(self, model: str, cut: float) -> list[Path] | None:
        if self._folder is None:
            return None
        name = f"{model.replace(' ', '-')}-{cut:.6g}"
        return [self._folder / f"{name}-{table}.csv" for table in ("cases", "folds")]
