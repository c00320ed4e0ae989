"""The finished parts of a long backtest, kept in the user's cache folder until all of it is
done.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from bayescale.data.ladder import Ladder
from bayescale.files import atomic_write, cache_folder
from bayescale.fits.settings import Settings
from bayescale.inference.nuts import Sampler
from bayescale.models.laws import LAWS
from bayescale.models.links import LINKS


class Keep:
    """Cases and folds of each (model, cut), by ladder, settings and version; a law, a link or a
    prior of the user's own has no name to keep them under.
    """

    def __init__(
        self, ladder: Ladder, settings: Settings, sampler: Sampler, by: str, baselines: bool
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
        key = hashlib.sha256(
            json.dumps([version("bayescale"), ladder.digest(), *asked]).encode()
        ).hexdigest()
        self._folder = None if own else cache_folder().parent / "backtests" / key[:32]

    def load(self, model: str, cut: float) -> tuple[pd.DataFrame, pd.DataFrame] | None:
        """What was saved of it; None where nothing was."""
        paths = self._paths(model, cut)
        if paths is None or not all(path.exists() for path in paths):
            return None
        cases, folds = (
            pd.read_csv(
                path, keep_default_na=False, na_values=["nan"], dtype=dict.fromkeys(TEXT, str)
            )
            for path in paths
        )
        return cases, folds

    def save(self, model: str, cut: float, cases: pd.DataFrame, folds: pd.DataFrame) -> None:
        """Write it, each file whole or not at all."""
        paths = self._paths(model, cut)
        if paths is None:
            return
        paths[0].parent.mkdir(parents=True, exist_ok=True)
        for table, path in zip((cases, folds), paths, strict=True):
            with atomic_write(path) as temporary:
                table.to_csv(temporary, index=False, float_format="%.17g", na_rep="nan")

    def forget(self) -> None:
        """Remove all of it: the backtest is done."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _paths(self, model: str, cut: float) -> list[Path] | None:
        if self._folder is None:
            return None
        name = f"{model.replace(' ', '-')}-{cut:.6g}"
        return [self._folder / f"{name}-{what}.csv" for what in ("cases", "folds")]


TEXT = ("model", "run", "corpus", "quantity", "name", "role", "status", "failed")
