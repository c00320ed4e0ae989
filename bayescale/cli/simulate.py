"""The command simulate: a run table and a task table drawn from the model, and their truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bayescale.cli import options
from bayescale.data.names import visible
from bayescale.data.schema import DEFAULT_CORPUS
from bayescale.errors import FileError, SettingError
from bayescale.files import atomic_write, check_folder
from bayescale.fits.simulate import Simulation
from bayescale.fits.simulate import simulate as make_simulation
from bayescale.runtime import setup

# Sizes like those of ladder2024: four models, each on 1, 2, 5 and 10 times 20 tokens per parameter.
EXAMPLE_PARAMS = (1.9e8, 3.7e8, 7.6e8, 1.3e9)
EXAMPLE_SIZES = ",".join(f"{n:g}:{20 * n * m:g}" for n in EXAMPLE_PARAMS for m in (1, 2, 5, 10))
EXAMPLE_TARGETS = "7e9:4e12"
# Names of the files in the folder.
RUNS, TASKS, TRUTH = "runs.csv", "tasks.csv", "truth.json"


def simulate(
    output: Annotated[
        Path,
        typer.Argument(help=f"Folder to write {RUNS}, {TASKS} and {TRUTH} to."),
    ],
    *,
    sizes: Annotated[
        str,
        typer.Option(
            help="Runs to fit: params:tokens, separated by commas.",
            rich_help_panel=options.RUNS,
            show_default="16 runs of 190M to 1.3B parameters",
        ),
    ] = EXAMPLE_SIZES,
    targets: Annotated[
        str,
        typer.Option(
            help="Targets: params:tokens, separated by commas.", rich_help_panel=options.RUNS
        ),
    ] = EXAMPLE_TARGETS,
    corpus: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a corpus, once per corpus; each has all runs. Without it, one corpus.",
            rich_help_panel=options.RUNS,
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a task, once per task. Without it, a, b and c.",
            rich_help_panel=options.RUNS,
        ),
    ] = None,
    chance: Annotated[
        float, typer.Option(help="Score of guessing.", rich_help_panel=options.RUNS)
    ] = 0.25,
    items: Annotated[
        float, typer.Option(help="Number of items of each task.", rich_help_panel=options.RUNS)
    ] = 2000,
    law: Annotated[
        str, typer.Option(help="Law of the losses.", rich_help_panel=options.MODEL)
    ] = "chinchilla",
    link: Annotated[
        str, typer.Option(help="Link from loss to accuracy.", rich_help_panel=options.MODEL)
    ] = "logistic",
    pooling: options.PoolingName = "partial",
    discrepancy: Annotated[
        str,
        typer.Option(
            help="Errors of law and link: none, both are true; or calibrated, both err as a fit "
            "allows for.",
            rich_help_panel=options.MODEL,
        ),
    ] = "none",
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Draw a ladder from the model itself, and write its tables and the truth behind them."""
    runs = _sizes("--sizes", sizes)
    setup()
    simulation = make_simulation(
        params=[n for n, _ in runs],
        tokens=[d for _, d in runs],
        targets=_sizes("--targets", targets),
        corpora=corpus or (DEFAULT_CORPUS,),
        tasks=task or ("a", "b", "c"),
        chance=chance,
        items=items,
        law=law,
        link=link,
        pooling=pooling,  # type: ignore[arg-type]
        discrepancy=discrepancy,  # type: ignore[arg-type]
        seed=seed,
    )
    answer = {"output": str(output), **simulation_json(simulation)}
    if as_json:
        print(json.dumps(answer | options.process_cost(), allow_nan=False))
    _write(simulation, output)
    if not as_json:
        number = len(simulation.ladder.runs)
        print(visible(f"{output}: {number} runs in {RUNS}, their tasks in {TASKS}, {TRUTH}"))


def _sizes(option: str, text: str) -> list[tuple[float, float]]:
    """The pairs of params:tokens."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    try:
        pairs = [tuple(map(float, word.split(":"))) for word in words]
        return [(n, d) for n, d in pairs]
    except ValueError:
        raise SettingError(
            option,
            rule="must be params:tokens, separated by commas",
            got=repr(text),
            way_out="such as 1e9:2e10,3e9:6e10",
        ) from None


def simulation_json(simulation: Simulation) -> dict[str, Any]:
    """The truth: the series in their order, and each parameter with one value per series.

    Parameters
    ----------
    simulation
        Simulated ladder and its truth.
    """
    ladder = simulation.ladder
    return {
        "law": ladder.law,
        "link": ladder.link,
        "runs": len(ladder.runs),
        "series": [[corpus, task] for corpus in ladder.corpora for task in ladder.tasks],
        "loss_truth": {name: v.tolist() for name, v in simulation.loss_truth.items()},
        "accuracy_truth": {name: v.tolist() for name, v in simulation.accuracy_truth.items()},
    }


def _write(simulation: Simulation, folder: Path) -> None:
    """Write the three files, each whole or not at all."""
    if not folder.is_dir():
        check_folder(folder)
        try:
            folder.mkdir()
        except OSError as error:
            raise FileError(
                f"folder {str(folder)!r}",
                rule="must be one that can be made",
                got=str(error.strerror),
                way_out="name another folder",
            ) from error
    with atomic_write(folder / RUNS) as temporary:
        simulation.ladder.frame.to_csv(temporary, index=False)
    with atomic_write(folder / TASKS) as temporary:
        simulation.ladder.task_table.reset_index().to_csv(temporary, index=False)
    with atomic_write(folder / TRUTH) as temporary:
        temporary.write_text(json.dumps(simulation_json(simulation), indent=1) + "\n")
