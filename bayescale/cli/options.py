"""What the commands share: options, how ladder and targets are read, and the process's cost."""

from __future__ import annotations

import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from bayescale.cli import tables
from bayescale.cli.progress import progress_bar
from bayescale.data.datasets import DATASETS, load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.names import visible
from bayescale.data.readers import read_csv
from bayescale.data.schema import ROLES
from bayescale.data.target import Target
from bayescale.errors import DataError, SettingError
from bayescale.files import check_folder
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.fits.settings import AUTO
from bayescale.models.laws import LAWS
from bayescale.models.links import LINKS
from bayescale.runtime import setup

# Value of --via for each task's own loss; `bayescale.fit` takes None for it.
OWN = "own"
# Value of --targets where it is not given. The law does not see a run of role link, so the loss of
# this run is forecast too.
DEFAULT_TARGETS = "target,link"
# Start of Python in this process, on the clock of `time.perf_counter`. The time before this file
# was loaded is processor time, because the process may have started earlier, as a shell.
_STARTED = time.perf_counter() - time.process_time()

RunTable = Annotated[
    Path | None,
    typer.Argument(help="Run table (CSV). Without it, the data set of --dataset is used."),
]
Dataset = Annotated[str, typer.Option(help=f"Embedded data set: {' or '.join(DATASETS)}.")]
TaskTable = Annotated[
    Path | None, typer.Option(help="Task table (CSV) with the columns task, chance and items.")
]
LawName = Annotated[
    str | None,
    typer.Option(
        help=f"Law of the losses: one of {', '.join(LAWS)}; or auto (not in a backtest), "
        "a mixture of four laws. Without it, skaling; for gadre2024, gadre."
    ),
]
LinkName = Annotated[
    str | None,
    typer.Option(
        help=f"Link from loss to accuracy: one of {', '.join(LINKS)}. Without it, logistic; for "
        "gadre2024, exponential."
    ),
]
Via = Annotated[
    str,
    typer.Option(
        help="Loss that every task is linked through: the name of a loss; own, each task's own "
        "loss; or auto, the first loss of running text that all tasks have."
    ),
]
PoolingName = Annotated[
    str,
    typer.Option(help="How series share the parameters of the law: partial, none or complete."),
]
DiscrepancyName = Annotated[
    str,
    typer.Option(
        help="Errors of law and link: calibrated, learned with the rest; or none, which takes both "
        "as true."
    ),
]
Params = Annotated[float | None, typer.Option(help="Parameters of the target.")]
Tokens = Annotated[float | None, typer.Option(help="Training tokens of the target.")]
Flops = Annotated[
    float | None,
    typer.Option(help="Training compute of the target, in FLOPs, measured as in the ladder."),
]
Corpus = Annotated[
    str | None,
    typer.Option(help="Corpus of the target. Without --params, only targets of this corpus."),
]
TargetNames = Annotated[
    str | None,
    typer.Option(
        help="Runs of the table to forecast, separated by commas: roles (target, link, held_out) "
        f"or names of runs. Without it, {DEFAULT_TARGETS}."
    ),
]
Draws = Annotated[int, typer.Option(help="Draws to keep per chain.")]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.")]
Chains = Annotated[int, typer.Option(help="Number of chains of the sampler.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def fit_with_progress(
    ladder: Ladder, *, hidden: bool, chains: int, via: str = AUTO, **settings: Any
) -> Fit:
    """Fit a ladder, with a progress bar on stderr over the sampling of the law and of the link.

    Parameters
    ----------
    ladder
        Runs to fit.
    hidden
        Whether to show no progress bar.
    chains
        Number of chains of the sampler; JAX is set up for as many.
    via
        Value of --via.
    settings
        Other arguments of `bayescale.fit`.

    Returns
    -------
    Fit
        The fit of the ladder.
    """
    setup(chains)
    shares = {"loss": 0.0, "accuracy": 0.0}
    with progress_bar(hidden=hidden, description="sampling", total=len(shares)) as update:

        def progress(stage: str, share: float) -> None:
            shares[stage] = share
            update("sampling", sum(shares.values()))

        return fit(ladder, via=via_setting(via), chains=chains, progress=progress, **settings)


def via_setting(via: str) -> str | None:
    """The argument `via` of `bayescale.fit` for a value of --via: None for ``own``."""
    return None if via == OWN else via


def read_ladder(runs: Path | None, tasks: Path | None, dataset: str) -> Ladder:
    """The ladder of a run table, or of an embedded data set where no table is given.

    Parameters
    ----------
    runs
        Path of the run table; None for the embedded data set.
    tasks
        Path of the task table; None for none.
    dataset
        Name of the embedded data set.

    Returns
    -------
    Ladder
        All runs with their roles.

    Raises
    ------
    SettingError
        For a task table without a run table, or an unknown data set.
    DataError
        For a table that breaks a rule of the data.
    """
    if runs is None and tasks is not None:
        raise SettingError(
            "--tasks",
            rule="describes the tasks of a run table",
            got="no run table",
            way_out="name the run table too, or leave --tasks out",
        )
    return load_dataset(dataset) if runs is None else read_table(runs, tasks)


def read_table(runs: Path, tasks: Path | None) -> Ladder:
    """The ladder of a run table; each warning is printed as one line on stderr.

    Parameters
    ----------
    runs
        Path of the run table.
    tasks
        Path of the task table; None for none.

    Returns
    -------
    Ladder
        All runs with their roles.

    Raises
    ------
    DataError
        For a table that breaks a rule of the data.
    """
    with warnings.catch_warnings(record=True, action="default") as caught:
        try:
            return read_csv(runs, tasks=tasks)
        finally:
            for warning in caught:
                print(f"bayescale: {visible(warning.message)}", file=sys.stderr)


def check_outputs(plot: Path | None, *others: Path | None) -> None:
    """Check that every output file can be written, before any work is done.

    Parameters
    ----------
    plot
        Path of the picture; None for none.
    others
        Paths of other files; None for none.

    Raises
    ------
    FileError
        For a path in a missing or closed folder, or a path that is a folder.
    SettingError
        For an unknown kind of picture.
    """
    for path in (*others, plot):
        if path is not None:
            check_folder(path)
    if plot is not None:
        tables.check_picture(plot)


def choose_targets(
    ladder: Ladder,
    *,
    names: str | None,
    params: float | None,
    tokens: float | None,
    flops: float | None,
    corpus: str | None,
) -> list[Target]:
    """The target that --params and --tokens describe, or the targets among the runs of the table.

    Parameters
    ----------
    ladder
        Runs of the table.
    names
        Value of --targets: roles or names of runs, separated by commas; None for the default.
    params
        Parameters of a target that is not in the table; None for targets of the table.
    tokens
        Training tokens of that target; None for targets of the table.
    flops
        Measured training compute of that target; None where it was not measured.
    corpus
        Corpus of that target, or the only corpus to take targets of the table from; None for any.

    Returns
    -------
    list of Target
        At least one target.

    Raises
    ------
    DataError
        For a corpus that the ladder lacks, and where no target is left.
    SettingError
        For options that contradict each other, and for an unknown role or run.
    """
    if corpus is not None and corpus not in ladder.corpora:
        raise DataError(
            "--corpus",
            rule="must be a corpus of the ladder",
            got=repr(corpus),
            way_out=f"use one of {', '.join(ladder.corpora)}",
        )
    if params is not None or tokens is not None:
        if params is None or tokens is None:
            raise SettingError(
                "the target",
                rule="needs both --params and --tokens",
                got="one of them",
                way_out="give the other",
            )
        _check_new_target(ladder, names, corpus)
        return [Target(params=params, tokens=tokens, corpus=corpus, flops=flops)]
    if flops is not None:
        raise SettingError(
            "--flops",
            rule="goes with --params and --tokens",
            got="neither of them",
            way_out="give both, or leave --flops out",
        )
    return _targets_of_table(ladder, names or DEFAULT_TARGETS, corpus)


def _check_new_target(ladder: Ladder, names: str | None, corpus: str | None) -> None:
    """Check the other options where --params and --tokens describe a target."""
    if corpus is None and len(ladder.corpora) > 1:
        raise DataError(
            "--corpus",
            rule="must say which corpus the target is trained on",
            got="none",
            way_out=f"use one of {', '.join(ladder.corpora)}",
        )
    if names is not None:
        raise SettingError(
            "--targets",
            rule="names runs of the table, --params and --tokens describe another run",
            got="both",
            way_out="give one or the other",
        )


def _targets_of_table(ladder: Ladder, names: str, corpus: str | None) -> list[Target]:
    """The runs of the table with one of these roles or names, on the corpus where one is given."""
    words = [word.strip() for word in names.split(",") if word.strip()]
    unknown = [word for word in words if word not in ROLES and word not in ladder.runs.index]
    if unknown:
        raise SettingError(
            "--targets",
            rule=f"must be roles ({', '.join(ROLES)}) or run names",
            got=repr(unknown[0]),
            way_out="fix the name",
        )
    roles = {word for word in words if word in ROLES}
    run_names = set(words) - roles
    targets = [
        target
        for target in ladder.targets(*ROLES)
        if (target.label in run_names or ladder.runs.loc[target.label, "role"] in roles)
        and corpus in (None, target.corpus)
    ]
    if not targets:
        raise DataError(
            "the targets",
            rule="must be given",
            got="none in the table",
            way_out="give --params and --tokens, or rows with role target",
        )
    return targets


def process_cost() -> dict[str, Any]:
    """JSON of what the process has cost so far: seconds, and the peak of its memory in MB."""
    # macOS counts the memory in bytes, Linux in units of 1,024 bytes
    units_per_mb = 2**20 if sys.platform == "darwin" else 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / units_per_mb
    seconds = time.perf_counter() - _STARTED
    return {"seconds": round(seconds, 2), "peak_memory_mb": round(peak, 1)}
