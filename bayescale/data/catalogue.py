"""task_catalogue and fill_tasks: chance and items of known benchmarks, each with its source.

The table is ``catalogue.csv``. A chance or a number of items is empty where public sources differ;
the source of the row then says how.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd
from pandas.api.types import is_scalar

from bayescale.checks import Check

FACTS = ("chance", "items")
# A stated chance this far from the catalogue's contradicts it. Rounding 1/3 to 0.33 does not.
CHANCE_TOLERANCE = 0.005

# The ending of a name that says how many examples the prompt has, such as "_5shot", "_zeroshot" or
# " (5-shot)".
_SHOTS = re.compile(r"_?\(?(\d+|zero|few)_?shots?\)?$")


def task_catalogue() -> pd.DataFrame:
    """Known benchmarks: one row for each, with chance, items, split, usual metric and source.

    Returns
    -------
    DataFrame
        Columns ``aliases`` (separated by ``|``), ``chance``, ``items``, ``split`` (which split has
        that many items), ``metric`` and ``source``, indexed by task. A chance or a number of items
        is nan where public sources differ, and ``source`` says how.

    Examples
    --------
    >>> "chance {chance}, {items:.0f} items".format(**task_catalogue().loc["arc_challenge"])
    'chance 0.25, 1172 items'
    """
    return _table().copy()


def find_task(name: str) -> str | None:
    """The catalogue's name of a benchmark, from that name or an alias of it.

    Case does not matter, nor do hyphens, spaces and underscores. The number of examples in the
    prompt (``hellaswag_5shot``) and the prefixes of evaluation harnesses (``leaderboard_``,
    ``harness|arc:challenge|25``) are left out. A split or a subsample in the name is not, because
    it has other items.

    Parameters
    ----------
    name
        A task's name, as a user or a harness writes it.

    Returns
    -------
    str or None
        The row of `task_catalogue`; None for an unknown name.

    Examples
    --------
    >>> find_task("ARC-Challenge"), find_task("mmlu_5shot"), find_task("my_task")
    ('arc_challenge', 'mmlu', None)
    """
    known = _tasks_by_name()
    # "harness|arc:challenge|25" is a suite, a task and a number of examples.
    parts = name.split("|")
    whole = _plain(parts[1] if len(parts) > 1 else name)
    short = _SHOTS.sub("", whole.removeprefix("leaderboard_"))
    return known.get(whole, known.get(short))


def fill_tasks(
    names: Sequence[str], stated: pd.DataFrame | None
) -> tuple[pd.DataFrame, list[Check]]:
    """The task table of these tasks: what the user states, and the catalogue's facts for the rest.

    Parameters
    ----------
    names
        Tasks that need a chance and items.
    stated
        The user's task table, or None. Its values win. A cell may be empty, and the columns
        ``chance`` and ``items`` may be missing.

    Returns
    -------
    table : DataFrame
        Columns ``task``, ``chance``, ``items``: every row of `stated`, then a row for each other
        name that the catalogue knows. Nothing is checked: `bayescale.data.schema.parse_tasks` does
        that, and it names the tasks that neither side describes.
    checks : list of Check
        One row with status ``pass`` for each task with a value of the catalogue. One with status
        ``warn`` for each stated chance that contradicts the catalogue, its ``value`` the stated
        chance and its ``limit`` the catalogue's, and for each task for which the catalogue has no
        value because public sources differ.
    """
    columns = ["task", *FACTS]
    stated = pd.DataFrame(columns=columns) if stated is None else stated
    if "task" not in stated.columns or not stated.columns.is_unique:
        return stated, []
    needed = dict.fromkeys(map(str, names))
    rows = stated.reindex(columns=columns).to_dict("records")
    described = {str(row["task"]) for row in rows}
    rows += [
        {"task": name, "chance": np.nan, "items": np.nan}
        for name in needed
        if name not in described and find_task(name) is not None
    ]
    checks: list[Check] = []
    for row in rows:
        task = find_task(str(row["task"])) if str(row["task"]) in needed else None
        if task is not None:
            checks += _fill(row, task)
    return pd.DataFrame(rows, columns=columns), checks


def _fill(row: dict[Hashable, object], task: str) -> list[Check]:
    """Fill the empty cells of a row of the task table; what the user is told about the row."""
    known = _table().loc[task]
    empty = [fact for fact in FACTS if is_scalar(row[fact]) and pd.isna(row[fact])]
    taken = {fact: float(known[fact]) for fact in empty if pd.notna(known[fact])}
    lacking = [fact for fact in empty if fact not in taken]
    checks = [_contradiction(row["task"], row["chance"], task, float(known["chance"]))]
    checks += [_taken(row["task"], task, taken)] if taken else []
    checks += [_lacking(row["task"], lacking, str(known["source"]))] if lacking else []
    row.update(taken)
    return [check for check in checks if check is not None]


def _taken(name: object, task: str, taken: dict[str, float]) -> Check:
    """The row that says which values are the catalogue's."""
    facts = [f"chance {taken['chance']:.4g}"] if "chance" in taken else []
    facts += [f"{taken['items']:.0f} items"] if "items" in taken else []
    verb = "are" if "items" in taken else "is"
    also = "" if name == task else f" (as {task})"
    return Check(
        check=f"task catalogue: {name}",
        status="pass",
        value=np.nan,
        limit=np.nan,
        advice=f"{' and '.join(facts)} of {name}{also} {verb} the catalogue's",
    )


def _lacking(name: object, lacking: list[str], source: str) -> Check:
    """The warning that the catalogue has no value, because public sources differ."""
    facts = " and ".join(lacking)
    return Check(
        check=f"task catalogue: {facts} of {name}",
        status="warn",
        value=np.nan,
        limit=np.nan,
        advice=f"the catalogue has no {facts} of {name} ({source}): state it in the task table",
    )


def _contradiction(name: object, stated: object, task: str, known: float) -> Check | None:
    """A warning where a stated chance contradicts the catalogue's."""
    # What is no chance at all is the business of `parse_tasks`. Nothing contradicts a `known` nan.
    if not (isinstance(stated, int | float | np.integer | np.floating) and 0 <= stated < 1):
        return None
    if not abs(stated - known) > CHANCE_TOLERANCE:
        return None
    return Check(
        check=f"chance of {name}",
        status="warn",
        value=float(stated),
        limit=known,
        advice=(
            f"the stated chance {float(stated):.4g} of {name} is used, but the catalogue says "
            f"{known:.4g} for {task}: check the number of choices"
        ),
    )


@cache
def _table() -> pd.DataFrame:
    """The table of the file, indexed by task; an empty alias is an empty text."""
    with files("bayescale.data").joinpath("catalogue.csv").open(encoding="utf-8") as stream:
        table = pd.read_csv(stream, keep_default_na=False, na_values={f: [""] for f in FACTS})
    return table.astype(dict.fromkeys(FACTS, float)).set_index("task")


@cache
def _tasks_by_name() -> dict[str, str]:
    """The task of every name and alias, each as `_plain` writes it."""
    return {
        _plain(name): task
        for task, aliases in _table()["aliases"].items()
        for name in (task, *aliases.split("|"))
        if name
    }


def _plain(name: str) -> str:
    """The name in lower case, with one underscore for hyphens, spaces and underscores."""
    return re.sub(r"[\s_-]+", "_", name.strip().lower())
