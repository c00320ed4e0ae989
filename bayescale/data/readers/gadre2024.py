"""read_gadre: the 104 over-trained models of Gadre et al. 2024 (arXiv 2403.08540).

Three corpora, read from the JSON files that the authors released.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from bayescale.data.ladder import Ladder
from bayescale.data.readers.fields import (
    number_columns,
    pick_list,
    pick_mapping,
    pick_number,
    pick_text,
)
from bayescale.data.readers.parse import list_files, pick, read_json, read_table, require_folder
from bayescale.data.readers.wide import ACCURACY, LOSS, tidy
from bayescale.data.target import Conventions
from bayescale.errors import FileError

# The authors' name of each corpus, and ours.
CORPORA = {"c4_original": "c4", "rpj": "redpajama", "rw_original": "refinedweb"}

# A model's configuration file and the paper's name for its size.
SIZES = {
    "d=96_l=8_h=4": "11M",
    "d=512_l=8_h=4": "79M",
    "d=576_l=24_h=8": "154M",
    "d=1024_l=24_h=8": "411M",
    "open_lm_1b": "1.4B",
    "open_lm_7b": "6.9B",
}

# The folder of each validation set and the name of its loss. The first one, c4, is the loss that
# the paper's laws describe.
LOSSES = {
    "c4_val": "c4",
    "openlm": "openlm",
    "paloma_c4_en": "paloma_c4_en",
    "paloma_falcon-refinedweb": "paloma_falcon_refinedweb",
    "paloma_redpajama": "paloma_redpajama",
    "paloma_ptb": "paloma_ptb",
    "paloma_dolma_100_programing_languages": "paloma_programming_languages",
    "de-en": "de_en",
}

# The tasks of the paper's smaller average. Checked on all 104 models: the mean of their errors is
# the paper's smaller average to the last digit.
TASKS_17 = (
    "arc_easy",
    "bigbench_cs_algorithms",
    "bigbench_dyck_languages",
    "bigbench_novel_concepts",
    "bigbench_operators",
    "bigbench_qa_wikidata",
    "boolq",
    "commonsense_qa",
    "copa",
    "coqa",
    "hellaswag",
    "hellaswag_zeroshot",
    "lambada_openai",
    "piqa",
    "pubmed_qa_labeled",
    "squad",
    "winograd",
)
AVERAGES = ("average17", "average46")

# Corrections of the authors' metadata. They give arc_challenge the 2376 items of arc_easy; but only
# with 1172 items is every accuracy a whole number of right answers. They give commonsense_qa a
# chance of 25 %; but its questions have five choices.
ITEMS = {"arc_challenge": 1172}
CHANCE = {"commonsense_qa": 0.2}

CONVENTIONS = Conventions(
    params="with embeddings",
    tokenizer="GPT-NeoX",
    loss_units=dict.fromkeys(LOSSES.values(), "nats/token"),
)


def read_gadre(folder: str | Path) -> Ladder:
    """All 104 models of Gadre et al. 2024 as one ladder, from the authors' files.

    The ladder has 8 losses, 46 tasks, and the two averages over tasks that the paper forecasts.

    Parameters
    ----------
    folder
        The folder ``exp_data`` of the authors' repository, with ``models/*.json``,
        ``evals/*.json`` and ``eval_metadata.csv``.

    Returns
    -------
    Ladder
        One row per (run, task), sorted by corpus, size and tokens.

    Raises
    ------
    FileError
        For a file that is missing or of another format.
    """
    home = require_folder(folder)
    wide = pd.DataFrame(
        [_read_run(path, home / "evals") for path in list_files(home / "models", "*.json")]
    )
    wide["corpus"] = pd.Categorical(wide["corpus"], list(CORPORA.values()))
    wide = wide.sort_values(["corpus", "params", "tokens"], ignore_index=True).astype(
        {"corpus": str}
    )
    names = [name.removeprefix(ACCURACY) for name in wide.columns if name.startswith(ACCURACY)]
    scores = wide[[ACCURACY + name for name in names]].set_axis(names, axis="columns")
    # A model that lacks a task has no average: a mean over fewer tasks would be another average.
    averages = {
        ACCURACY + "average17": scores[list(TASKS_17)].mean(axis="columns", skipna=False),
        ACCURACY + "average46": scores.mean(axis="columns", skipna=False),
    }
    return gadre_ladder(wide.assign(**averages), _task_table(home / "eval_metadata.csv", names))


def gadre_ladder(wide: pd.DataFrame, tasks: pd.DataFrame) -> Ladder:
    """The ladder of a wide table, with this paper's law, link and conventions.

    Parameters
    ----------
    wide
        One row per run, with the columns that `bayescale.data.readers.wide.tidy` takes.
    tasks
        Columns ``task``, ``loss_name``, ``chance``, ``items``: the tasks and declared series to
        take, in this order.

    Returns
    -------
    Ladder
        One row per (run, task).
    """
    return Ladder.from_frame(
        tidy(wide, tasks),
        tasks=tasks,
        conventions=CONVENTIONS,
        law="gadre",
        link="exponential",
        name="gadre2024",
        source="Gadre et al. 2024, arXiv 2403.08540; repository mlfoundations/scaling (MIT)",
    )


def _read_run(path: Path, evals: Path) -> dict[str, object]:
    """The row of one model in the wide table, from its file and its evaluation."""
    model = read_json(path)
    params = pick_number(model, "hyperparameters", "params", path=path)
    tokens = pick_number(model, "hyperparameters", "tokens", path=path)
    if min(params, tokens) < 1:
        raise FileError(
            f"file {str(path)!r}",
            rule="must hold 1 or more parameters and tokens",
            got=f"{params:g} parameters and {tokens:g} tokens",
            way_out="fetch it again",
        )
    corpus = pick(CORPORA, pick_text(model, "dataset_name", path=path), path=path)
    configuration = PurePosixPath(pick_text(model, "hyperparameters", "model", path=path)).name
    size = pick(SIZES, configuration.removesuffix(".json"), path=path)
    multiplier = round(tokens / params)
    of_run = {
        "run": f"{corpus}-{size}-M{multiplier}",
        "corpus": corpus,
        "params": params,
        "tokens": tokens,
        "role": _role(size, multiplier),
    }
    evaluation = evals / f"evaluation_{path.stem}_heavy.json"
    scores = pick_mapping(read_json(evaluation), "eval_metrics", "icl", path=evaluation)
    accuracies = {
        ACCURACY + task: pick_number(scores, task, path=evaluation)
        for task in dict.fromkeys((*scores, *TASKS_17))
    }
    return of_run | _losses(model, path) | accuracies


def _role(size: str, multiplier: int) -> str:
    """The run's role in the paper's default fit (its table 2).

    Per corpus, 5 runs fit the law, one more run only the link, and the rest is unseen.
    """
    if multiplier == 20 and size in ("11M", "79M", "154M", "411M"):
        return "fit"
    if multiplier == 320 and size == "11M":
        return "fit"
    if multiplier == 20 and size == "1.4B":
        return "link"
    return "target" if size in ("1.4B", "6.9B") else "held_out"


def _losses(model: dict[str, Any], path: Path) -> dict[str, float]:
    """The columns ``loss:NAME`` of one model, in the order of `LOSSES`."""
    losses = {}
    for result in pick_list(model, "results", path=path):
        folder = PurePosixPath(pick_text(result, "val_data", 0, path=path)).parent.name
        losses[LOSS + pick(LOSSES, folder, path=path)] = pick_number(result, "loss", path=path)
    return {LOSS + name: pick(losses, LOSS + name, path=path) for name in LOSSES.values()}


def _task_table(path: Path, names: list[str]) -> pd.DataFrame:
    """Columns task, loss_name, chance, items: the averages, the tasks, then the declared series."""
    columns = ["Eval Task", "#datapoints", "Random baseline"]
    metadata = read_table(path, text=["Eval Task"], needed=columns)
    repeated = metadata["Eval Task"][metadata["Eval Task"].duplicated()]
    if len(repeated):
        raise FileError(
            f"file {str(path)!r}",
            rule="must have one row for each task",
            got=f"task {repeated.iloc[0]!r} twice",
            way_out="drop one",
        )
    numbers = number_columns(metadata, columns[1:], path).set_index(metadata["Eval Task"])
    chance = numbers["Random baseline"] / 100
    table = pd.DataFrame({"chance": chance, "items": numbers["#datapoints"]}).reindex(names)
    table["chance"] = pd.Series(CHANCE).combine_first(table["chance"])
    table["items"] = pd.Series(ITEMS).combine_first(table["items"])
    for task, of_task in table.iterrows():
        if not (of_task["chance"] >= 0 and of_task["items"] >= 1):
            raise FileError(
                f"file {str(path)!r}",
                rule=f"must hold the baseline and 1 or more datapoints of task {task!r}",
                got=f"{of_task['chance']:g} and {of_task['items']:g} (nan where there are none)",
                way_out="fetch it again",
            )
    averages = pd.DataFrame(
        {"average17": _average(table.loc[list(TASKS_17)]), "average46": _average(table)}
    ).T
    declared = pd.DataFrame(index=pd.Index(LOSSES.values()), columns=table.columns, dtype=float)
    table = pd.concat([averages, table, declared])
    loss_names = [name if name in declared.index else "c4" for name in table.index]
    return table.assign(loss_name=loss_names).rename_axis("task").reset_index()


def _average(tasks: pd.DataFrame) -> pd.Series:
    """Chance and items of the mean score over k tasks: the items are k^2 / sum(1/items).

    Where every task has the same p (1 - p), the mean of k independent scores has the variance
    p (1 - p) sum(1/items) / k^2. One task of k^2 / sum(1/items) items has the same variance.
    """
    return pd.Series(
        {"chance": tasks["chance"].mean(), "items": len(tasks) ** 2 / (1 / tasks["items"]).sum()}
    )
