"""read_checkpoints: the OLMo ladder of Bhagia et al. 2024 (arXiv 2412.04403) and its two targets.

Read from the checkpoint files that the authors released.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.data.ladder import Ladder
from bayescale.data.readers.fields import number_columns
from bayescale.data.readers.parse import read_table, require_folder
from bayescale.data.readers.wide import ACCURACY, LOSS, tidy
from bayescale.data.target import Conventions
from bayescale.errors import FileError

# Parameters (output head counted, input embedding not) and training FLOPs per token of each size:
# MODEL_PARAMS and MODEL_GFLOPS in the authors' ladder.py.
SIZES = {
    "190M": (190_354_176, 1.903391232e9),
    "370M": (371_262_464, 3.443922944e9),
    "760M": (758_220_288, 6.373843968e9),
    "1B": (1_279_395_840, 10.109071360e9),
    "3B": (3_169_537_280, 22.970355200e9),
    "7B": (6_887_575_552, 49.412071424e9),
    "13B": (13_202_396_160, 91.335915520e9),
}
LADDER_SIZES = ("190M", "370M", "760M", "1B", "3B")
# Length of training; 1xC is 20 tokens per parameter.
LENGTHS = ("0.5xC", "1xC", "1xC-rerun", "2xC", "5xC", "10xC")
# The runs that the paper fits.
FIT_SIZES = LADDER_SIZES[:4]
FIT_LENGTHS = ("1xC", "2xC", "5xC", "10xC")

# Size and file of each target. The other peteish files are left out: they hold checkpoints on the
# way to these two targets, and of a 7B run at another learning rate. Those checkpoints stand in the
# middle of a schedule, files repeat each other's rows, and most of them belong to the targets' own
# training, which no fit may see.
TARGETS = {"7B-4T": ("7B", "peteish7_eval_anneal"), "13B-5T": ("13B", "peteish13_eval_final")}

# The mean of this many last checkpoints is a run's final value, as in the paper. The 7B file has
# only one checkpoint.
LAST = 5

# The subtasks of each task, split included, and their weights, as in the paper. The weights of MMLU
# are shares of its items.
SUBTASKS: Mapping[str, Mapping[str, float]] = {
    "mmlu": {
        "mmlu_stem_test": 0.215,
        "mmlu_humanities_test": 0.335,
        "mmlu_social_sciences_test": 0.219,
        "mmlu_other_test": 0.231,
    },
    "hellaswag": {"hellaswag_val": 1.0},
    "arc_challenge": {"arc_challenge_test": 1.0},
    "arc_easy": {"arc_easy_test": 1.0},
    "piqa": {"piqa_val": 1.0},
    "csqa": {"csqa_val": 1.0},
    "socialiqa": {"socialiqa_val": 1.0},
    "openbookqa": {"openbookqa_test": 1.0},
    "boolq": {"boolq_val": 1.0},
    "winogrande": {"winogrande_val": 1.0},
}
# The paper forecasts these eight tasks; boolq and winogrande are in its files only.
OWN_TASKS = tuple(SUBTASKS)[:8]

# Chance and items of each task. Chance is one over the number of choices; items is the number with
# which every accuracy is a whole number of right answers.
FACTS = {
    "mmlu": (0.25, 14042),
    "hellaswag": (0.25, 10042),
    "arc_challenge": (0.25, 1172),
    "arc_easy": (0.25, 2376),
    "piqa": (0.5, 1838),
    "csqa": (0.2, 1221),
    "socialiqa": (1 / 3, 1954),
    "openbookqa": (0.25, 500),
    "boolq": (0.5, 3270),
    "winogrande": (0.5, 1267),
}

# Ending of the loss series that holds a task's cross-entropy over the choices.
CROSS_ENTROPY = "_ce"
_UNITS = (
    {"c4": "nats/token"}
    | dict.fromkeys(SUBTASKS, "bits/byte")
    | {task + CROSS_ENTROPY: "nats" for task in SUBTASKS}
)
CONVENTIONS = Conventions(
    params="all but the input embedding", tokenizer="dolma2", loss_units=_UNITS
)

# Column of the files that holds the C4 loss.
_C4 = "eval/c4_en-validation/CrossEntropyLoss"


def read_checkpoints(folder: str | Path, *, every: bool = False) -> Ladder:
    """The 30 runs and the two targets of Bhagia et al. 2024 as one ladder, from the authors' files.

    The loss of a task is the bits per byte of its right answers, 5-shot. The accuracy of a task
    ranks the answers by likelihood. ``c4`` is a declared series.

    Parameters
    ----------
    folder
        A folder with one CSV file per run and one row per checkpoint, as in the authors'
        repository.
    every
        False: each run is one row per task, the mean of its last 5 checkpoints. True: one row per
        (run, task, step), and for each task one more declared series, ``TASK_ce``, the
        cross-entropy over the task's choices in nats.

    Returns
    -------
    Ladder
        The ladder's runs, then the two targets.

    Raises
    ------
    FileError
        For a file that is missing or of another format.
    """
    home = require_folder(folder)
    runs = [
        _read_run(
            home / f"{size}-{length}.csv",
            name=f"{size}-{length}",
            size=size,
            role=_role(size, length),
            every=every,
        )
        for size in LADDER_SIZES
        for length in LENGTHS
    ]
    runs += [
        _read_run(home / f"{file}.csv", name=name, size=size, role="target", every=every)
        for name, (size, file) in TARGETS.items()
    ]
    facts = [(task, task, *FACTS[task]) for task in SUBTASKS] + [("c4", "c4", None, None)]
    if every:
        declared = [task + CROSS_ENTROPY for task in SUBTASKS]
        facts += [(series, series, None, None) for series in declared]
    tasks = pd.DataFrame(facts, columns=["task", "loss_name", "chance", "items"])
    return checkpoint_ladder(pd.concat(runs, ignore_index=True), tasks)


def checkpoint_ladder(wide: pd.DataFrame, tasks: pd.DataFrame) -> Ladder:
    """The ladder of a wide table, with this paper's law, link and conventions.

    Parameters
    ----------
    wide
        One row per run (or per checkpoint), with the columns that
        `bayescale.data.readers.wide.tidy` takes.
    tasks
        Columns ``task``, ``loss_name``, ``chance``, ``items``: the tasks and declared series to
        take, in this order.

    Returns
    -------
    Ladder
        One row per (run, task), or per (run, task, step).
    """
    return Ladder.from_frame(
        tidy(wide, tasks),
        tasks=tasks,
        conventions=CONVENTIONS,
        law="skaling",
        link="logistic",
        name="ladder2024",
        source="Bhagia et al. 2024, arXiv 2412.04403; repository allenai/OLMo-ladder (Apache-2.0)",
    )


def _role(size: str, length: str) -> str:
    """The role of a run of the ladder in the paper's fits."""
    return "fit" if size in FIT_SIZES and length in FIT_LENGTHS else "held_out"


def _read_run(path: Path, *, name: str, size: str, role: str, every: bool) -> pd.DataFrame:
    """The wide table of one run: one row per checkpoint, or the mean of the last ones."""
    weights = _weights(every)
    needed = [column for subtasks in weights.values() for column in subtasks]
    # Text times a number is the text, repeated: every cell that is computed with is a number.
    table = _with_numbers(read_table(path, needed=[_C4, *needed]), [_C4, *needed], path)
    figures = pd.DataFrame(
        {
            figure: sum(weight * table[column] for column, weight in subtasks.items())
            for figure, subtasks in weights.items()
        }
    )
    figures = figures.assign(**{LOSS + "c4": table[_C4]})
    tokens = _tokens(table)
    params, flops_per_token = SIZES[size]
    of_run = {
        "run": name,
        "corpus": "olmo-mix",
        "params": float(params),
        "tokens": tokens,
        "flops": flops_per_token * tokens,
        "role": role,
    }
    if every:
        step = table["_step"] if "_step" in table else np.arange(len(table))
        return figures.assign(**of_run, step=step)
    return figures.tail(LAST).mean().to_frame().T.assign(**of_run)


def _weights(every: bool) -> dict[str, dict[str, float]]:
    """For each loss and accuracy of the wide table, the columns of a file and their weights."""
    weights = {}
    for task, subtasks in SUBTASKS.items():
        # Likelihoods are divided by the answer's length, except where the answer is yes or no.
        score = "acc" if task == "boolq" else "len_norm"
        weights[LOSS + task] = {
            f"eval/downstream_bpb/{subtask}_rc_5shot_bpb": weight
            for subtask, weight in subtasks.items()
        }
        weights[ACCURACY + task] = {
            f"eval/downstream/{subtask}_rc_5shot_{score}": weight
            for subtask, weight in subtasks.items()
        }
        if every:
            # The files hold the negative of the cross-entropy.
            weights[LOSS + task + CROSS_ENTROPY] = {
                f"eval/downstream_soft_log/{subtask}_rc_5shot_soft_log": -weight
                for subtask, weight in subtasks.items()
            }
    return weights


def _with_numbers(table: pd.DataFrame, needed: list[str], path: Path) -> pd.DataFrame:
    """The needed columns of a file and those that count its tokens, as floats."""
    if table.empty:
        raise FileError(
            f"file {str(path)!r}",
            rule="must have at least one row",
            got="a header only",
            way_out="check that it was written to its end",
        )
    counts = ["_step", "batch_size_in_tokens"] if "_step" in table else ["throughput/total_tokens"]
    return number_columns(table, [*needed, *counts], path)


def _tokens(table: pd.DataFrame) -> float:
    """Training tokens of a run: steps times tokens per batch, or the file's own total."""
    end = table.iloc[-1]
    if "_step" in table:
        return float(end["_step"] * end["batch_size_in_tokens"])
    return float(end["throughput/total_tokens"])
