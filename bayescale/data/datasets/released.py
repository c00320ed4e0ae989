"""The CSV files that are part of the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pandas as pd

from bayescale.data.readers.gadre2024 import CORPORA, SIZES


def read_embedded(file: str) -> pd.DataFrame:
    """One embedded table."""
    with files("bayescale.data.datasets").joinpath(file).open(encoding="utf-8") as stream:
        return pd.read_csv(stream, keep_default_na=False, na_values=[""])


COLUMNS = ["corpus", "series", "run", "quantity", "value"]
_AVERAGES = {"avg": "average46", "avg_subset": "average17"}


def load_released(name: str) -> pd.Series:
    """The released figures of one data set: values indexed by (corpus, series, run, quantity)."""
    return (
        read_embedded(f"{name}_released.csv").fillna({"run": ""}).set_index(COLUMNS[:-1])["value"]
    )


def released_tables(published: Path) -> dict[str, pd.DataFrame]:
    """Both tables by data set, from the files that the released code's output was kept in: a folder
    of CSV files.
    """
    return {"gadre2024": _gadre(published), "ladder2024": _ladder(published)}


def _gadre(folder: Path) -> pd.DataFrame:
    # their code calls the exponent of N eta; it is -2 eta
    coefficients = pd.read_csv(folder / "gadre_coefficients.csv").rename(columns={"eta": "p"})
    predictions = pd.read_csv(folder / "gadre_predictions.csv")
    rows = []
    for r in coefficients.to_dict("records"):
        corpus, average = CORPORA[r["dataset"]], _AVERAGES[r["downstream"]]
        rows += [(corpus, "c4", "", q, r[q]) for q in ("alpha", "beta", "p", "E")]
        rows += [(corpus, average, "", q, r[q]) for q in ("k", "gamma", "eps")]
    for r in predictions.to_dict("records"):
        corpus, average = CORPORA[r["dataset_name"]], _AVERAGES[r["downstream"]]
        run = f"{corpus}-{SIZES[r['model_name']]}-M{round(r['tok_mult'])}"
        rows += [
            (corpus, "c4", run, "loss", r["loss_pred"]),
            (corpus, average, run, "error", r["err_pred_chain"]),
        ]
    return pd.DataFrame(rows, columns=COLUMNS).drop_duplicates(COLUMNS[:-1])


def _ladder(folder: Path) -> pd.DataFrame:
    names = {
        "A": "A",
        "B": "B",
        "alpha": "alpha",
        "beta": "beta",
        "E": "E",
        "a": "a",
        "x0": "x0",
        "k": "k",
        "b": "b",
    }
    names |= {"fA": "A of compute", "falpha": "alpha of compute", "fE": "E of compute"}
    predicted = {
        "loss_pred": "loss",
        "acc_step2": "accuracy, step 2",
        "acc_chain": "accuracy, chained",
        "acc_flops": "accuracy, compute",
    }
    predicted |= {"acc_single": "accuracy, single step"}
    rows = []
    for file, run, quantities in (
        ("ladder_coefficients.csv", None, names),
        ("ladder_predictions.csv", "target", predicted),
        (
            "ladder_heldout_predictions.csv",
            "run",
            {"bpb_pred": "loss", "acc_pred": "accuracy, chained"},
        ),
    ):
        for r in pd.read_csv(folder / file).to_dict("records"):
            task = (
                r["task"]
                .removesuffix("_5shot")
                .removesuffix("_test")
                .removesuffix("_val")
                .removesuffix("_avg")
            )
            rows += [
                ("olmo-mix", task, "" if run is None else r[run], quantity, r[column])
                for column, quantity in quantities.items()
            ]
    return pd.DataFrame(rows, columns=COLUMNS)
