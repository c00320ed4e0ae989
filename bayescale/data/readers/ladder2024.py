"""Bhagia et al. 2024 (arXiv 2412.04403): the OLMo ladder and its two targets, from the checkpoint
files that the authors released.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.data.ladder import Ladder
from bayescale.data.readers.parse import read_table, require_folder
from bayescale.data.readers.wide import ACCURACY, LOSS, tidy
from bayescale.data.target import Conventions

# Parameters (output head counted, input embedding not) and training FLOPs per token: MODEL_PARAMS
# and MODEL_GFLOPS in the authors' ladder.py.
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
LENGTHS = ("0.5xC", "1xC", "1xC-rerun", "2xC", "5xC", "10xC")  # 1xC is 20 tokens a parameter
FIT_SIZES, FIT_LENGTHS = LADDER_SIZES[:4], ("1xC", "2xC", "5xC", "10xC")

# The other peteish files are left out: checkpoints on the way to these two targets, and of a 7B run
# at another learning rate. They stand in
# the middle of a schedule, repeat each other's rows, and most are the targets' own training, which
# no fit may see.
TARGETS = {"7B-4T": ("7B", "peteish7_eval_anneal"), "13B-5T": ("13B", "peteish13_eval_final")}

LAST = 5  # checkpoints whose mean is a run's final value, as in the paper; the 7B file has only one

# The parts of each task, split included, and their weights: the paper's, by items for MMLU.
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
# the paper forecasts these eight; boolq and winogrande are in its files only
OWN_TASKS = tuple(SUBTASKS)[:8]

# task: chance (one over the number of choices), items (the number that makes every accuracy a whole
# number of right answers).
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

CROSS_ENTROPY = "_ce"  # after a task's name: the loss series of its cross-entropy over the choices
_UNITS = (
    {"c4": "nats/token"}
    | dict.fromkeys(SUBTASKS, "bits/byte")
    | {task + CROSS_ENTROPY: "nats" for task in SUBTASKS}
)
CONVENTIONS = Conventions(
    params="all but the input embedding", tokenizer="dolma2", loss_units=_UNITS
)

_C4 = "eval/c4_en-validation/CrossEntropyLoss"


def read_checkpoints(folder: str | Path, *, every: bool = False) -> Ladder:
    """The ladder's 30 runs and its two targets, each at the mean of its last checkpoints, or at
    every checkpoint.

    The loss of a task is the bits per byte of its right answers, 5-shot; its accuracy ranks the
    answers by likelihood. ``c4`` is a declared series.

    Parameters
    ----------
    folder
        Holds one CSV file a run, one row a checkpoint, as the authors' repository does.
    every
        One row for each (run, task, step), and one more declared series a task, ``TASK_ce``: the
        cross-entropy over the task's choices, in nats.

    Raises
    ------
    FileError
        For a file that is missing or of another format.
    """
    home = require_folder(folder)
    files = [
        (f"{size}-{length}", size, f"{size}-{length}", _role(size, length))
        for size in LADDER_SIZES
        for length in LENGTHS
    ]
    files += [(name, size, file, "target") for name, (size, file) in TARGETS.items()]
    runs = [
        _read_run(home / f"{file}.csv", name, size, role, every) for name, size, file, role in files
    ]
    facts = [(task, task, *FACTS[task]) for task in SUBTASKS] + [("c4", "c4", None, None)]
    facts += [
        (task + CROSS_ENTROPY, task + CROSS_ENTROPY, None, None) for task in SUBTASKS if every
    ]
    tasks = pd.DataFrame(facts, columns=["task", "loss_name", "chance", "items"])
    return checkpoint_ladder(pd.concat(runs, ignore_index=True), tasks)


def checkpoint_ladder(wide: pd.DataFrame, tasks: pd.DataFrame) -> Ladder:
    """The ladder of a wide table (see `tidy`), with this paper's law, link and conventions."""
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
    return "fit" if size in FIT_SIZES and length in FIT_LENGTHS else "held_out"


def _read_run(path: Path, name: str, size: str, role: str, every: bool) -> pd.DataFrame:
    """The wide table of one run: its checkpoints, or the one row of their final mean."""
    columns = _columns(every)
    table = read_table(
        path, needed=[_C4, *(column for parts in columns.values() for column in parts)]
    )
    figures = pd.DataFrame(
        {
            target: sum(weight * table[column] for column, weight in parts.items())
            for target, parts in columns.items()
        }
    )
    figures = figures.assign(**{LOSS + "c4": table[_C4]})
    tokens = _tokens(table)
    params, flops_per_token = SIZES[size]
    own = {
        "run": name,
        "corpus": "olmo-mix",
        "params": float(params),
        "tokens": tokens,
        "flops": flops_per_token * tokens,
        "role": role,
    }
    if every:
        return figures.assign(
            **own, step=table["_step"] if "_step" in table else np.arange(len(table))
        )
    return figures.tail(LAST).mean().to_frame().T.assign(**own)


def _columns(every: bool) -> dict[str, dict[str, float]]:
    """For each loss and accuracy of the wide table, the columns of a file and their weights."""
    columns = {}
    for task, parts in SUBTASKS.items():
        # likelihoods are divided by the answer's length, but for yes and no
        score = "acc" if task == "boolq" else "len_norm"
        columns[LOSS + task] = {
            f"eval/downstream_bpb/{part}_rc_5shot_bpb": weight for part, weight in parts.items()
        }
        columns[ACCURACY + task] = {
            f"eval/downstream/{part}_rc_5shot_{score}": weight for part, weight in parts.items()
        }
        if every:
            columns[LOSS + task + CROSS_ENTROPY] = {
                f"eval/downstream_soft_log/{part}_rc_5shot_soft_log": -weight
                for part, weight in parts.items()
            }
    return columns


def _tokens(table: pd.DataFrame) -> float:
    end = table.iloc[-1]
    return float(
        end["_step"] * end["batch_size_in_tokens"]
        if "_step" in table
        else end["throughput/total_tokens"]
    )
