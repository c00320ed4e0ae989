"""Bhagia et al. 2024 asked of a posterior.

Four routes to an accuracy side by side, the checkpoints of a run as data, and reruns as replicates.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import xarray as xr

from bayescale.checks import Status, worst
from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.readers.wide import ACCURACY
from bayescale.data.replicates import configurations, with_reruns
from bayescale.data.target import six_nd
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.scores import score
from bayescale.inference.diagnostics import sampler_checks
from bayescale.inference.nuts import Program, Sampler
from bayescale.inference.posterior import make_posterior
from bayescale.inference.stage import accuracy_stage
from bayescale.models.curve import Values, same_slope
from bayescale.models.inputs import AccuracyData, accuracy_data, link_model, loss_data, point
from bayescale.models.laws import ALPHA, BETA, PSI, Point, Reference
from bayescale.models.layout import Layout
from bayescale.models.links import HI, LO, MIDDLE, Link
from bayescale.models.parameters import Parameter
from bayescale.models.series import SeriesModel
from bayescale.papers.analysis import Analysis, table
from bayescale.papers.bhagia_data import BhagiaData
from bayescale.runtime import random_key

# probability of every interval
PROB = 0.9

# numbers of blocks of each run's checkpoints that are compared
BLOCKS = (1, 5, 20)

GAIN = Parameter(
    name="gain",
    support="positive",
    prior=dist.LogNormal(0.0, 0.7),
    pooling=0.5,
    source="logits for the whole reducible part at the reference: a task gains 0.25 to 4 there",
)


def _single_step_accuracy(values: Values, x: Point) -> jax.Array:
    """lo + (hi - lo) sigmoid(t - gain (psi e^(-alpha n) + (1 - psi) e^(-beta d) - 1)).

    Accuracy straight from (N, D); t is the logit at the reference, where the accuracy is middle.
    """
    psi = values["psi"]
    lo = values["lo"]
    hi = values["hi"]
    reducible = psi * jnp.exp(-values["alpha"] * x.n) + (1 - psi) * jnp.exp(-values["beta"] * x.d)
    # a share of 1 or more has no logit
    share = jnp.minimum(values["middle"] * (1 - lo) / (hi - lo), 0.999)
    t = jnp.log(share) - jnp.log1p(-share)
    return lo + (hi - lo) * jax.nn.sigmoid(t - values["gain"] * (reducible - 1))


def _single_step_ridge(values: Values, mode: Values, x: Point) -> dict[str, jax.Array]:
    """alpha and beta that keep both slopes of the logit, as law `chinchilla` does for ln L."""
    gain = values["gain"] / mode["gain"]
    by_size = gain * values["psi"] / mode["psi"]
    by_tokens = gain * (1 - values["psi"]) / (1 - mode["psi"])
    return {
        "alpha": same_slope(mode["alpha"], by_size, x.n),
        "beta": same_slope(mode["beta"], by_tokens, x.d),
    }


SINGLE_STEP = Link(
    name="single step",
    formula="acc = lo + (hi - lo) sigmoid(t - A N^-alpha - B D^-beta)",
    parameters=(LO, HI, MIDDLE, GAIN, PSI, ALPHA, BETA),
    accuracy=_single_step_accuracy,
    constants=lambda *_: {},
    ridge=_single_step_ridge,
)


def alternatives(seed: int) -> Analysis:
    """Four routes to the accuracy of each task at both targets, each by a posterior.

    Parameters
    ----------
    seed
        Seed of the sampler and of the forecasts.

    Returns
    -------
    Analysis
        One row for each (route, target, task), and one per route for the mean.
    """
    cases = alternative_cases(seed)
    rows: list[dict[str, Any]] = cases.to_dict("records")
    for route, of_route in cases.groupby("route", sort=False):
        scores = ("error", "inside", "crps", "interval_score")
        rows.append(
            {
                "route": route,
                "task": f"mean of {len(of_route)}",
                **{name: of_route[name].mean() for name in scores},
                "checks": of_route["checks"].iloc[0],
                "absolute error": of_route["error"].abs().mean(),
                "width": (of_route["upper"] - of_route["lower"]).mean(),
            }
        )
    about = (
        "Accuracy in points at 7B-4T and 13B-5T by four routes: through the task's own loss, "
        "through C4 loss, from compute alone (own loss from measured FLOPs), and from (N, D) in "
        "one step. Intervals are 90 % intervals. A lower CRPS or interval score is better. These "
        "16 cases come from 2 models and were looked at often: they are no evidence of calibration."
    )
    return Analysis("alternatives", about, table(rows))


def alternative_cases(seed: int) -> pd.DataFrame:
    """Scores of the four routes, in points of accuracy.

    Parameters
    ----------
    seed
        Seed of the sampler and of the forecasts.

    Returns
    -------
    pandas.DataFrame
        One row for each (route, target, task): route, target, task, checks (the status of the
        checks of the route), and the columns of `score`.
    """
    ladder = load_dataset("ladder2024")
    targets = ladder.targets("target")
    actual = 100 * ladder.frame.set_index(["task", "run"])["accuracy"]
    fits = {
        "own loss": _paper_fit(ladder, seed),
        "C4 loss": _paper_fit(ladder, seed, via="c4"),
        "compute only": _paper_fit(ladder, seed, law="compute"),
    }
    keys: list[tuple[str, str, str, Status]] = []
    draws: list[np.ndarray] = []
    for route, fitted in fits.items():
        by_target = forecast(fitted, targets, seed=seed).draws["accuracy"]
        for target in targets:
            for task in ladder.tasks:
                keys.append((route, target.label, task, fitted.status))
                draws.append(by_target.sel(target=target.label, task=task).to_numpy().ravel())
    step_draws, status = single_step_draws(ladder, seed)
    for column, target in enumerate(targets):
        for index, task in enumerate(ladder.tasks):
            keys.append(("single step", target.label, task, status))
            draws.append(step_draws[:, index, column])
    outcomes = np.array([actual[task, target] for _, target, task, _ in keys])
    frame = pd.DataFrame(keys, columns=["route", "target", "task", "checks"])
    return frame.join(score(100 * np.stack(draws), outcomes, PROB))


def single_step_draws(ladder: Ladder, seed: int) -> tuple[np.ndarray, Status]:
    """Draws of the accuracy at the ladder's targets, from (N, D) in one step.

    Parameters
    ----------
    ladder
        The runs and the targets.
    seed
        Seed of the sampler and of the draws.

    Returns
    -------
    tuple
        Accuracies, shape (draws, tasks, targets), and the status of the checks of the sampler.
    """
    data = accuracy_data(ladder, None)
    assert data is not None
    reference = loss_data(ladder).reference
    stage = accuracy_stage(
        SINGLE_STEP, data, link_model(SINGLE_STEP, data, "partial", {}, discrepancy=False)
    )
    stage = replace(stage, layout=data.layout._replace(x=_points_of(ladder, data, reference)))
    sample = Program(stage.model)(stage.layout, Sampler(seed=seed), stream=stage.name)
    tree = make_posterior(stage, sample).draws
    cells = _target_cells(ladder, data, reference)
    accuracy = _predictive_draws(stage.model, tree, cells, seed)
    return np.clip(accuracy, 0.0, 1.0), worst(sampler_checks(tree, "accuracy"))


def checkpoints(data: BhagiaData, seed: int) -> Analysis:
    """The interval at both targets where the link sees blocks of each run's checkpoints.

    The link sees the last checkpoint of each run, or 1, 5 or 20 blocks of its checkpoints.

    Parameters
    ----------
    data
        The runs, with their checkpoints.
    seed
        Seed of the sampler and of the forecasts.

    Returns
    -------
    Analysis
        One row per number of blocks for the mean, then one for each (blocks, task, target).
    """
    ladder = data.checkpoint_ladder.where(task=[*load_dataset("ladder2024").tasks, "c4"])
    rows = []
    for blocks in (None, *BLOCKS):
        rows += _block_rows(data, ladder, blocks, seed)
    means = []
    for blocks, group in pd.DataFrame(rows).groupby("blocks", sort=False):
        scores = ("inside", "crps")
        means.append(
            {
                "blocks": blocks,
                "target": "both",
                "task": "mean of 16",
                "width": (group["upper"] - group["lower"]).mean(),
                "absolute error": group["error"].abs().mean(),
                **{name: group[name].astype(float).mean() for name in scores},
                "checks": group["checks"].iloc[0],
            }
        )
    about = (
        "The link is fitted to blocks of the later half of each run's checkpoints. The blocks of "
        "one run share part of their noise, and the path of a run in (loss, accuracy) has a slope "
        "of its own. The interval must not collapse as blocks are added: more blocks tell more "
        "about the noise, but little about the curve between runs."
    )
    return Analysis("checkpoints", about, table([*means, *rows]))


def reruns(seed: int) -> Analysis:
    """Noise between seeds of each loss: estimated with the reruns, beside the scatter of pairs.

    Parameters
    ----------
    seed
        Seed of the sampler.

    Returns
    -------
    Analysis
        One row per loss.
    """
    ladder = with_reruns(load_dataset("ladder2024"))
    fitted = _paper_fit(ladder, seed)
    posterior = _one_corpus(fitted.posteriors.loss.draws)
    between_seeds = 100 * posterior["sigma"] * np.sqrt(1 - posterior["common"])
    rows = []
    for name in posterior["loss_name"].to_numpy():
        lower, median, upper = np.quantile(between_seeds.sel(loss_name=name), [0.05, 0.5, 0.95])
        rows.append(
            {
                "loss": name,
                "between seeds (%)": median,
                "lower": lower,
                "upper": upper,
                "pairs' own (%)": _scatter_of_pairs(ladder, name),
                "total (%)": float(100 * posterior["sigma"].sel(loss_name=name).median()),
                "checks": fitted.status,
            }
        )
    about = (
        "Standard deviation of ln loss between seeds of one configuration, in %: the median and "
        "the interval from 5 % to 95 %. The fit divides the noise into a part that replicates "
        "share (the misfit of the law) and a part of each run. Beside it stand the root mean "
        "square difference of the four pairs, divided by root 2, and the total noise. Four pairs "
        "hardly tell the shared part of one loss from that of another: the prior of this share, "
        "about a half, weighs as much as the pairs do."
    )
    return Analysis("reruns", about, pd.DataFrame(rows))


def _paper_fit(
    ladder: Ladder,
    seed: int,
    *,
    law: str = "chinchilla",
    via: str | None = None,
    blocks: int | None = None,
) -> Fit:
    """The posterior of the paper's law and chain, both taken as true beyond the ladder."""
    return fit(ladder, law=law, via=via, discrepancy="none", blocks=blocks, seed=seed)


def _points_of(ladder: Ladder, data: AccuracyData, reference: Reference) -> Point:
    """(N, D) of the run in each cell, shape (tasks, runs); an empty cell takes the first run."""
    names = np.where(data.layout.seen, data.runs, data.runs[:, :1])
    runs = ladder.runs.loc[names.ravel()]
    params = runs["params"].to_numpy().reshape(names.shape)
    tokens = runs["tokens"].to_numpy().reshape(names.shape)
    return point(params, tokens, six_nd(params, tokens), reference)


def _target_cells(ladder: Ladder, data: AccuracyData, reference: Reference) -> Layout:
    """The targets as unseen cells of each task, shape (tasks, targets)."""
    targets = ladder.targets("target")
    x = point(
        np.array([target.params for target in targets]),
        np.array([target.tokens for target in targets]),
        np.array([target.compute_6nd for target in targets]),
        reference,
    )
    shape = (data.groups.series, len(targets))
    return Layout(
        y=jnp.zeros(shape),
        seen=jnp.zeros(shape, bool),
        x=jax.tree.map(lambda values: jnp.broadcast_to(values, shape), x),
        items=jnp.broadcast_to(data.items[:, None], shape),
    )


def _predictive_draws(
    model: SeriesModel, tree: xr.DataTree, cells: Layout, seed: int
) -> np.ndarray:
    """One accuracy per posterior draw in each cell, noise included: shape (draws, *cells)."""
    posterior = _one_corpus(tree).transpose("sample", "task")
    parameters = {
        parameter.name: parameter.transform.inv(jnp.asarray(posterior[parameter.name].to_numpy()))
        for parameter in model.pooling.parameters
    }
    keys = jax.random.split(random_key(seed, "forecast"), posterior.sizes["sample"])
    draw = jax.vmap(lambda values, key: model.draw(key, values, cells, tail=None, terms=None))
    return np.asarray(draw(parameters, keys))


def _one_corpus(tree: xr.DataTree) -> xr.Dataset:
    """The posterior on the only corpus, all chains stacked into the dimension sample."""
    return tree["posterior"].to_dataset().isel(corpus=0).stack(sample=("chain", "draw"))


def _block_rows(
    data: BhagiaData, ladder: Ladder, blocks: int | None, seed: int
) -> list[dict[str, Any]]:
    """Scores of each (task, target) with one number of blocks, in points of accuracy."""
    fitted = _paper_fit(ladder, seed, blocks=blocks)
    forecasted = forecast(fitted, ladder.targets("target"), seed=seed)
    rows = []
    for task in fitted.ladder.tasks:
        for target in forecasted.targets:
            by_target = forecasted.draws["accuracy"].sel(target=target.label, task=task)
            draws = 100 * by_target.to_numpy().ravel()
            actual = 100 * data.final.loc[target.label, ACCURACY + task]
            scores = score(draws[None], np.array([actual]), PROB).iloc[0]
            rows.append(
                {
                    "blocks": "last only" if blocks is None else str(blocks),
                    "target": target.label,
                    "task": task,
                    **scores,
                    "checks": fitted.status,
                }
            )
    return rows


def _scatter_of_pairs(ladder: Ladder, loss: str) -> float:
    """Root mean square difference of ln loss in pairs of one configuration, over root 2, in %."""
    rows = ladder.with_role("fit").frame
    runs = rows[rows["loss_name"] == loss].drop_duplicates("run").set_index("run")
    label = configurations(ladder.runs)[runs.index]
    differences = [
        np.diff(np.log(group["loss"].to_numpy()))[0]
        for _, group in runs.groupby(label.to_numpy())
        if len(group) == 2
    ]
    return float(100 * np.sqrt(np.mean(np.square(differences)) / 2))
