"""A folder of small result files of our own making, one for each format of docs/formats.md."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars

TOTAL = [1e8, 1e8, 2e8, 2e8, 4e8, 4e8, 8e8, 8e8]
TOKENS = [1e9, 4e9, 2e9, 8e9, 4e9, 1.6e10, 8e9, 3.2e10]
NAMES = [f"m{i}" for i in range(1, 9)]
ITEMS = {"piqa": 1838, "arc_easy": 2376}
CHANCE = {"piqa": 0.5, "arc_easy": 0.25}


def results() -> pd.DataFrame:
    """Sizes, a loss and two accuracies of eight runs, around a law and two links."""
    rng = np.random.default_rng(1)
    n, d = np.array(TOTAL), np.array(TOKENS)
    loss = (1.7 + 406 * n**-0.34 + 411 * d**-0.28) * np.exp(0.003 * rng.normal(size=len(n)))
    table = pd.DataFrame({"run": NAMES, "params": n, "tokens": d, "loss": loss})
    for task, items in ITEMS.items():
        p = CHANCE[task] + (0.9 - CHANCE[task]) / (1 + np.exp(1.5 * (loss - 2.9)))
        table[task] = rng.binomial(items, p) / items
    return table


def write_formats(folder: Path) -> None:
    """Write every file that docs/formats.md names."""
    table = results()
    names = {"run": "model", "params": "N", "tokens": "D", "loss": "val_loss"}
    wide = table.rename(columns={**names, "piqa": "piqa_acc", "arc_easy": "arc_easy_acc"})
    wide["N"] = [f"{n / 1e6:g}M" for n in TOTAL]
    wide.to_csv(folder / "runs.csv", index=False)
    wide.to_csv(folder / "runs.tsv", index=False, sep="\t")
    wide.to_csv(folder / "semicolons.csv", index=False, sep=";", decimal=",")
    lines = [json.dumps(record) for record in wide.to_dict("records")]
    (folder / "runs.jsonl").write_text("\n".join(lines))
    polars.DataFrame(wide.to_dict("records")).write_parquet(folder / "runs.parquet")
    _write_odd(folder, table)
    _write_tidy(folder, table)
    _write_exports(folder, table)
    _write_harness(folder / "results", table)
    flops = 6 * table["params"] * table["tokens"]
    frontier = pd.DataFrame({"flops": flops, "loss": table["loss"]})
    frontier.to_csv(folder / "frontier.csv", index=False)
    experts = table.rename(columns={"params": "active_params"})
    experts = experts.assign(total_params=4 * experts["active_params"])
    experts.drop(columns=list(ITEMS)).to_csv(folder / "experts.csv", index=False)
    sweep = [
        table.assign(run=table["run"] + f"-lr{rate}", loss=table["loss"] * (1 + rate))
        for rate in (0.0, 0.02)
    ]
    pd.concat(sweep).drop(columns=list(ITEMS)).to_csv(folder / "sweep.csv", index=False)


def _write_odd(folder: Path, table: pd.DataFrame) -> None:
    """A table whose columns tell nothing, and its map."""
    odd = pd.DataFrame({"id": table["run"], "size_b": table["params"] / 1e9})
    odd = odd.assign(tokens_b=table["tokens"] / 1e9, x1=table["loss"], x2=100 * table["piqa"])
    odd.to_csv(folder / "odd.csv", index=False)
    lines = ['run = "id"', 'params = "size_b*1e9"', 'tokens = "tokens_b*1e9"']
    lines += ['"loss:c4" = "x1"', '"percent:piqa" = "x2"']
    (folder / "columns.toml").write_text("\n".join(lines) + "\n")


def _write_tidy(folder: Path, table: pd.DataFrame) -> None:
    """The run table and the task table, errors in place of accuracies for one task."""
    of_run = table[["run", "params", "tokens", "loss"]].assign(
        loss_name="c4", loss_unit="nats/token"
    )
    piqa = of_run.assign(task="piqa", accuracy=1 - table["piqa"], metric="error")
    arc = of_run.assign(task="arc_easy", accuracy=table["arc_easy"], metric="accuracy")
    pd.concat([piqa, arc]).to_csv(folder / "tidy.csv", index=False)
    tasks = pd.DataFrame({"task": list(ITEMS), "chance": CHANCE.values(), "items": ITEMS.values()})
    tasks.to_csv(folder / "tasks.csv", index=False)


def _write_exports(folder: Path, table: pd.DataFrame) -> None:
    """The two exports of Weights & Biases: the table of runs, and a chart beside sizes."""
    exported = pd.DataFrame({"Name": table["run"], "State": "finished"})
    exported["Created"] = "2025-01-01T00:00:00.000Z"
    exported["parameter_count"] = table["params"]
    exported["throughput/total_tokens"] = table["tokens"]
    exported["train/loss"] = table["loss"] * 1.01
    exported["eval/c4/loss"] = table["loss"]
    crashed = exported.iloc[[-1]].assign(Name="m9", State="crashed", **{"eval/c4/loss": 9.9})
    pd.concat([exported, crashed]).to_csv(folder / "wandb.csv", index=False)
    chart = pd.DataFrame({"Step": [0, 1000]})
    for run, loss in zip(table["run"], table["loss"], strict=True):
        series = f"{run} - eval/c4/loss"
        chart[series] = [11.0, loss]
        chart[f"{series}__MIN"] = chart[series]
        chart[f"{series}__MAX"] = chart[series]
    chart.to_csv(folder / "chart.csv", index=False)
    table[["run", "params", "tokens"]].to_csv(folder / "sizes.csv", index=False)


def _write_harness(folder: Path, table: pd.DataFrame) -> None:
    """One results file per run, the first three in the old format."""
    folder.mkdir()
    for i, row in enumerate(table.itertuples()):
        scores, versions = {}, {}
        for task, items in ITEMS.items():
            share = getattr(row, task)
            se = float(np.sqrt(share * (1 - share) / (items - 1)))
            end = "" if i < 3 else ",none"
            scores[task] = {f"acc{end}": share, f"acc_stderr{end}": se}
            versions[task] = 1
        record = {
            "results": scores,
            "versions": versions,
            "config": {"model": "hf", "model_args": f"pretrained=ours/{row.run}", "num_fewshot": 0},
        }
        if i >= 3:
            record["n-shot"] = dict.fromkeys(ITEMS, 0)
            record["n-samples"] = {t: {"original": k, "effective": k} for t, k in ITEMS.items()}
        (folder / f"{row.run}.json").write_text(json.dumps(record))
