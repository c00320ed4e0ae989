"""Gadre et al. 2024 (arXiv 2403.08540): 104 over-trained models on three corpora, from the JSON
files that the authors released.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from bayescale.data.ladder import Ladder
from bayescale.data.readers.parse import list_files, pick, read_json, read_table, require_folder
from bayescale.data.readers.wide import ACCURACY, LOSS, tidy
from bayescale.data.target import Conventions

CORPORA = {"c4_original": "c4", "rpj": "redpajama", "rw_original": "refinedweb"}

# A model's configuration and the size that the paper calls it by.
SIZES = {
    "d=96_l=8_h=4": "11M",
    "d=512_l=8_h=4": "79M",
    "d=576_l=24_h=8": "154M",
    "d=1024_l=24_h=8": "411M",
    "open_lm_1b": "1.4B",
    "open_lm_7b": "6.9B",
}

# The folder of each validation set and the name of its loss; c4, first, is the loss that the
# paper's laws are about.
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

# The tasks of the paper's smaller average, listed as a fact: in all 104 models the mean of their
# errors is its smaller average to the last digit.
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

# the metadata repeat arc_easy's 2376; only 1172 makes every accuracy a whole number of right
# answers
ITEMS = {"arc_challenge": 1172}
CHANCE = {"commonsense_qa": 0.2}  # the metadata say 25 %, but its questions have five choices

CONVENTIONS = Conventions(
    params="with embeddings",
    tokenizer="GPT-NeoX",
    loss_units=dict.fromkeys(LOSSES.values(), "nats/token"),
)


def read_gadre(folder: str | Path) -> Ladder:
    """All 104 models as one ladder: 8 losses, 46 tasks, and the two averages over tasks that the
    paper forecasts.

    Parameters
    ----------
    folder
        Holds ``models/*.json``, ``evals/*.json`` and ``eval_metadata.csv``, as ``exp_data`` of the
        authors' repository does.

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
    groups = {"average17": scores[list(TASKS_17)], "average46": scores}
    # a mean over fewer tasks is another average
    averages = {
        ACCURACY + name: group.mean(axis="columns", skipna=False) for name, group in groups.items()
    }
    return gadre_ladder(wide.assign(**averages), _task_table(home / "eval_metadata.csv", names))


def gadre_ladder(wide: pd.DataFrame, tasks: pd.DataFrame) -> Ladder:
    """The ladder of a wide table (see `tidy`), with this paper's law, link and conventions."""
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
    model = read_json(path)
    evaluation = evals / f"evaluation_{path.stem}_heavy.json"
    params, tokens = (
        float(pick(model, "hyperparameters", key, path=path)) for key in ("params", "tokens")
    )
    corpus = pick(CORPORA, pick(model, "dataset_name", path=path), path=path)
    size = pick(
        SIZES,
        PurePosixPath(pick(model, "hyperparameters", "model", path=path)).name.removesuffix(
            ".json"
        ),
        path=path,
    )
    multiplier = round(tokens / params)
    own = {
        "run": f"{corpus}-{size}-M{multiplier}",
        "corpus": corpus,
        "params": params,
        "tokens": tokens,
        "role": _role(size, multiplier),
    }
    scores = pick(read_json(evaluation), "eval_metrics", "icl", path=evaluation)
    needed = {ACCURACY + task: float(pick(scores, task, path=evaluation)) for task in TASKS_17}
    return (
        own
        | _losses(model, path)
        | {ACCURACY + task: float(score) for task, score in scores.items()}
        | needed
    )


def _role(size: str, multiplier: int) -> str:
    """The run's part in the paper's default fit (its table 2): 5 runs a corpus for the law, one
    more for the link, the rest unseen.
    """
    if (multiplier == 20 and size in ("11M", "79M", "154M", "411M")) or (
        multiplier == 320 and size == "11M"
    ):
        return "fit"
    if multiplier == 20 and size == "1.4B":
        return "link"
    return "target" if size in ("1.4B", "6.9B") else "held_out"


def _losses(model: Mapping[str, object], path: Path) -> dict[str, float]:
    found = {}
    for result in pick(model, "results", path=path):
        folder = PurePosixPath(pick(result, "val_data", 0, path=path)).parent.name
        found[LOSS + pick(LOSSES, folder, path=path)] = float(pick(result, "loss", path=path))
    return {LOSS + name: pick(found, LOSS + name, path=path) for name in LOSSES.values()}


def _task_table(path: Path, names: list[str]) -> pd.DataFrame:
    """task, loss_name, chance, items: the averages, the tasks, then the losses as declared
    series.
    """
    about = read_table(
        path, text=["Eval Task"], needed=["Eval Task", "#datapoints", "Random baseline"]
    ).set_index("Eval Task")
    table = pd.DataFrame(
        {"chance": about["Random baseline"] / 100, "items": about["#datapoints"].astype(float)}
    ).reindex(names)
    table["chance"] = pd.Series(CHANCE).combine_first(table["chance"])
    table["items"] = pd.Series(ITEMS).combine_first(table["items"])
    averages = pd.DataFrame(
        {"average17": _average(table.loc[list(TASKS_17)]), "average46": _average(table)}
    ).T
    declared = pd.DataFrame(index=pd.Index(LOSSES.values()), columns=table.columns, dtype=float)
    table = pd.concat([averages, table, declared])
    loss_names = [name if name in declared.index else "c4" for name in table.index]
    return table.assign(loss_name=loss_names).rename_axis("task").reset_index()


def _average(tasks: pd.DataFrame) -> pd.Series:
    """Chance and items of the mean score over k tasks.

    Where every task has the same p (1 - p), the mean of k independent scores has variance p (1 - p)
    sum(1/items) / k^2, which is that of one task of k^2 / sum(1/items) items.
    """
    return pd.Series(
        {"chance": tasks["chance"].mean(), "items": len(tasks) ** 2 / (1 / tasks["items"]).sum()}
    )
