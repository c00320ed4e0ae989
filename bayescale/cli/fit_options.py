"""Options that say which runs are fitted and how, and the ladder and the fit that they describe."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

from bayescale.cli import options
from bayescale.data.ladder import Ladder
from bayescale.data.replicates import with_reruns
from bayescale.errors import SettingError
from bayescale.fits.load import load_fit
from bayescale.fits.record import Fit
from bayescale.fits.settings import AUTO
from bayescale.runtime import setup

# Data set that is fitted where neither a run table nor a saved fit is given.
EXAMPLE = "ladder2024"


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Values of the options about runs, model and sampler, as they were typed.

    Parameters
    ----------
    runs, dataset, tasks
        Run table with other files about the same runs, embedded data set in place of it, and task
        table.
    columns, leave_out, metrics, unfinished, best
        How the run table is read: values of these options.
    saved
        File of a saved fit, in place of the runs; None for none.
    reruns
        Whether held-out reruns of fitted runs are fitted too.
    law, link, via, pooling, discrepancy
        Choices of the model; `via` is the value of --via.
    chains, draws
        Settings of the sampler.
    seed
        Seed of all random numbers.
    hidden
        Whether to show no progress bar.
    """

    runs: list[Path] | None = None
    dataset: str = EXAMPLE
    tasks: Path | None = None
    columns: str | None = None
    leave_out: list[str] | None = None
    metrics: str | None = None
    unfinished: bool = False
    best: bool = False
    saved: Path | None = None
    reruns: bool = False
    law: str | None = None
    link: str | None = None
    via: str = AUTO
    pooling: str = "partial"
    discrepancy: str = "calibrated"
    chains: int = 4
    draws: int = 1000
    seed: int = 0
    hidden: bool = False

    @property
    def are_default_runs(self) -> bool:
        """Whether the runs are those of the worked example."""
        return self.runs is None and self.saved is None and self.dataset == EXAMPLE

    @cached_property
    def ladder(self) -> Ladder:
        """The runs of the table, of the data set or of the saved fit; nothing is sampled.

        Raises
        ------
        BayescaleError
            For a table that breaks a rule of the data, a saved fit that cannot be loaded, and
            options that contradict --fit.
        """
        if self._loaded is not None:
            return self._loaded.ladder
        ladder = options.read_ladder(
            self.runs,
            self.tasks,
            self.dataset,
            columns=self.columns,
            leave_out=self.leave_out,
            metrics=self.metrics,
            unfinished=self.unfinished,
            best=self.best,
        )
        return with_reruns(ladder) if self.reruns else ladder

    def fit(self) -> Fit:
        """The saved fit, or a fit of the ladder with a progress bar on stderr."""
        if self._loaded is not None:
            return self._loaded
        return options.fit_with_progress(
            self.ladder,
            hidden=self.hidden,
            law=self.law,
            link=self.link,
            via=self.via,
            pooling=self.pooling,
            discrepancy=self.discrepancy,
            chains=self.chains,
            draws=self.draws,
            seed=self.seed,
        )

    @cached_property
    def _loaded(self) -> Fit | None:
        """The saved fit; None where --fit was not given."""
        if self.saved is None:
            return None
        names = [
            field.name
            for field in fields(self)
            if field.name not in ("saved", "seed", "hidden")
            and getattr(self, field.name) != field.default
        ]
        if names:
            raise SettingError(
                "--fit",
                rule="holds runs, model and draws of its own",
                got=f"a value of {', '.join(names)} too",
                way_out="leave out one or the other",
            )
        setup(self.chains)
        return load_fit(self.saved)
