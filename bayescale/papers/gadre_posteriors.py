"""Gadre et al. 2024 asked of a posterior: what corpora share, over-training, the downstream average
two ways, which tasks can be forecast.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.readers.gadre2024 import AVERAGES, LOSSES, TASKS_17
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import Forecast, forecast
from bayescale.forecasts.scores import score
from bayescale.models.noise import Noise
from bayescale.papers.analysis import Analysis, table

# token multipliers: runs up to the one are fitted, from the other on forecast
CHEAP, OVER_TRAINED = 40.0, 80.0
PROB = 0.9
LARGE = 1e9  # parameters of the runs that the averages are forecast for
LINK_DRAWS = 1200  # of each chain, for 138 links of six runs each, whose draws are less independent


@cache
def corpora_fit(seed: int) -> Fit:
    """Law `gadre` on the three corpora and eight validation losses in one model, crossed pooling;
    the paper's five runs a corpus.
    """
    return fit(
        load_dataset("gadre2024", tasks=list(LOSSES.values())), discrepancy="none", seed=seed
    )


@cache
def links_fit(seed: int) -> Fit:
    """One logistic link for each of the 46 tasks and three corpora, through C4 loss; the paper's
    six runs a corpus.
    """
    tasks = [t for t in load_dataset("gadre2024", tasks="all").tasks if t not in AVERAGES]
    return fit(
        load_dataset("gadre2024", tasks=tasks),
        link="logistic",
        draws=LINK_DRAWS,
        discrepancy="none",
        seed=seed,
    )


def exponents(seed: int) -> Analysis:
    """Which exponents corpora share: eta of each corpus and loss, and the spread between corpora,
    prior beside posterior.
    """
    fitted = corpora_fit(seed)
    summary = fitted.summary()
    spreads = [
        f"sd_{p}_{factor}"
        for p in ("eta", "phi", "psi")
        for factor in ("corpus", "loss_name", "series")
    ]
    chosen = summary[summary["parameter"].isin(["eta", "population_eta", *spreads])].sort_values(
        "parameter", kind="stable"
    )
    frame = chosen.drop(columns="step").assign(checks=fitted.status).reset_index(drop=True)
    about = (
        "Law gadre on 3 corpora x 8 losses, theta = mu + u_corpus + v_loss + w. sd_x_corpus is the spread between corpora on the real scale (log for eta), "
        "5 % to 95 % of the posterior, and of the prior beside it."
    )
    return Analysis("exponents", about, frame)


def over_training(seed: int) -> Analysis:
    """Every run at M >= 80 from those at M <= 40: error and coverage by M."""
    variants: dict[str, tuple[float, Noise]] = {
        "all, normal noise": (0, "normal"),
        "all, one-sided noise": (0, "one_sided"),
        "M 20 and 40 only": (15, "normal"),
    }
    rows = []
    for variant, (least, noise) in variants.items():
        cases, status = over_trained_cases(least, noise, seed)
        for M, of in [*cases.groupby("M"), ("all", cases)]:
            rows.append(
                {"fitted": variant, "M": str(M), "runs": len(of), **_summary(of), "checks": status}
            )
    about = (
        "C4 loss of every run at M >= 80, from the runs of all sizes at M <= 40: bias and mean absolute error of the median, %, share inside the 90 % "
        "interval, its mean width, %. Runs at M = 5 lie 5 to 15 % above the law: noise that only goes up, or leaving them out, mends most of that (as seen on "
        "these very runs)."
    )
    return Analysis("over-training", about, pd.DataFrame(rows))


def over_trained_cases(least: float, noise: Noise, seed: int) -> tuple[pd.DataFrame, str]:
    """One row an over-trained run: M, loss scores relative to the actual loss in %; and the status
    of the fit's checks.
    """
    full = load_dataset("gadre2024", tasks=["average17"])
    rows = full.frame
    M = (rows["tokens"] / rows["params"]).round()
    role = np.select(
        [(M <= CHEAP) & (least <= M), M >= OVER_TRAINED], ["fit", "target"], "held_out"
    )
    ladder = Ladder.from_frame(
        rows.assign(role=role, accuracy=np.nan), law=full.law, name=full.name
    )
    fitted = fit(ladder, noise=noise, discrepancy="none", seed=seed)
    made = forecast(fitted, ladder.targets("target"), seed=seed)
    names = [t.label for t in made.targets]
    actual = rows.set_index("run")["loss"][names].to_numpy()
    draws = (
        made.draws["loss"]
        .sel(task="average17")
        .stack(sample=("chain", "draw"))
        .transpose("target", "sample")
        .to_numpy()
    )
    cases = score(100 * (draws / actual[:, None] - 1), np.zeros(len(actual)), PROB)
    return cases.assign(
        run=names, M=M.set_axis(rows["run"])[names].to_numpy().astype(int)
    ), fitted.status


def averages(seed: int) -> Analysis:
    """The average accuracy two ways: one link on the average, and 46 links averaged draw by
    draw.
    """
    rows: list[dict[str, Any]] = []
    for route, cases in average_cases(seed).groupby("route", sort=False):
        for average, of in cases.groupby("average"):
            rows += [
                {"average": average, "route": route, **r}
                for r in of.drop(columns=["average", "route"]).to_dict("records")
            ]
            rows.append(
                {
                    "average": average,
                    "route": route,
                    "run": f"mean of {len(of)}",
                    **_summary(of),
                    "crps": of["crps"].mean(),
                    "checks": of["checks"].iloc[0],
                }
            )
    about = (
        "Average accuracy (points) of the six runs over 1 B parameters that neither step saw. One link sees only the average, whose shape is no logistic nor "
        "exponential curve: tasks rise one after another. 46 links let each rise by itself."
    )
    return Analysis("averages", about, table(rows))


def average_cases(seed: int) -> pd.DataFrame:
    """One row a (route, average, run): scores in points of accuracy."""
    pair = load_dataset("gadre2024")
    targets = [t for t in pair.targets("target") if t.params > LARGE]
    actual = pair.frame.set_index(["task", "run"])["accuracy"]
    tasks = {"average17": list(TASKS_17), "average46": links_fit(seed).ladder.tasks}
    made = {
        f"one link, {link}": forecast(
            fit(pair, link=link, discrepancy="none", seed=seed), targets, seed=seed
        )
        for link in ("exponential", "logistic")
    }
    made["46 links, logistic"] = forecast(links_fit(seed), targets, seed=seed)
    parts = []
    for route, one in made.items():
        for average, members in tasks.items():
            draws = _accuracy_draws(one, members if route.startswith("46") else [average])
            truth = actual[average][[t.label for t in targets]].to_numpy()
            parts.append(
                score(100 * draws, 100 * truth, PROB).assign(
                    route=route, average=average, run=[t.label for t in targets], checks=one.status
                )
            )
    return pd.concat(parts, ignore_index=True)


def verdict_table(seed: int) -> Analysis:
    """The verdict on each of the 46 tasks, from the runs that the links saw, and what then happened
    on the large runs.
    """
    fitted = links_fit(seed)
    frame = fitted.verdicts().reset_index()
    made = forecast(fitted, fitted.ladder.targets("target"), seed=seed)
    actual = fitted.ladder.frame.set_index(["task", "run"])["accuracy"]
    for row in frame.itertuples():
        draws = _accuracy_draws(made, [str(row.task)])
        cases = score(
            100 * draws, 100 * actual[row.task][[t.label for t in made.targets]].to_numpy(), PROB
        )
        figures = {
            "inside": int(cases["inside"].sum()),
            "of": len(cases),
            "width": (cases["upper"] - cases["lower"]).mean(),
            "mae": cases["error"].abs().mean(),
        }
        frame.loc[row.Index, list(figures)] = list(figures.values())
    frame["checks"] = fitted.status
    about = (
        "rho is the rank correlation of accuracy with -loss over the runs that the links saw, rho_compute with compute, each with its 5 % end. Then the large "
        "runs: how many of their accuracies lie inside the 90 % interval, its width and the error of its median, in points."
    )
    return Analysis("verdicts", about, frame.sort_values("rho", ignore_index=True))


def _accuracy_draws(made: Forecast, tasks: list[str]) -> np.ndarray:
    """Accuracy averaged over tasks draw by draw, shape (targets, draws)."""
    return (
        made.draws["accuracy"]
        .sel(task=tasks)
        .mean("task")
        .stack(sample=("chain", "draw"))
        .transpose("target", "sample")
        .to_numpy()
    )


def _summary(cases: pd.DataFrame) -> dict[str, float]:
    width = (cases["upper"] - cases["lower"]).mean()
    return {
        "error": cases["error"].mean(),
        "absolute error": cases["error"].abs().mean(),
        "inside": cases["inside"].mean(),
        "width": width,
    }
