"""The public sweeps of runs on which the discrepancy is judged.

The tables are read from the folder of public result files, which is not part of the project. Only
runs that may be fitted have the role ``fit``.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from bayescale import Ladder, load_dataset, read_gadre

# Gadre's runs at M = 5 lie 5 to 15 % off any law
MIN_MULTIPLIER = 7.0
GADRE_TASKS = [
    "arc_easy",
    "hellaswag",
    "lambada_openai",
    "piqa",
    "copa",
    "winograd",
    "bigbench_qa_wikidata",
    "squad",
]
# the runs with the highest losses, which Epoch AI drops too
CHINCHILLA_LEFT_OUT = 5


def sweeps(data: Path) -> dict[str, Ladder]:
    """One ladder of validation losses per family.

    The families are the 2024 ladder's C4 loss, Gadre's three corpora, Chinchilla, Farseer, and
    Muennighoff's runs of at most one epoch.
    """
    c4 = load_dataset("ladder2024").where(task=["c4"]).frame
    gadre = (
        read_gadre(data / "gadre2024" / "raw").where(loss_name=["c4"]).frame.drop_duplicates("run")
    )
    gadre = gadre[gadre["tokens"] / gadre["params"] > MIN_MULTIPLIER].assign(task="c4", role="fit")
    digitised = (
        pd.read_csv(data / "chinchilla2022" / "digitised.csv")
        .sort_values("loss")
        .iloc[:-CHINCHILLA_LEFT_OUT]
    )
    N = digitised["Model Size"]
    C = digitised["Training FLOP"]
    farseer = pd.read_csv(data / "farseer2025" / "runs.csv")
    once = pd.read_csv(data / "muennighoff2023" / "runs.csv").query("epochs <= 1")
    tables = {
        "ladder2024": c4,
        "gadre2024": gadre,
        "chinchilla2022": _table(N, C / (6 * N), digitised["loss"]),
        "farseer2025": _table(farseer["N"], farseer["D"], farseer["loss"]).assign(
            role=np.where(farseer["role"] == "fit", "fit", "target")
        ),
        "muennighoff2023": _table(once["N"], once["D"], once["val_loss"]),
    }
    return {
        name: Ladder.from_frame(table.drop(columns="accuracy", errors="ignore"), name=name)
        for name, table in tables.items()
    }


def gadre_tasks(data: Path) -> Ladder:
    """Eight tasks of Gadre's three corpora, linked through the C4 loss, without the runs at M = 5.

    They are tasks on which runs of a few hundred million parameters do better than chance.
    """
    ladder = read_gadre(data / "gadre2024" / "raw").where(loss_name=["c4"], task=GADRE_TASKS)
    rows = ladder.frame
    rows = rows[rows["tokens"] / rows["params"] > MIN_MULTIPLIER].assign(role="fit")
    return Ladder.from_frame(
        rows,
        tasks=ladder.task_table.loc[list(GADRE_TASKS)].reset_index(),
        name="gadre2024, eight tasks",
    )


def _table(N: pd.Series, D: pd.Series, loss: pd.Series) -> pd.DataFrame:
    """A run table with one series, from parameters, tokens and losses."""
    columns = {
        "params": N.to_numpy(float),
        "tokens": D.to_numpy(float),
        "loss": loss.to_numpy(float),
    }
    return pd.DataFrame(
        {"run": [f"run-{i}" for i in range(len(N))], "task": "validation", **columns}
    )
