"""Bhagia et al. 2024 asked of a posterior: four routes to an accuracy side by side, checkpoints as
data, reruns as replicates.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd

from bayescale.checks import Status, worst
from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.readers import read_checkpoints
from bayescale.data.readers.wide import ACCURACY
from bayescale.data.replicates import configurations, with_reruns
from bayescale.data.target import six_nd
from bayescale.fits.fit import fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.scores import score
from bayescale.inference.diagnostics import sampler_checks
from bayescale.inference.nuts import Program, Sampler
from bayescale.inference.posterior import accuracy_stage, full_tree
from bayescale.models.inputs import accuracy_data, link_model, loss_data, point
from bayescale.models.laws import ALPHA, BETA, PSI, Point, Values, same_slope
from bayescale.models.layout import Layout
from bayescale.models.links import HI, LO, MIDDLE, Link
from bayescale.models.parameters import Parameter
from bayescale.papers.analysis import Analysis, table
from bayescale.papers.bhagia_points import Ladder2024
from bayescale.runtime import random_key

PROB = 0.9
# the paper's law and chain, taken as true
PAPER = {"law": "chinchilla", "via": None, "discrepancy": "none"}
BLOCKS = (1, 5, 20)
GAIN = Parameter(
    "gain",
    "positive",
    dist.LogNormal(0.0, 0.7),
    0.5,
    "logits for the whole reducible part at the reference: a task gains 0.25 to 4 there",
)


def _single_step_accuracy(v: Values, x: Point) -> jax.Array:
    """Lo + (hi - lo) sigmoid(logit at the reference - gain (psi e^(-alpha n) + (1 - psi) e^(-beta
    d) - 1)): accuracy straight from (N, D).
    """
    reducible = v["psi"] * jnp.exp(-v["alpha"] * x.n) + (1 - v["psi"]) * jnp.exp(-v["beta"] * x.d)
    share = jnp.minimum(v["middle"] * (1 - v["lo"]) / (v["hi"] - v["lo"]), 0.999)
    return v["lo"] + (v["hi"] - v["lo"]) * jax.nn.sigmoid(
        jnp.log(share) - jnp.log1p(-share) - v["gain"] * (reducible - 1)
    )


def _single_step_ridge(v: Values, at: Values, x: Point) -> dict[str, jax.Array]:
    """Both slopes of the logit kept, as law `chinchilla` keeps those of ln L."""
    gain = v["gain"] / at["gain"]
    return {
        "alpha": same_slope(at["alpha"], gain * v["psi"] / at["psi"], x.n),
        "beta": same_slope(at["beta"], gain * (1 - v["psi"]) / (1 - at["psi"]), x.d),
    }


SINGLE_STEP = Link(
    "single step",
    "acc = lo + (hi - lo) sigmoid(t - A N^-alpha - B D^-beta)",
    (LO, HI, MIDDLE, GAIN, PSI, ALPHA, BETA),
    _single_step_accuracy,
    lambda *_: {},
    _single_step_ridge,
)


def alternatives(seed: int) -> Analysis:
    """Four routes to each task's accuracy at both targets, all posteriors."""
    cases = alternative_cases(seed)
    rows: list[dict[str, Any]] = cases.to_dict("records")
    for route, of in cases.groupby("route", sort=False):
        summary = {k: of[k].mean() for k in ("error", "inside", "crps", "interval_score")}
        summary["checks"] = of["checks"].iloc[0]
        rows.append(
            {
                "route": route,
                "task": "mean of 16",
                **summary,
                "absolute error": of["error"].abs().mean(),
                "width": (of["upper"] - of["lower"]).mean(),
            }
        )
    about = (
        "Accuracy in points at 7B-4T and 13B-5T by four routes: the task's own loss, C4 loss, compute alone (own loss from measured FLOPs), one step "
        "from (N, D). 90 % intervals; CRPS and interval score: less is better. 16 cases of 2 models, looked at often: no evidence of calibration."
    )
    return Analysis("alternatives", about, table(rows))


@cache
def alternative_cases(seed: int) -> pd.DataFrame:
    """One row a (route, target, task): scores in points of accuracy, and the status of the route's
    checks.
    """
    ladder = load_dataset("ladder2024")
    targets = ladder.targets("target")
    actual = 100 * ladder.frame.set_index(["task", "run"])["accuracy"]
    parts = []
    for route, settings in {
        "own loss": {},
        "C4 loss": {"via": "c4"},
        "compute only": {"law": "compute"},
    }.items():
        fitted = fit(ladder, seed=seed, **{**PAPER, **settings})  # type: ignore[arg-type]
        made = forecast(fitted, targets, seed=seed)
        found = made.draws["accuracy"].stack(sample=("chain", "draw"))
        parts += [
            (route, t.label, task, found.sel(target=t.label, task=task).to_numpy(), fitted.status)
            for t in targets
            for task in ladder.tasks
        ]
    draws, status = single_step_draws(ladder, seed)
    parts += [
        ("single step", t.label, task, draws[:, j, i], status)
        for i, t in enumerate(targets)
        for j, task in enumerate(ladder.tasks)
    ]
    keys = pd.DataFrame(
        [(r, t, task, s) for r, t, task, _, s in parts],
        columns=["route", "target", "task", "checks"],
    )
    truth = np.array([actual[task, target] for _, target, task, _, _ in parts])
    return keys.join(score(100 * np.stack([p[3] for p in parts]), truth, PROB))


def single_step_draws(ladder: Ladder, seed: int) -> tuple[np.ndarray, Status]:
    """Accuracies of the ladder's targets in one step, shape (draws, tasks, targets), and the status
    of the sampler's checks.
    """
    data, reference = accuracy_data(ladder, None), loss_data(ladder).reference
    assert data is not None
    targets, series = ladder.targets("target"), data.groups.series
    runs = ladder.runs.loc[np.where(data.layout.seen, data.runs, data.runs[:, :1]).ravel()]
    params, tokens = (runs[k].to_numpy().reshape(data.runs.shape) for k in ("params", "tokens"))
    step = accuracy_stage(SINGLE_STEP, data, link_model(SINGLE_STEP, data, "partial", {}))
    step = replace(
        step,
        layout=data.layout._replace(x=point(params, tokens, six_nd(params, tokens), reference)),
    )
    tree = full_tree(step, Program(step.model)(step.layout, Sampler(seed=seed), stream=step.name))
    posterior = (
        tree["posterior"]
        .to_dataset()
        .isel(corpus=0)
        .stack(sample=("chain", "draw"))
        .transpose("sample", "task")
    )
    real = {
        p.name: p.transform.inv(jnp.asarray(posterior[p.name].to_numpy()))
        for p in step.model.pooling.parameters
    }
    N, D, C = (
        np.array([getattr(t, k) for t in targets]) for k in ("params", "tokens", "compute_6nd")
    )
    at = point(N, D, C, reference)
    shape = (series, len(targets))
    cells = Layout(
        jnp.zeros(shape),
        jnp.zeros(shape, bool),
        jax.tree.map(lambda v: jnp.broadcast_to(v, shape), at),
        jnp.broadcast_to(data.items[:, None], shape),
    )
    keys = jax.random.split(random_key(seed, "forecast"), posterior.sizes["sample"])
    draws = jax.vmap(lambda values, key: step.model.draw(key, values, cells, None))(real, keys)
    return np.clip(np.asarray(draws), 0.0, 1.0), worst(sampler_checks(tree, "accuracy"))


def checkpoints(at: Ladder2024, seed: int) -> Analysis:
    """The link on the last checkpoint of each run, and on 1, 5 and 20 blocks of its checkpoints:
    the intervals at both targets.
    """
    assert at.data is not None
    every = read_checkpoints(at.data / "ladder2024" / "raw", every=True).where(
        task=[*load_dataset("ladder2024").tasks, "c4"]
    )
    rows = []
    for blocks in (None, *BLOCKS):
        fitted = fit(every, blocks=blocks, seed=seed, **PAPER)  # type: ignore[arg-type]
        made = forecast(fitted, every.targets("target"), seed=seed)
        actual = at.final
        for task in fitted.ladder.tasks:
            for t in made.targets:
                draws = made.draws["accuracy"].sel(target=t.label, task=task).to_numpy().ravel()
                case = score(
                    100 * draws[None], np.array([100 * actual.loc[t.label, ACCURACY + task]]), PROB
                ).iloc[0]
                rows.append(
                    {
                        "blocks": "last only" if blocks is None else str(blocks),
                        "target": t.label,
                        "task": task,
                        **case,
                        "checks": fitted.status,
                    }
                )
    frame = pd.DataFrame(rows)
    means = [
        {
            "blocks": blocks,
            "target": "both",
            "task": "mean of 16",
            "width": (of["upper"] - of["lower"]).mean(),
            "absolute error": of["error"].abs().mean(),
        }
        | {k: of[k].astype(float).mean() for k in ("inside", "crps")}
        | {"checks": of["checks"].iloc[0]}
        for blocks, of in frame.groupby("blocks", sort=False)
    ]
    about = (
        "Link on blocks of each run's checkpoints (later half): the blocks of a run have part of their noise in common, and the run's path in (loss, accuracy) "
        "a slope of its own. The interval must not collapse as blocks are added: they tell more of the noise, and little of the curve between runs."
    )
    return Analysis("checkpoints", about, table([*means, *rows]))


def reruns(seed: int) -> Analysis:
    """Noise between seeds: of each loss series, estimated with the reruns in the fit, beside the
    scatter of the pairs themselves.
    """
    ladder = with_reruns(load_dataset("ladder2024"))
    fitted = fit(ladder, seed=seed, **PAPER)  # type: ignore[arg-type]
    posterior = (
        fitted.losses["posterior"].to_dataset().isel(corpus=0).stack(sample=("chain", "draw"))
    )
    between_seeds = 100 * posterior["sigma"] * np.sqrt(1 - posterior["common"])
    rows = []
    for name in posterior["loss_name"].to_numpy():
        q = dict(
            zip(
                ("lower", "median", "upper"),
                np.quantile(between_seeds.sel(loss_name=name), [0.05, 0.5, 0.95]),
                strict=True,
            )
        )
        total = float(100 * posterior["sigma"].sel(loss_name=name).median())
        rows.append(
            {
                "loss": name,
                "between seeds (%)": q["median"],
                "lower": q["lower"],
                "upper": q["upper"],
                "pairs' own (%)": _pairs(ladder, name),
                "total (%)": total,
                "checks": fitted.status,
            }
        )
    about = (
        "Standard deviation of ln loss between seeds of one configuration, % (5 % to 95 %), from a fit whose noise has a part in common to replicates (the "
        "law's misfit there); beside it the root mean square difference of the four pairs over root 2, and the whole noise. Four pairs hardly tell the "
        "share in common of one loss from another's: its prior, about a half, weighs as much."
    )
    return Analysis("reruns", about, pd.DataFrame(rows))


def _pairs(ladder: Ladder, loss: str) -> float:
    rows = ladder.with_role("fit").frame
    of = rows[rows["loss_name"] == loss].drop_duplicates("run").set_index("run")
    label = configurations(ladder.runs)[of.index]
    pairs = [
        np.diff(np.log(g["loss"].to_numpy()))[0]
        for _, g in of.groupby(label.to_numpy())
        if len(g) == 2
    ]
    return float(100 * np.sqrt(np.mean(np.square(pairs)) / 2))
