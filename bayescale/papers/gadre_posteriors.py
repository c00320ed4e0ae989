"""Gadre et al. 2024 asked of a posterior.

Which exponents the corpora share, how far over-training can be forecast, the average accuracy two
ways, and which tasks can be forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.readers.gadre2024 import AVERAGES, LOSSES, TASKS_17
from bayescale.data.target import Target
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast
from bayescale.forecasts.scores import score
from bayescale.models.noise import Noise
from bayescale.papers.analysis import Analysis, table

# tokens per parameter up to which runs are fitted, and from which they are forecast
MAX_FITTED_M = 40.0
MIN_FORECAST_M = 80.0

# probability of every interval
PROB = 0.9

# parameters from which a target counts as large: the averages are forecast for these targets
LARGE = 1e9

# draws of each chain for 138 links of six runs each: such draws are less independent than usual
LINK_DRAWS = 1200

# the fits compared in `over_training`: the smallest M that is fitted, and the noise
VARIANTS: dict[str, tuple[float, Noise]] = {
    "all, normal noise": (0, "normal"),
    "all, one-sided noise": (0, "one_sided"),
    "M 20 and 40 only": (15, "normal"),
}


@cache
def corpora_fit(seed: int) -> Fit:
    """Law `gadre` on three corpora and eight validation losses in one model, with crossed pooling.

    Parameters
    ----------
    seed
        Seed of the sampler.

    Returns
    -------
    Fit
        The fit on the paper's five runs per corpus.
    """
    ladder = load_dataset("gadre2024", tasks=list(LOSSES.values()))
    return fit(ladder, discrepancy="none", seed=seed)


@cache
def links_fit(seed: int) -> Fit:
    """One logistic link for each of the 46 tasks and three corpora, through C4 loss.

    Parameters
    ----------
    seed
        Seed of the sampler.

    Returns
    -------
    Fit
        The fit on the paper's six runs per corpus.
    """
    tasks = [name for name in load_dataset("gadre2024", tasks="all").tasks if name not in AVERAGES]
    return fit(
        load_dataset("gadre2024", tasks=tasks),
        link="logistic",
        draws=LINK_DRAWS,
        discrepancy="none",
        seed=seed,
    )


def exponents(seed: int) -> Analysis:
    """eta of each corpus and loss, and its spread between corpora: prior beside posterior.

    Parameters
    ----------
    seed
        Seed of the sampler.

    Returns
    -------
    Analysis
        One row per parameter of each series, and one per spread.
    """
    fitted = corpora_fit(seed)
    summary = fitted.summary()
    spreads = [
        f"sd_{parameter}_{group}"
        for parameter in ("eta", "phi", "psi")
        for group in ("corpus", "loss_name", "series")
    ]
    rows = summary[summary["parameter"].isin(["eta", "population_eta", *spreads])]
    frame = (
        rows.sort_values("parameter", kind="stable")
        .drop(columns="step")
        .assign(checks=fitted.status)
        .reset_index(drop=True)
    )
    about = (
        "Law gadre on 3 corpora and 8 losses, with theta = mu + u_corpus + v_loss + w for each "
        "parameter on its real scale (the logarithm for eta). sd_x_corpus is the spread of "
        "parameter x between corpora on that scale. Intervals run from 5 % to 95 % of the "
        "posterior; the intervals of the prior stand beside them."
    )
    return Analysis("exponents", about, frame)


def over_training(seed: int) -> Analysis:
    """Every run at M >= 80 forecast from the runs at M <= 40: error and coverage by M = D/N.

    Parameters
    ----------
    seed
        Seed of the sampler and of the forecast.

    Returns
    -------
    Analysis
        One row for each (fit, M), and one for all M together.
    """
    rows = []
    for variant, (min_fitted_M, noise) in VARIANTS.items():
        cases, status = over_trained_cases(min_fitted_M, noise, seed)
        for M, group in [*cases.groupby("M"), ("all", cases)]:
            rows.append(
                {
                    "fitted": variant,
                    "M": str(M),
                    "runs": len(group),
                    **_mean_scores(group),
                    "checks": status,
                }
            )
    about = (
        "C4 loss of every run at M >= 80, forecast from the runs of all sizes at M <= 40. Columns: "
        "mean error and mean absolute error of the median (%), share of outcomes inside the 90 % "
        "interval, and its mean width (%). Runs at M = 5 lie 5 to 15 % above the law. Noise that "
        "only raises the loss, or leaving these runs out, removes most of the error; both were "
        "chosen after looking at the same runs."
    )
    return Analysis("over-training", about, pd.DataFrame(rows))


def over_trained_cases(min_fitted_M: float, noise: Noise, seed: int) -> tuple[pd.DataFrame, str]:
    """Scores of the forecast loss of every over-trained run, in % of the actual loss.

    Parameters
    ----------
    min_fitted_M
        The smallest number of tokens per parameter at which runs are fitted.
    noise
        The noise of the losses: ``normal``, ``student_t`` or ``one_sided``.
    seed
        Seed of the sampler and of the forecast.

    Returns
    -------
    tuple
        A frame with one row per run (the columns of `score`, run, M), and the status of the
        checks of the fit.
    """
    dataset = load_dataset("gadre2024", tasks=["average17"])
    frame = dataset.frame
    M = (frame["tokens"] / frame["params"]).round()
    is_fitted = (M <= MAX_FITTED_M) & (min_fitted_M <= M)
    role = np.select([is_fitted, M >= MIN_FORECAST_M], ["fit", "target"], "held_out")
    ladder = Ladder.from_frame(
        frame.assign(role=role, accuracy=np.nan), law=dataset.law, name=dataset.name
    )
    fitted = fit(ladder, noise=noise, discrepancy="none", seed=seed)
    forecasted = forecast(fitted, ladder.targets("target"), seed=seed)
    names = [target.label for target in forecasted.targets]
    actual = frame.set_index("run")["loss"][names].to_numpy()
    by_target = forecasted.draws["loss"].sel(task="average17").stack(sample=("chain", "draw"))
    draws = by_target.transpose("target", "sample").to_numpy()
    cases = score(100 * (draws / actual[:, None] - 1), np.zeros(len(actual)), PROB)
    of_names = M.set_axis(frame["run"])[names].to_numpy().astype(int)
    return cases.assign(run=names, M=of_names), fitted.status


def averages(seed: int) -> Analysis:
    """The average accuracy two ways: one link on the average, or 46 links averaged draw by draw.

    Parameters
    ----------
    seed
        Seed of the sampler and of the forecast.

    Returns
    -------
    Analysis
        One row for each (average, route, run), and one for the mean over the runs.
    """
    rows: list[dict[str, Any]] = []
    for route, of_route in average_cases(seed).groupby("route", sort=False):
        for average, cases in of_route.groupby("average"):
            keys = {"average": average, "route": route}
            scores = cases.drop(columns=["average", "route"])
            rows += [{**keys, **case} for case in scores.to_dict("records")]
            rows.append(
                {
                    **keys,
                    "run": f"mean of {len(cases)}",
                    **_mean_scores(cases),
                    "crps": cases["crps"].mean(),
                    "checks": cases["checks"].iloc[0],
                }
            )
    about = (
        "Average accuracy, in points, of the six runs above 1 B parameters that neither the law "
        "nor the link saw. One link sees only the average, which follows neither a logistic nor an "
        "exponential curve, because the tasks rise one after another. 46 links let each task rise "
        "by itself."
    )
    return Analysis("averages", about, table(rows))


def average_cases(seed: int) -> pd.DataFrame:
    """Scores of the forecast averages, in points of accuracy.

    Parameters
    ----------
    seed
        Seed of the sampler and of the forecast.

    Returns
    -------
    pandas.DataFrame
        One row for each (route, average, run): the columns of `score`, route, average, run, and
        checks (the status of the checks of the fit).
    """
    ladder = load_dataset("gadre2024")
    targets = [target for target in ladder.targets("target") if target.params > LARGE]
    actual = ladder.frame.set_index(["task", "run"])["accuracy"]
    tasks_of = {"average17": list(TASKS_17), "average46": links_fit(seed).ladder.tasks}
    labels = [target.label for target in targets]
    parts = []
    for route, route_forecast in _average_routes(ladder, targets, seed).items():
        for average, tasks in tasks_of.items():
            linked = tasks if route.startswith("46") else [average]
            draws = _accuracy_draws(route_forecast, linked)
            scores = score(100 * draws, 100 * actual[average][labels].to_numpy(), PROB)
            parts.append(
                scores.assign(
                    route=route, average=average, run=labels, checks=route_forecast.status
                )
            )
    return pd.concat(parts, ignore_index=True)


def verdict_table(seed: int) -> Analysis:
    """The verdict on each of the 46 tasks, beside what then happened on the large runs.

    Parameters
    ----------
    seed
        Seed of the sampler and of the forecast.

    Returns
    -------
    Analysis
        One row per task, in the order of rho.
    """
    fitted = links_fit(seed)
    frame = fitted.verdicts().reset_index()
    forecasted = forecast(fitted, fitted.ladder.targets("target"), seed=seed)
    labels = [target.label for target in forecasted.targets]
    actual = fitted.ladder.frame.set_index(["task", "run"])["accuracy"]
    for verdict in frame.itertuples():
        draws = _accuracy_draws(forecasted, [str(verdict.task)])
        cases = score(100 * draws, 100 * actual[verdict.task][labels].to_numpy(), PROB)
        figures = {
            "inside": int(cases["inside"].sum()),
            "of": len(cases),
            "width": (cases["upper"] - cases["lower"]).mean(),
            "mae": cases["error"].abs().mean(),
        }
        frame.loc[verdict.Index, list(figures)] = list(figures.values())
    frame["checks"] = fitted.status
    about = (
        "rho is the rank correlation of accuracy with -loss over the runs that the links saw, and "
        "rho_compute the one with compute, each with the lower end of its 90 % interval. The "
        "last columns are about the large runs: how many of their accuracies lie inside the 90 % "
        "interval, the mean width of the interval, and the mean absolute error of its median, both "
        "in points."
    )
    return Analysis("verdicts", about, frame.sort_values("rho", ignore_index=True))


def _average_routes(ladder: Ladder, targets: Sequence[Target], seed: int) -> dict[str, Forecast]:
    """The forecast of the targets by each route to an average."""
    routes = {
        f"one link, {link}": forecast(
            fit(ladder, link=link, discrepancy="none", seed=seed), targets, seed=seed
        )
        for link in ("exponential", "logistic")
    }
    routes["46 links, logistic"] = forecast(links_fit(seed), targets, seed=seed)
    return routes


def _accuracy_draws(forecasted: Forecast, tasks: list[str]) -> np.ndarray:
    """Accuracy averaged over tasks draw by draw, shape (targets, draws)."""
    mean = forecasted.draws["accuracy"].sel(task=tasks).mean("task")
    by_target = mean.stack(sample=("chain", "draw")).transpose("target", "sample")
    return by_target.to_numpy()


def _mean_scores(cases: pd.DataFrame) -> dict[str, float]:
    """Means over the cases: error, absolute error, share inside the interval, width."""
    return {
        "error": cases["error"].mean(),
        "absolute error": cases["error"].abs().mean(),
        "inside": cases["inside"].mean(),
        "width": (cases["upper"] - cases["lower"]).mean(),
    }
