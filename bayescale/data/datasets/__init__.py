"""load_dataset: the embedded data sets, tables of published figures.

The ``.md`` file of each data set has its source and its licence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from bayescale.data.datasets.released import read_embedded
from bayescale.data.ladder import Ladder
from bayescale.data.names import suggested
from bayescale.data.readers.gadre2024 import AVERAGES, gadre_ladder
from bayescale.data.readers.ladder2024 import OWN_TASKS, checkpoint_ladder
from bayescale.errors import SettingError
from bayescale.validation import require_choice


@dataclass(frozen=True)
class _Dataset:
    """How a wide table becomes a ladder, and the tasks and series that the paper itself uses."""

    build: Callable[[pd.DataFrame, pd.DataFrame], Ladder]
    own: tuple[str, ...]


_DATASETS = {
    "ladder2024": _Dataset(build=checkpoint_ladder, own=(*OWN_TASKS, "c4")),
    "gadre2024": _Dataset(build=gadre_ladder, own=AVERAGES),
}
DATASETS = tuple(_DATASETS)


def load_dataset(name: str, *, tasks: str | Sequence[str] | None = None) -> Ladder:
    """An embedded data set as a ladder, always with all its runs and their roles.

    Parameters
    ----------
    name
        ``ladder2024`` (Bhagia et al. 2024: 30 runs, 2 targets) or ``gadre2024`` (Gadre et al. 2024:
        104 runs on 3 corpora).
    tasks
        None for the paper's own tasks: for ``ladder2024`` its 8 tasks and the declared series
        ``c4``, for ``gadre2024`` the averages over 17 and 46 tasks. ``"all"`` for everything.
        Otherwise names of tasks and declared series; a series named here is declared even where no
        task needs it.

    Returns
    -------
    Ladder
        All runs, with these tasks and series in the order asked for.

    Raises
    ------
    SettingError
        For an unknown data set, an unknown task, or an empty list of tasks.

    Examples
    --------
    >>> load_dataset("ladder2024", tasks=["mmlu", "c4"]).loss_names
    ['mmlu', 'c4']
    """
    require_choice(f"data set {name!r}", name, DATASETS, "fix the name, or read your own table")
    dataset = _DATASETS[name]
    table = read_embedded(f"{name}_tasks.csv")
    chosen = _choose(dataset.own if tasks is None else tasks, list(table["task"]), name)
    task_table = table.set_index("task").loc[chosen].reset_index()
    return dataset.build(read_embedded(f"{name}_runs.csv"), task_table)


def _choose(tasks: str | Sequence[str], known: list[str], dataset: str) -> list[str]:
    """The tasks and series asked for, each once; a SettingError for an unknown one."""
    if isinstance(tasks, str):
        return known if tasks == "all" else _choose([tasks], known, dataset)
    if not len(tasks):
        raise SettingError(
            "tasks",
            rule="must name at least one task or loss series",
            got="an empty list",
            way_out="leave it out for the paper's own set",
        )
    for task in tasks:
        if task not in known:
            raise SettingError(
                f"task {task!r}",
                rule=f"must be a task or a loss series of {dataset}",
                got=repr(task),
                way_out=f"use {suggested(task, known)}",
            )
    return list(dict.fromkeys(tasks))
