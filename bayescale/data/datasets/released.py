"""The CSV files that are part of the package, among them the figures of the papers' own code."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pandas as pd

from bayescale.data.readers.gadre2024 import CORPORA, SIZES

# Columns of a table of released figures.
COLUMNS = ["corpus", "series", "run", "quantity", "value"]
# The authors' names of the two averages over tasks, and ours.
_AVERAGES = {"avg": "average46", "avg_subset": "average17"}


def read_embedded(file: str) -> pd.DataFrame:
    """An embedded table, by the name of its file.

    Parameters
    ----------
    file
        File name, such as ``ladder2024_runs.csv``.

    Returns
    -------
    DataFrame
        The table; empty cells are nan.
    """
    with files("bayescale.data.datasets").joinpath(file).open(encoding="utf-8") as stream:
        return pd.read_csv(stream, keep_default_na=False, na_values=[""])


def load_released(name: str) -> pd.Series:
    """The figures that a paper's released code prints, from the embedded table.

    Parameters
    ----------
    name
        The data set: ``ladder2024`` or ``gadre2024``.

    Returns
    -------
    Series
        One value per figure, indexed by (corpus, series, run, quantity); run is empty for a
        coefficient.
    """
    table = read_embedded(f"{name}_released.csv").fillna({"run": ""})
    return table.set_index(COLUMNS[:-1])["value"]


def released_tables(published: Path) -> dict[str, pd.DataFrame]:
    """The tables of released figures of both data sets, from the output of the papers' code.

    Parameters
    ----------
    published
        A folder with the CSV files in which the output of the released code was kept.

    Returns
    -------
    dict
        A table with the columns `COLUMNS` under the name of each data set.
    """
    return {"gadre2024": _gadre(published), "ladder2024": _ladder(published)}


def _gadre(folder: Path) -> pd.DataFrame:
    """The figures of Gadre et al. 2024."""
    # The authors' code has a coefficient "eta" that is the exponent of N, which is -2 times the
    # paper's eta. Here it is called p.
    coefficients = pd.read_csv(folder / "gadre_coefficients.csv").rename(columns={"eta": "p"})
    predictions = pd.read_csv(folder / "gadre_predictions.csv")
    rows = []
    for r in coefficients.to_dict("records"):
        corpus = CORPORA[r["dataset"]]
        average = _AVERAGES[r["downstream"]]
        rows += [(corpus, "c4", "", q, r[q]) for q in ("alpha", "beta", "p", "E")]
        rows += [(corpus, average, "", q, r[q]) for q in ("k", "gamma", "eps")]
    for r in predictions.to_dict("records"):
        corpus = CORPORA[r["dataset_name"]]
        average = _AVERAGES[r["downstream"]]
        run = f"{corpus}-{SIZES[r['model_name']]}-M{round(r['tok_mult'])}"
        rows += [
            (corpus, "c4", run, "loss", r["loss_pred"]),
            (corpus, average, run, "error", r["err_pred_chain"]),
        ]
    return pd.DataFrame(rows, columns=COLUMNS).drop_duplicates(COLUMNS[:-1])


# Columns of the kept output of Bhagia et al.'s code, and our names of the quantities.
_COEFFICIENTS = {
    **{name: name for name in ("A", "B", "alpha", "beta", "E", "a", "x0", "k", "b")},
    "fA": "A of compute",
    "falpha": "alpha of compute",
    "fE": "E of compute",
}
_PREDICTIONS = {
    "loss_pred": "loss",
    "acc_step2": "accuracy, step 2",
    "acc_chain": "accuracy, chained",
    "acc_flops": "accuracy, compute",
    "acc_single": "accuracy, single step",
}
_HELD_OUT_PREDICTIONS = {"bpb_pred": "loss", "acc_pred": "accuracy, chained"}
# Endings of the authors' names of tasks, in the order in which they are taken off.
_TASK_ENDINGS = ("_5shot", "_test", "_val", "_avg")


def _ladder(folder: Path) -> pd.DataFrame:
    """The figures of Bhagia et al. 2024."""
    rows: list[tuple[object, ...]] = []
    for file, run_column, quantities in (
        ("ladder_coefficients.csv", None, _COEFFICIENTS),
        ("ladder_predictions.csv", "target", _PREDICTIONS),
        ("ladder_heldout_predictions.csv", "run", _HELD_OUT_PREDICTIONS),
    ):
        for r in pd.read_csv(folder / file).to_dict("records"):
            task = r["task"]
            for ending in _TASK_ENDINGS:
                task = task.removesuffix(ending)
            run = "" if run_column is None else r[run_column]
            rows += [
                ("olmo-mix", task, run, quantity, r[column])
                for column, quantity in quantities.items()
            ]
    return pd.DataFrame(rows, columns=COLUMNS)
