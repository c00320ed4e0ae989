"""simulate(...): a ladder drawn from the model itself, with the truth that it was drawn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpyro import handlers
from numpyro.distributions import Distribution

from bayescale.data.ladder import Ladder
from bayescale.data.target import six_nd
from bayescale.errors import SettingError
from bayescale.fits.settings import Settings
from bayescale.models.inputs import accuracy_data, link_model, loss_data, point
from bayescale.models.laws import Law, get_law
from bayescale.models.layout import Layout
from bayescale.models.links import Link, get_link
from bayescale.models.noise import Noise
from bayescale.models.pooling import PoolingMode
from bayescale.models.prediction import asymptotes, bent_accuracy
from bayescale.models.series import SeriesModel, every_prior_used, loss_model
from bayescale.runtime import STREAMS, random_key, require_64bit

# of the expectation of y, given the real values that it came from
type Bend = Callable[[jax.Array, Mapping[str, jax.Array]], jax.Array]
Simulated = Literal["prior", "none"]


@dataclass(frozen=True)
class Simulation:
    """A simulated ladder, targets included, and the truth: natural values of every parameter, by
    name, of each series.
    """

    ladder: Ladder
    loss_truth: dict[str, np.ndarray]
    accuracy_truth: dict[str, np.ndarray]


def simulate(
    *,
    params: Sequence[float],
    tokens: Sequence[float],
    targets: Sequence[tuple[float, float]] = (),
    corpora: Sequence[str] = ("default",),
    tasks: Sequence[str] = ("a", "b", "c"),
    chance: float = 0.25,
    items: float = 2000,
    law: str | Law = "chinchilla",
    link: str | Link | None = "logistic",
    noise: Noise = "normal",
    pooling: PoolingMode = "partial",
    discrepancy: Simulated = "none",
    priors: Mapping[str, Distribution] | None = None,
    seed: int = 0,
) -> Simulation:
    """(truth, ladder) ~ p(truth) p(ladder | truth): what a fit of the same model is calibrated
    against.

    Parameters
    ----------
    params, tokens
        N and D of the runs, of equal length; every corpus has all of them.
    targets
        (N, D) of runs with role ``target``, of every corpus.
    corpora, tasks
        Names; each task has a loss of its own.
    chance, items
        Of every task.
    law, link, noise, pooling, discrepancy, priors
        As in `fit`; ``link=None`` for losses alone. With the discrepancy ``prior`` law and link err
        beyond the dearest run, and noise widens below it, as a fit with that prior allows for;
        otherwise they are true. Accuracies drawn outside [0, 1] are put on its edge.
    seed
        Of everything random.

    Raises
    ------
    SettingError
        For `params` and `tokens` of different lengths, a target that is no pair, names given as one
        string, a seed that is no whole number, and whatever `fit` refuses.
    """
    require_64bit()
    _check(params, tokens, targets, corpora, tasks)
    if discrepancy not in get_args(Simulated):
        raise SettingError(
            "discrepancy",
            rule="must be prior or none",
            got=repr(discrepancy),
            way_out="a past to calibrate it on comes with the fit",
        )
    frame, table = (
        _runs(params, tokens, targets, corpora, tasks),
        pd.DataFrame({"task": list(tasks), "chance": chance, "items": items}),
    )
    one, two = jax.random.split(random_key(seed, "simulate"))
    settings = Settings(
        get_law(law),
        get_link("logistic" if link is None else link),
        None,
        pooling,
        discrepancy,
        noise,
        None,
        dict(priors or {}),
    )
    blank = Ladder.from_frame(
        frame if link is None else frame.assign(accuracy=0.5), tasks=None if link is None else table
    )
    widening = settings.widens(blank)
    data = loss_data(blank, widening=widening)
    N, D = (
        frame[k]
        .to_numpy(float)
        .reshape(len(corpora), -1, len(tasks))
        .transpose(0, 2, 1)
        .reshape(data.groups.series, -1)
        for k in ("params", "tokens")
    )
    C = six_nd(N, D)
    log_factor = np.log(C / data.largest_flops)
    efolds, rng = (
        np.maximum(log_factor, 0.0),
        np.random.default_rng([seed, STREAMS.index("simulate")]),
    )
    drift = settings.find_discrepancy({"loss": data}, {}).draw("loss", len(N), rng, 1)[0][:, None]
    x = jax.tree.map(jnp.asarray, point(N, D, C, data.reference))
    losses = loss_model(
        settings.law, data.groups, pooling=pooling, noise=noise, priors=priors, widening=widening
    )
    ones = jnp.ones_like(x.n)
    layout = Layout(
        0 * ones, ones < 0, x, ones, None, np.maximum(-log_factor, 0.0) if widening else None
    )
    loss_truth, log_loss = _draw(losses, layout, one, lambda mean, _: mean - efolds * drift)
    frame["loss"] = _column(np.exp(log_loss), len(corpora), len(tasks))
    if link is None:
        every_prior_used(priors or {}, [losses])
        return Simulation(
            Ladder.from_frame(frame, law=settings.law.name, name="simulated"), loss_truth, {}
        )
    scored = accuracy_data(Ladder.from_frame(frame.assign(accuracy=0.5), tasks=table), None)
    assert scored is not None
    z = (np.exp(log_loss) - scored.centre[:, None]) / scored.scale[:, None]
    model = link_model(settings.link, scored, pooling, priors or {})
    every_prior_used(priors or {}, [losses, model])
    layout = Layout(0 * ones, ones < 0, jnp.asarray(z), items * ones)
    bend = settings.find_discrepancy({"loss": data, "accuracy": scored}, {}).draw(
        "accuracy", len(N), rng, 1
    )[0][:, None]
    accuracy_truth, accuracy = _draw(
        model,
        layout,
        two,
        lambda mean, real: bent_accuracy(mean, *asymptotes(model, real), efolds * bend),
    )
    frame["accuracy"] = _column(np.clip(accuracy, 0.0, 1.0), len(corpora), len(tasks))
    ladder = Ladder.from_frame(
        frame, tasks=table, law=settings.law.name, link=settings.link.name, name="simulated"
    )
    return Simulation(ladder, loss_truth, accuracy_truth)


def _check(
    params: Sequence[float],
    tokens: Sequence[float],
    targets: Sequence[tuple[float, float]],
    corpora: Sequence[str],
    tasks: Sequence[str],
) -> None:
    if len(params) != len(tokens):
        raise SettingError(
            "params and tokens",
            rule="must have equal lengths",
            got=f"{len(params)} and {len(tokens)}",
            way_out="give one N and one D a run",
        )
    bad = [t for t in targets if not isinstance(t, Sequence) or len(t) != 2]
    if bad:
        raise SettingError(
            "targets",
            rule="must be pairs of params and tokens",
            got=repr(bad[0]),
            way_out="such as targets=[(7e9, 4e12)]",
        )
    for what, names in (("corpora", corpora), ("tasks", tasks)):
        if isinstance(names, str):
            raise SettingError(
                what,
                rule="must be a list of names",
                got=repr(names),
                way_out=f"such as {what}=[{names!r}]",
            )


def _runs(
    params: Sequence[float],
    tokens: Sequence[float],
    targets: Sequence[tuple[float, float]],
    corpora: Sequence[str],
    tasks: Sequence[str],
) -> pd.DataFrame:
    """The tidy table without its outcomes: corpus by run by task, each run's loss a stand-in."""
    pairs = [
        *zip(params, tokens, ["fit"] * len(params), strict=True),
        *((n, d, "target") for n, d in targets),
    ]
    rows = [
        {
            "run": f"{corpus}-{i}",
            "corpus": corpus,
            "params": n,
            "tokens": d,
            "role": role,
            "task": task,
            "loss": 1.0,
        }
        for corpus in corpora
        for i, (n, d, role) in enumerate(pairs)
        for task in tasks
    ]
    return pd.DataFrame(rows)


def _draw(
    model: SeriesModel, layout: Layout, key: jax.Array, bend: Bend
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Parameters from the prior, natural scale, and y (series, runs) given them."""
    one, two = jax.random.split(key)
    trace = handlers.trace(handlers.seed(model, one)).get_trace(layout)
    sites = {
        name: site["value"]
        for name, site in trace.items()
        if site["type"] == "sample" and not site["is_observed"]
    }
    real = model.pooling.by_series(sites)
    mean, sd = model.expectation(real, layout)
    truth = {name: np.asarray(v) for name, v in model.pooling.natural(sites).items()}
    truth |= {"tail": np.exp(sites["tail"])} if "tail" in sites else {}
    bent = bend(mean, real)
    sd = sd * model.unit_sd(bent, layout.items) / model.unit_sd(mean, layout.items)
    return truth, np.asarray(model.scatter(bent, sd, sites.get("tail")).sample(two))


def _column(y: np.ndarray, corpora: int, tasks: int) -> np.ndarray:
    """(series, runs), series being corpus by task, as the column of the tidy table, which is corpus
    by run by task.
    """
    return np.asarray(y).reshape(corpora, tasks, -1).transpose(0, 2, 1).reshape(-1)
