"""python -m bayescale: thin commands over the library. Exit status 0; 1 where the sampler's checks fail; 2 on bad input."""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

import bayescale
from bayescale import showing
from bayescale.backtesting import backtest as make_backtest
from bayescale.datasets import load_dataset
from bayescale.errors import BayescaleError, DataError, SettingError
from bayescale.fits import Fit
from bayescale.fitting import fit
from bayescale.forecasting import Forecast
from bayescale.forecasting import forecast as make_forecast
from bayescale.ladder import Ladder, Target
from bayescale.laws import LAWS
from bayescale.layouts import AUTO
from bayescale.links import LINKS
from bayescale.readers import read_csv
from bayescale.replicates import with_reruns
from bayescale.reproducing import PAPERS
from bayescale.reproducing import reproduce as make_reproduction
from bayescale.sampling import setup
from bayescale.saving import atomic, check_folder
from bayescale.schema import ROLES
from bayescale.scoring import check_prob

OWN = "own"
INTERRUPTED = 130  # Typer's status after Ctrl-C: 128 and the number of the signal
_STARTED = time.perf_counter() - time.process_time()  # seconds before this file was loaded are the processor's: a shell may have had the process before
RunTable = Annotated[Path | None, typer.Argument(help="Run table, CSV; without one, --dataset.")]
Dataset = Annotated[str, typer.Option(help="Embedded data set: ladder2024 or gadre2024.")]
TaskTable = Annotated[Path | None, typer.Option(help="Task table, CSV: task, chance, items.")]
LawName = Annotated[str | None, typer.Option(help=f"One of {', '.join(LAWS)}; to forecast also auto, a mixture of four.")]
LinkName = Annotated[str | None, typer.Option(help=f"One of {', '.join(LINKS)}.")]
Via = Annotated[str, typer.Option(help="Loss that every task is linked through; own: each task's own; auto: both, weighed by their past.")]
PoolingName = Annotated[str, typer.Option(help="partial, none or complete.")]
DiscrepancyName = Annotated[str, typer.Option(help="What intervals allow for beyond the ladder: calibrated, prior or none.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Chains = Annotated[int, typer.Option(help="Chains of the sampler.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Bayesian scaling laws: from a ladder of small runs to a large one."
)


def main() -> None:
    """Run the command line; every error of bad input is one line on stderr and exit status 2."""
    try:
        status = app(standalone_mode=False)
    except BayescaleError as error:
        print(f"bayescale: {error}", file=sys.stderr)
        sys.exit(2)
    except typer.TyperException as error:
        print(f"bayescale: {error.format_message()}", file=sys.stderr)
        sys.exit(2)
    if status == INTERRUPTED:
        print("bayescale: interrupted; nothing was written", file=sys.stderr)
    sys.exit(status)


def _version(asked: bool) -> None:
    if asked:
        print(f"bayescale {bayescale.__version__}")
        raise typer.Exit


@app.callback()
def _root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    """Bayesian scaling laws: from a ladder of small runs to a large one."""


@app.command()
def datasets(as_json: AsJson = False) -> None:
    """List the embedded data sets."""
    ladders = [load_dataset(name) for name in bayescale.DATASETS]
    if as_json:
        print(json.dumps([{"name": x.name, "runs": len(x.runs), "corpora": x.corpora, "tasks": x.tasks, "source": x.source} for x in ladders]))
        return
    for x in ladders:
        print(f"{x!r}\n    {x.source}")


@app.command()
def check(
    runs: Annotated[Path, typer.Argument(help="Run table, CSV.")],
    tasks: TaskTable = None,
) -> None:
    """Read a run table and say what is in it, and what is wrong."""
    ladder = _read_csv(runs, tasks)
    print(ladder)
    showing.print_checks(Console(width=showing.width()), ladder.checks())


@app.command()
def forecast(
    runs: RunTable = None,
    dataset: Dataset = "ladder2024",
    tasks: TaskTable = None,
    params: Annotated[float | None, typer.Option(help="Parameters of the target.")] = None,
    tokens: Annotated[float | None, typer.Option(help="Training tokens of the target.")] = None,
    flops: Annotated[float | None, typer.Option(help="Training compute of the target, measured as the ladder's is.")] = None,
    corpus: Annotated[str | None, typer.Option(help="Corpus of the target; without --params, only the targets of that corpus.")] = None,
    targets: Annotated[str | None, typer.Option(help="Runs of the table to forecast: roles (target, link, held_out) or run names, with commas.")] = None,
    law: LawName = None,
    link: LinkName = None,
    via: Via = AUTO,
    pooling: PoolingName = "partial",
    discrepancy: DiscrepancyName = "calibrated",
    reruns: Annotated[bool, typer.Option("--with-reruns", help="Fit held-out reruns of fitted runs too, as replicates.")] = False,
    prob: Annotated[float, typer.Option(help="Probability of the intervals.")] = 0.9,
    seed: Seed = 0,
    chains: Chains = 4,
    draws: Annotated[int, typer.Option(help="Draws kept of each chain.")] = 1000,
    as_json: AsJson = False,
    csv: Annotated[Path | None, typer.Option(help="Write the table to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the intervals to this file (.png, .svg or .pdf).")] = None,
    save: Annotated[Path | None, typer.Option(help="Save the fit to this file.")] = None,
) -> None:
    """Fit a ladder and forecast loss and accuracy of its targets."""
    check_prob(prob)
    _check_outputs(plot, csv, save)
    ladder = _read(runs, tasks, dataset)
    ladder = with_reruns(ladder) if reruns else ladder
    wanted = _targets(ladder, targets, params, tokens, flops, corpus)
    setup(chains)
    with Progress(console=Console(stderr=True), transient=True, disable=as_json or not sys.stderr.isatty()) as bar:
        task = bar.add_task("sampling", total=2.0)
        share = {"loss": 0.0, "accuracy": 0.0}

        def progress(step: str, done: float) -> None:
            share[step] = done
            bar.update(task, completed=sum(share.values()))

        settings: dict[str, Any] = {"law": law, "link": link, "via": None if via == OWN else via, "pooling": pooling, "discrepancy": discrepancy}
        fitted = fit(ladder, **settings, chains=chains, draws=draws, seed=seed, progress=progress)
    made = make_forecast(fitted, wanted, seed=seed)
    _write(fitted, made, csv, plot, save, prob)
    if as_json:
        print(json.dumps(showing.forecast_json(fitted, made, prob) | _cost(), allow_nan=False))
    else:
        showing.print_forecast(Console(width=showing.width()), fitted, made, prob, seconds=_cost()["seconds"])
    raise typer.Exit(1 if made.status == "fail" else 0)


@app.command()
def backtest(
    runs: RunTable = None,
    dataset: Dataset = "ladder2024",
    tasks: TaskTable = None,
    by: Annotated[str, typer.Option(help="What the cuts are of: flops, params or tokens.")] = "flops",
    cuts: Annotated[str | None, typer.Option(help="Cuts, with commas; without it, up to 8 from 8 runs of every series upwards.")] = None,
    law: LawName = None,
    link: LinkName = None,
    via: Via = AUTO,
    pooling: PoolingName = "partial",
    discrepancy: DiscrepancyName = "calibrated",
    baselines: Annotated[bool, typer.Option(help="Forecast the same splits by the baselines too.")] = True,
    seed: Seed = 0,
    chains: Chains = 4,
    draws: Annotated[int, typer.Option(help="Draws kept of each chain.")] = 1000,
    as_json: AsJson = False,
    csv: Annotated[Path | None, typer.Option(help="Write every case to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw how the intervals held to this file (.png, .svg or .pdf).")] = None,
) -> None:
    """Fit the cheap runs, forecast the dear ones, again and again: coverage, and scores beside the baselines'. Interrupted, it resumes where it was."""
    _check_outputs(plot, csv)
    ladder = _read(runs, tasks, dataset)
    chosen = None if cuts is None else _numbers(cuts)
    setup(chains)
    settings: dict[str, Any] = {"law": law, "link": link, "via": None if via == OWN else via, "pooling": pooling, "discrepancy": discrepancy}
    with Progress(console=Console(stderr=True), transient=True, disable=as_json or not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=1.0)
        made = make_backtest(
            ladder,
            by=by,  # type: ignore[arg-type]
            cuts=chosen,
            **settings,
            baselines=baselines,
            chains=chains,
            draws=draws,
            seed=seed,
            progress=lambda what, share: bar.update(task, completed=share, description=what),
        )
    if csv is not None:
        with atomic(csv) as temporary:
            made.cases.to_csv(temporary, index=False)
    if plot is not None:
        showing.draw_backtest(made, plot)
    if as_json:
        print(json.dumps(showing.backtest_json(made) | _cost(), allow_nan=False))
    else:
        showing.print_backtest(Console(width=showing.width()), made, _cost()["seconds"])
    raise typer.Exit(1 if made.status == "fail" else 0)


@app.command()
def reproduce(
    paper: Annotated[str, typer.Argument(help=f"One of {', '.join(PAPERS)}.")],
    analysis: Annotated[str | None, typer.Option(help="One analysis by name; without it, all but the check of other starts.")] = None,
    data: Annotated[Path | None, typer.Option(envvar="BAYESCALE_SHARED_DATA", help="Folder that holds ladder2024/raw, the released checkpoint files.")] = None,
    starts: Annotated[int, typer.Option(help="Starting points of each fit in the analysis starts.")] = 10,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Both papers' own analyses: what their code released beside what comes out here. Exit status 1 where the two differ by more than the bound."""
    setup()
    with Progress(console=Console(stderr=True), transient=True, disable=as_json or not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)
        made = make_reproduction(paper, analysis=analysis, data=data, starts=starts, seed=seed, progress=lambda name: bar.update(task, description=name))
    if as_json:
        print(json.dumps(showing.reproduction_json(made) | _cost(), allow_nan=False))
    else:
        showing.print_reproduction(Console(width=showing.width()), made)
    raise typer.Exit(0 if made.agrees else 1)


def _read(runs: Path | None, tasks: Path | None, dataset: str) -> Ladder:
    if runs is None and tasks is not None:
        raise SettingError("--tasks", rule="describes the tasks of a run table", got="no run table", way_out="name the run table too, or leave --tasks out")
    return load_dataset(dataset) if runs is None else _read_csv(runs, tasks)


def _read_csv(runs: Path, tasks: Path | None) -> Ladder:
    """The run table; what Python would warn of is one line each on stderr."""
    with warnings.catch_warnings(record=True, action="default") as caught:
        try:
            return read_csv(runs, tasks=tasks)
        finally:
            for warning in caught:
                print(f"bayescale: {warning.message}", file=sys.stderr)


def _check_outputs(plot: Path | None, *others: Path | None) -> None:
    """Every file that is to be written can be, before any work is done."""
    for path in (*others, plot):
        if path is not None:
            check_folder(path)
    if plot is not None:
        showing.check_picture(plot)


def _targets(ladder: Ladder, asked: str | None, params: float | None, tokens: float | None, flops: float | None, corpus: str | None) -> list[Target]:
    if corpus is not None and corpus not in ladder.corpora:
        raise DataError("--corpus", rule="must be a corpus of the ladder", got=repr(corpus), way_out=f"use one of {', '.join(ladder.corpora)}")
    if params is not None or tokens is not None:
        if params is None or tokens is None:
            raise SettingError("the target", rule="needs both --params and --tokens", got="one of them", way_out="give the other")
        if corpus is None and len(ladder.corpora) > 1:
            raise DataError("--corpus", rule="must say which corpus the target is trained on", got="none", way_out=f"use one of {', '.join(ladder.corpora)}")
        if asked is not None:
            raise SettingError("--targets", rule="names runs of the table, --params and --tokens another", got="both", way_out="give one or the other")
        return [Target(params=params, tokens=tokens, corpus=corpus, flops=flops)]
    if flops is not None:
        raise SettingError("--flops", rule="goes with --params and --tokens", got="neither of them", way_out="give both, or leave it out")
    words = [w.strip() for w in (asked or "target,link").split(",") if w.strip()]
    unknown = [w for w in words if w not in ROLES and w not in ladder.runs.index]
    if unknown:
        raise SettingError("--targets", rule=f"must be roles ({', '.join(ROLES)}) or run names", got=repr(unknown[0]), way_out="mend the name")
    roles, names = [w for w in words if w in ROLES], {w for w in words if w not in ROLES}
    found = [t for t in ladder.targets(*ROLES) if t.label in names or ladder.runs.loc[t.label, "role"] in roles]
    found = [t for t in found if corpus in (None, t.corpus)]
    if not found:
        raise DataError("the targets", rule="must be given", got="none in the table", way_out="give --params and --tokens, or rows with role target")
    return found


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise SettingError("--cuts", rule="must be numbers with commas", got=repr(text), way_out="such as 1e20,1e21") from None


def _write(fitted: Fit, made: Forecast, csv: Path | None, plot: Path | None, save: Path | None, prob: float) -> None:
    if csv is not None:
        with atomic(csv) as temporary:
            made.to_frame(prob).assign(status=made.status).to_csv(temporary, index=False)
    if plot is not None:
        showing.draw(fitted, made, plot, prob)
    if save is not None:
        fitted.save(save)


def _cost() -> dict[str, Any]:
    """Seconds of the whole process so far, and the largest memory that it ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {"seconds": round(time.perf_counter() - _STARTED, 2), "peak_memory_mb": round(peak, 1)}
