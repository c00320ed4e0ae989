"""What the commands share: options, how ladder and targets are read, and the process's cost."""

from __future__ import annotations

import math
import resource
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bayescale.cli import STARTED, tables
from bayescale.cli.progress import fit_bars, note
from bayescale.cli.targets import DEFAULT_TARGETS
from bayescale.data.best_of_sweep import best_of_sweep
from bayescale.data.datasets import DATASETS, load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.leave_out import leave_out as drop_runs
from bayescale.data.quantities import suffixed
from bayescale.data.readers import read_runs
from bayescale.errors import SettingError
from bayescale.files import check_folder
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.fits.settings import AUTO
from bayescale.inference.nuts import Sampler
from bayescale.models.laws import LAWS
from bayescale.models.links import LINKS
from bayescale.runtime import setup

# Value of --via for each task's own loss; `bayescale.fit` takes None for it.
OWN = "own"

# Panels of the options in the help of a command.
RUNS, TARGET, MODEL, SAMPLER, OUTPUT = "Runs", "Target", "Model", "Sampler", "Output"

RunTable = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Run table (CSV, TSV, JSON Lines, Parquet, or an export of Weights & Biases), then "
        "other files about the same runs: results of lm-evaluation-harness, charts, tables. "
        "Without it, the data set of --dataset is used."
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        help="What the columns of the run table mean, such as params=N,tokens=D,loss:c4=val_loss; "
        "or a TOML file. Without it, columns of other names are guessed.",
        rich_help_panel=RUNS,
    ),
]
LeaveOut = Annotated[
    list[str] | None,
    typer.Option(
        help="Run to leave out, or a condition such as 'params<1e8'; may be given several times.",
        rich_help_panel=RUNS,
    ),
]
Dataset = Annotated[
    str,
    typer.Option(help=f"Embedded data set: {' or '.join(DATASETS)}.", rich_help_panel=RUNS),
]
TaskTable = Annotated[
    Path | None,
    typer.Option(
        help="Task table with the columns task, chance and items. Without it, those of the "
        "catalogue are used.",
        rich_help_panel=RUNS,
    ),
]
SavedFit = Annotated[
    Path | None,
    typer.Option(
        "--fit",
        help="Fit that --save wrote, in place of a run table: nothing is sampled. Load only files "
        "that you trust.",
        rich_help_panel=RUNS,
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        help="Metric of tasks of lm-evaluation-harness, such as piqa=acc_norm; * stands for all.",
        rich_help_panel=RUNS,
    ),
]
Unfinished = Annotated[
    bool,
    typer.Option(
        "--unfinished",
        help="Keep runs of an export of Weights & Biases that did not finish.",
        rich_help_panel=RUNS,
    ),
]
BestOfSweep = Annotated[
    bool,
    typer.Option(
        "--best-of-sweep",
        help="Of several runs of one corpus, N and D keep the one with the lowest loss.",
        rich_help_panel=RUNS,
    ),
]
LawName = Annotated[
    str | None,
    typer.Option(
        help=f"Law of the losses: one of {', '.join(LAWS)}; or auto (not in a backtest), "
        "a mixture of four laws. Without it, skaling; for gadre2024, gadre.",
        rich_help_panel=MODEL,
    ),
]
LinkName = Annotated[
    str | None,
    typer.Option(
        help=f"Link from loss to accuracy: one of {', '.join(LINKS)}. Without it, logistic; for "
        "gadre2024, exponential.",
        rich_help_panel=MODEL,
    ),
]
Via = Annotated[
    str,
    typer.Option(
        help="Loss that every task is linked through: the name of a loss; own, each task's own "
        "loss; or auto, the first loss of running text that all tasks have.",
        rich_help_panel=MODEL,
    ),
]
PoolingName = Annotated[
    str,
    typer.Option(
        help="How series share the parameters of the law: partial, none or complete.",
        rich_help_panel=MODEL,
    ),
]
DiscrepancyName = Annotated[
    str,
    typer.Option(
        help="Errors of law and link: calibrated, learned with the rest; or none, which takes both "
        "as true.",
        rich_help_panel=MODEL,
    ),
]


def size(text: str) -> float:
    """The number that a text such as ``7e9`` or ``7B`` stands for; a ValueError for any other."""
    number = suffixed(text)
    return float(text) if math.isnan(number) else number


Params = Annotated[
    float | None,
    typer.Option(
        help="Parameters of the target, such as 7e9 or 7B.", parser=size, rich_help_panel=TARGET
    ),
]
Tokens = Annotated[
    float | None,
    typer.Option(
        help="Training tokens of the target, such as 2e12 or 2T.",
        parser=size,
        rich_help_panel=TARGET,
    ),
]
Flops = Annotated[
    float | None,
    typer.Option(
        help="Training compute of the target, in FLOPs, measured as in the ladder.",
        rich_help_panel=TARGET,
    ),
]
Corpus = Annotated[
    str | None,
    typer.Option(
        help="Corpus of the target. Without --params, only targets of this corpus.",
        rich_help_panel=TARGET,
    ),
]
TargetNames = Annotated[
    str | None,
    typer.Option(
        help="Runs of the table to forecast, separated by commas: roles (target, link, held_out) "
        f"or names of runs. Without it, {DEFAULT_TARGETS}.",
        rich_help_panel=TARGET,
    ),
]
Prob = Annotated[float, typer.Option(help="Probability of the intervals.", rich_help_panel=OUTPUT)]
Save = Annotated[Path | None, typer.Option(help="File for the fit.", rich_help_panel=OUTPUT)]
Draws = Annotated[int, typer.Option(help="Draws to keep per chain.", rich_help_panel=SAMPLER)]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.", rich_help_panel=SAMPLER)]
Chains = Annotated[
    int, typer.Option(help="Number of chains of the sampler.", rich_help_panel=SAMPLER)
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON instead of tables.", rich_help_panel=OUTPUT)
]


def fit_with_progress(
    ladder: Ladder, *, hidden: bool, chains: int, draws: int, via: str = AUTO, **settings: Any
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
    draws
        Draws to keep per chain.
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
    sampler = Sampler(chains=chains, draws=draws)
    with fit_bars(hidden=hidden, sampler=sampler) as progress:
        return fit(
            ladder,
            via=via_setting(via),
            chains=chains,
            draws=draws,
            progress=progress,
            **settings,
        )


def via_setting(via: str) -> str | None:
    """The argument `via` of `bayescale.fit` for a value of --via: None for ``own``."""
    return None if via == OWN else via


def read_ladder(
    runs: Sequence[Path] | None,
    tasks: Path | None,
    dataset: str,
    *,
    columns: str | None = None,
    leave_out: Sequence[str] | None = None,
    metrics: str | None = None,
    unfinished: bool = False,
    best: bool = False,
) -> Ladder:
    """The ladder of a run table, or of an embedded data set where no table is given.

    What a reader left out or guessed, and what looks wrong in the table, are lines on stderr.

    Parameters
    ----------
    runs
        Path of the run table, then of other files about the same runs; None or empty for the
        embedded data set.
    tasks
        Path of the task table; None for none.
    dataset
        Name of the embedded data set.
    columns
        Value of --columns; None for guesses.
    leave_out
        Values of --leave-out; None for none.
    metrics, unfinished, best
        Values of --metrics, --unfinished and --best-of-sweep.

    Returns
    -------
    Ladder
        All runs with their roles.

    Raises
    ------
    SettingError
        For options about a run table without one, or an unknown data set.
    DataError
        For a table that breaks a rule of the data.
    """
    if not runs:
        for option, value in (("--tasks", tasks), ("--columns", columns)):
            if value is not None:
                raise SettingError(
                    option,
                    rule="describes a run table",
                    got="no run table",
                    way_out=f"name the run table too, or leave {option} out",
                )
        ladder = load_dataset(dataset)
        return drop_runs(ladder, leave_out) if leave_out else ladder
    ladder = read_table(
        runs,
        tasks,
        columns=columns,
        leave_out=leave_out,
        metrics=metrics,
        unfinished=unfinished,
        best=best,
    )
    for check in ladder.checks():
        note(f"{check.check}: {check.advice}")
    return ladder


def read_table(
    runs: Sequence[Path],
    tasks: Path | None,
    *,
    columns: str | None = None,
    leave_out: Sequence[str] | None = None,
    metrics: str | None = None,
    unfinished: bool = False,
    best: bool = False,
) -> Ladder:
    """The ladder of a run table; each warning is one line on stderr.

    Parameters
    ----------
    runs
        Path of the run table, then of other files about the same runs.
    tasks
        Path of the task table; None for none.
    columns
        Value of --columns; None for guesses.
    leave_out
        Values of --leave-out; None for none.
    metrics
        Value of --metrics, such as ``piqa=acc_norm``; None for the default of each task.
    unfinished, best
        Values of --unfinished and --best-of-sweep.

    Returns
    -------
    Ladder
        All runs with their roles.

    Raises
    ------
    DataError
        For a table that breaks a rule of the data.
    """
    pairs = [pair.partition("=") for pair in (metrics or "").split(",") if pair.strip()]
    with warnings.catch_warnings(action="always", category=UserWarning):
        ladder = read_runs(
            runs[0],
            join=runs[1:],
            tasks=tasks,
            columns=columns,
            leave_out=leave_out or (),
            metrics={task.strip(): metric.strip() for task, _, metric in pairs} or None,
            unfinished=unfinished,
        )
    return best_of_sweep(ladder) if best else ladder


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


def process_cost() -> dict[str, Any]:
    """JSON of what the process has cost so far: seconds, and the peak of its memory in MB."""
    # macOS counts the memory in bytes, Linux in units of 1,024 bytes
    units_per_mb = 2**20 if sys.platform == "darwin" else 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / units_per_mb
    seconds = time.perf_counter() - STARTED
    return {"seconds": round(seconds, 2), "peak_memory_mb": round(peak, 1)}
