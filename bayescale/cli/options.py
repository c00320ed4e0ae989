"""What the commands share: their options, how a ladder and its targets are read from them, and what
the process has cost.
"""

from __future__ import annotations

import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from bayescale.cli import tables
from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.names import visible
from bayescale.data.readers import read_csv
from bayescale.data.schema import ROLES
from bayescale.data.target import Target
from bayescale.errors import DataError, SettingError
from bayescale.files import check_folder
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.models.inputs import AUTO
from bayescale.models.laws import LAWS
from bayescale.models.links import LINKS
from bayescale.runtime import setup

OWN = "own"
# seconds before this file was loaded are the processor's: a shell may have had the process before
_STARTED = time.perf_counter() - time.process_time()
RunTable = Annotated[Path | None, typer.Argument(help="Run table, CSV; without one, --dataset.")]
Dataset = Annotated[str, typer.Option(help="Embedded data set: ladder2024 or gadre2024.")]
TaskTable = Annotated[Path | None, typer.Option(help="Task table, CSV: task, chance, items.")]
LawName = Annotated[
    str | None,
    typer.Option(help=f"One of {', '.join(LAWS)}; to forecast also auto, a mixture of four."),
]
LinkName = Annotated[str | None, typer.Option(help=f"One of {', '.join(LINKS)}.")]
Via = Annotated[
    str,
    typer.Option(
        help="Loss that every task is linked through; own: each task's own; auto: both, weighed by their past."
    ),
]
PoolingName = Annotated[str, typer.Option(help="partial, none or complete.")]
DiscrepancyName = Annotated[
    str, typer.Option(help="What intervals allow for beyond the ladder: calibrated, prior or none.")
]
Params = Annotated[float | None, typer.Option(help="Parameters of the target.")]
Tokens = Annotated[float | None, typer.Option(help="Training tokens of the target.")]
Flops = Annotated[
    float | None, typer.Option(help="Training compute of the target, measured as the ladder's is.")
]
Corpus = Annotated[
    str | None,
    typer.Option(help="Corpus of the target; without --params, only the targets of that corpus."),
]
TargetNames = Annotated[
    str | None,
    typer.Option(
        help="Runs of the table to forecast: roles (target, link, held_out) or run names, with commas."
    ),
]
Draws = Annotated[int, typer.Option(help="Draws kept of each chain.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Chains = Annotated[int, typer.Option(help="Chains of the sampler.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def fit_shown(
    ladder: Ladder, *, hidden: bool, chains: int, via: str = AUTO, **settings: Any
) -> Fit:
    """The fit, with a progress bar on stderr over both of its steps where somebody watches; `via`
    as the option has it.
    """
    setup(chains)
    with bar(hidden=hidden) as shown:
        task = shown.add_task("sampling", total=2.0)
        share = {"loss": 0.0, "accuracy": 0.0}

        def progress(step: str, done: float) -> None:
            share[step] = done
            shown.update(task, completed=sum(share.values()))

        return fit(ladder, via=chosen_via(via), chains=chains, progress=progress, **settings)


def bar(*, hidden: bool) -> Progress:
    """On stderr, where somebody watches."""
    return Progress(
        console=Console(stderr=True), transient=True, disable=hidden or not sys.stderr.isatty()
    )


def chosen_via(via: str) -> str | None:
    """As `bayescale.fit` takes it."""
    return None if via == OWN else via


def read(runs: Path | None, tasks: Path | None, dataset: str) -> Ladder:
    """The run table, or the embedded data set where there is none."""
    if runs is None and tasks is not None:
        raise SettingError(
            "--tasks",
            rule="describes the tasks of a run table",
            got="no run table",
            way_out="name the run table too, or leave --tasks out",
        )
    return load_dataset(dataset) if runs is None else read_table(runs, tasks)


def read_table(runs: Path, tasks: Path | None) -> Ladder:
    """The run table; what Python would warn of is one line each on stderr."""
    with warnings.catch_warnings(record=True, action="default") as caught:
        try:
            return read_csv(runs, tasks=tasks)
        finally:
            for warning in caught:
                print(f"bayescale: {visible(warning.message)}", file=sys.stderr)


def check_outputs(plot: Path | None, *others: Path | None) -> None:
    """Every file that is to be written can be, before any work is done."""
    for path in (*others, plot):
        if path is not None:
            check_folder(path)
    if plot is not None:
        tables.check_picture(plot)


def choose_targets(
    ladder: Ladder,
    asked: str | None,
    params: float | None,
    tokens: float | None,
    flops: float | None,
    corpus: str | None,
) -> list[Target]:
    """The target that --params and --tokens describe, or those of the table that --targets names,
    the role target where nothing does.
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
        if corpus is None and len(ladder.corpora) > 1:
            raise DataError(
                "--corpus",
                rule="must say which corpus the target is trained on",
                got="none",
                way_out=f"use one of {', '.join(ladder.corpora)}",
            )
        if asked is not None:
            raise SettingError(
                "--targets",
                rule="names runs of the table, --params and --tokens another",
                got="both",
                way_out="give one or the other",
            )
        return [Target(params=params, tokens=tokens, corpus=corpus, flops=flops)]
    if flops is not None:
        raise SettingError(
            "--flops",
            rule="goes with --params and --tokens",
            got="neither of them",
            way_out="give both, or leave it out",
        )
    words = [w.strip() for w in (asked or "target,link").split(",") if w.strip()]
    unknown = [w for w in words if w not in ROLES and w not in ladder.runs.index]
    if unknown:
        raise SettingError(
            "--targets",
            rule=f"must be roles ({', '.join(ROLES)}) or run names",
            got=repr(unknown[0]),
            way_out="mend the name",
        )
    roles, names = [w for w in words if w in ROLES], {w for w in words if w not in ROLES}
    found = [
        t
        for t in ladder.targets(*ROLES)
        if t.label in names or ladder.runs.loc[t.label, "role"] in roles
    ]
    found = [t for t in found if corpus in (None, t.corpus)]
    if not found:
        raise DataError(
            "the targets",
            rule="must be given",
            got="none in the table",
            way_out="give --params and --tokens, or rows with role target",
        )
    return found


def spent() -> dict[str, Any]:
    """Seconds of the whole process so far, and the largest memory that it ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 2**10
    )
    return {"seconds": round(time.perf_counter() - _STARTED, 2), "peak_memory_mb": round(peak, 1)}
