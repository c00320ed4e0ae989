"""Says how forecasts from small ladders held: sub-ladders of 4 to 12 runs of the public sweeps.

    python docs/figures/small_figures.py FOLDER

FOLDER holds the public result files. From each of the five families of validation losses, and from
the two sweeps with accuracies, the script draws small ladders with fixed seeds. A ladder is either
any runs below a random compute, or runs of about one token multiplier. It forecasts up to 8 larger
configurations of the same sweep at the package's own settings, 2 chains of 500 draws. It prints, by
quantity and sweep, by number of runs, and by kind of ladder,

- CRPS, interval score, mean error (median less truth), mean absolute error, width and coverage: in
  percent of a loss or points of accuracy, averaged within each ladder first;
- the share of ladders whose forecasts are too high on average.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sweeps import gadre_tasks, sweeps

import bayescale as bs
from bayescale.fits.fit import fit_many
from bayescale.fits.record import Fit
from bayescale.fits.settings import AUTO, make_settings
from bayescale.forecasts.scores import score
from bayescale.inference.nuts import Sampler

RUNS = (4, 6, 8, 12)
KINDS = ("any", "one multiplier")
# the ladders of one kind and number of runs: of a sweep of losses, and of a sweep with accuracies
LADDERS = {"loss": 2, "accuracy": 1}
# the compute below which runs are drawn, as quantiles of the sweep's
COMPUTE = (0.35, 0.8)
# runs of about one token multiplier: largest |ln| ratio within a ladder, and of its targets
SPREAD, SPREAD_OF_TARGETS = np.log(1.4), np.log(2.0)
# least compute of a target over that of the largest run
BEYOND = 1.5
TARGETS = 8
ATTEMPTS = 1000
KEYS = ["sweep", "quantity", "runs", "kind", "number"]
MEASURES = [
    "crps",
    "interval_score",
    "error",
    "absolute_error",
    "width_90",
    "inside_50",
    "inside_80",
    "inside_90",
]


class Small(NamedTuple):
    """One small ladder: how it was drawn, its runs, and the runs that it is to forecast."""

    runs: int
    kind: str
    number: int
    ladder: bs.Ladder
    targets: set[str]


def draw(ladder: bs.Ladder, runs: int, kind: str, number: int) -> Small | None:
    """A small ladder of a sweep and its targets; None where the sweep has none of that kind."""
    known = ladder.with_role("fit", "held_out").runs
    size, tokens = np.log(known["params"]), np.log(known["tokens"])
    label = size.round(1).astype(str) + ", " + tokens.round(1).astype(str)
    places = pd.DataFrame({"n": size, "d": tokens}).groupby(label).median()
    places["c"] = places["n"] + places["d"]
    places["m"] = places["d"] - places["n"]
    rng = np.random.default_rng([runs, KINDS.index(kind), number])
    for _ in range(ATTEMPTS):
        low = places[places["c"] <= places["c"].quantile(rng.uniform(*COMPUTE))]
        middle = rng.choice(places["m"])
        if kind != "any":
            low = low[(low["m"] - middle).abs() < SPREAD]
        if len(low) < runs:
            continue
        chosen = low.iloc[rng.choice(len(low), runs, replace=False)]
        far = places[places["c"] > chosen["c"].max() + np.log(BEYOND)]
        if kind != "any":
            far = far[(far["m"] - middle).abs() < SPREAD_OF_TARGETS]
        if chosen["n"].round(1).nunique() < 3 or far.empty:
            continue
        far = far.iloc[rng.choice(len(far), min(TARGETS, len(far)), replace=False)]
        return Small(
            runs=runs,
            kind=kind,
            number=number,
            ladder=_only(ladder, set(label.index[label.isin(chosen.index)])),
            targets=set(label.index[label.isin(far.index)]),
        )
    return None


def _only(ladder: bs.Ladder, runs: set[str]) -> bs.Ladder:
    """Some runs of a ladder, all of which may be fitted."""
    rows = ladder.frame
    tasks = ladder.task_table.reset_index() if len(ladder.task_table) else None
    chosen = rows[rows["run"].isin(runs)].assign(role="fit")
    return bs.Ladder.from_frame(chosen, tasks=tasks, name=ladder.name)


def fits(smalls: list[Small], accuracies: bool) -> Iterator[tuple[Small, Fit]]:
    """Each small ladder with its fit; those of one law are fitted by one program."""
    for law in sorted({small.ladder.law for small in smalls}):
        alike = [small for small in smalls if small.ladder.law == law]
        settings = make_settings(
            alike[0].ladder,
            law=law,
            link=None,
            via=AUTO if accuracies else None,
            pooling="partial",
            discrepancy="calibrated",
            noise="normal",
            blocks=None,
            priors=None,
        )
        sampler = Sampler(chains=2, draws=500)
        yield from zip(
            alike, fit_many(settings, sampler, [small.ladder for small in alike]), strict=True
        )


def cases(sweep: str, ladder: bs.Ladder, small: Small, fit: Fit) -> pd.DataFrame:
    """One row per loss or accuracy of a target: how it was forecast."""
    corpora = fit.loss_data.groups.corpora
    targets = [
        target
        for target in ladder.targets("fit", "held_out")
        if target.label in small.targets and target.corpus in corpora
    ]
    cells = bs.forecast(fit, targets).components.cells(None)
    rows = ladder.frame
    truth = {
        "loss": rows.drop_duplicates(["run", "loss_name"]).set_index(["run", "loss_name"])["loss"]
    }
    if "accuracy" in rows:
        truth["accuracy"] = rows.set_index(["run", "task"])["accuracy"].dropna()
    scored = []
    for (quantity, run, name), draws in cells.items():
        if (run, name) not in truth[quantity].index:
            continue
        change = (lambda v: 100 * np.log(v)) if quantity == "loss" else (lambda v: 100 * v)
        values, actual = change(draws), change(truth[quantity][(run, name)])
        row = score(values[None], np.array([actual])).iloc[0]
        case = {"quantity": quantity, "absolute_error": abs(row["error"])}
        case |= row[["crps", "interval_score", "error"]].to_dict()
        for p in (0.5, 0.8, 0.9):
            lower, upper = np.quantile(values, [(1 - p) / 2, (1 + p) / 2])
            case[f"inside_{100 * p:.0f}"] = float(lower <= actual <= upper)
        scored.append({**case, "width_90": upper - lower})
    about = {"sweep": sweep, "runs": small.runs, "kind": small.kind, "number": small.number}
    return pd.DataFrame(scored).assign(**about)


def main(folder: Path) -> None:
    """Print all tables."""
    pd.set_option("display.width", 200)
    families = {name: (ladder, "loss") for name, ladder in sweeps(folder).items()}
    families["ladder2024, tasks"] = bs.load_dataset("ladder2024"), "accuracy"
    families["gadre2024, tasks"] = gadre_tasks(folder), "accuracy"
    tables = []
    for sweep, (ladder, what) in families.items():
        drawn = [
            draw(ladder, runs, kind, number)
            for runs in RUNS
            for kind in KINDS
            for number in range(LADDERS[what])
        ]
        smalls = [small for small in drawn if small is not None]
        for small, fit in fits(smalls, what == "accuracy"):
            tables.append(cases(sweep, ladder, small, fit))
            if sweep == "gadre2024, tasks":
                # Its losses are those of gadre2024 on the same ladders.
                tables[-1] = tables[-1].query("quantity == 'accuracy'")
        print(f"{sweep}: {len(smalls)} small ladders", flush=True)
    of_ladder = pd.concat(tables).groupby(KEYS)[MEASURES].mean().reset_index()
    for by in ("sweep", "runs", "kind"):
        print(f"\n{of_ladder.groupby(['quantity', by])[MEASURES].mean().round(2).to_string()}")
    high = of_ladder.assign(high=of_ladder["error"] > 0).groupby("quantity")["high"]
    print(f"\nladders whose forecasts are too high\n{high.agg(['mean', 'size']).to_string()}")


if __name__ == "__main__":
    bs.setup(2)
    main(Path(sys.argv[1]))
