"""simulate(...): a ladder drawn from the model itself, with the truth that it was drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpyro import handlers
from numpyro.distributions import Distribution

from bayescale.data.ladder import Ladder
from bayescale.data.schema import DEFAULT_CORPUS
from bayescale.data.target import six_nd
from bayescale.errors import SettingError
from bayescale.extrapolation.amplitudes import DISCREPANCY_MODES, DiscrepancyMode
from bayescale.extrapolation.discrepancy import Error, KnownError, Points, law_error, link_error
from bayescale.extrapolation.predictive import AccuracyComponents, predict_losses
from bayescale.fits.settings import FitSettings, check_priors, law_model_of, link_model_of
from bayescale.models.discrepancy import prior_terms
from bayescale.models.inputs import AccuracyData, LossData, accuracy_data, loss_data, point
from bayescale.models.kernel import Terms, locations
from bayescale.models.laws import Law, Point, get_law
from bayescale.models.links import Link, get_link
from bayescale.models.noise import Noise
from bayescale.models.pooling import PoolingMode
from bayescale.models.prediction import standard_noise
from bayescale.models.series import SeriesModel
from bayescale.models.stage_models import every_prior_used
from bayescale.runtime import check_seed, random_generator, random_key, require_64bit
from bayescale.validation import (
    as_list,
    require_choice,
    require_names,
    require_number,
    require_positives,
    shown,
)


@dataclass(frozen=True)
class Simulation:
    """A simulated ladder, targets included, and the truth that it was drawn from.

    Parameters
    ----------
    ladder
        The runs with their losses and accuracies, and the targets.
    loss_truth
        Natural values of every parameter of the law, by name: shape (series,) each.
    accuracy_truth
        Natural values of every parameter of the link, by name; empty without a link.
    """

    ladder: Ladder
    loss_truth: dict[str, np.ndarray]
    accuracy_truth: dict[str, np.ndarray]


def simulate(
    *,
    params: Sequence[float],
    tokens: Sequence[float],
    targets: Sequence[tuple[float, float]] = (),
    corpora: Sequence[str] = (DEFAULT_CORPUS,),
    tasks: Sequence[str] = ("a", "b", "c"),
    chance: float = 0.25,
    items: float = 2000,
    law: str | Law = "chinchilla",
    link: str | Link | None = "logistic",
    noise: Noise = "normal",
    pooling: PoolingMode = "partial",
    discrepancy: DiscrepancyMode = "none",
    priors: Mapping[str, Distribution] | None = None,
    seed: int = 0,
) -> Simulation:
    """(truth, ladder) ~ p(truth) p(ladder | truth): what a fit of the same model is tested against.

    Parameters
    ----------
    params, tokens
        N and D of the runs, of equal length; every corpus has all runs.
    targets
        (N, D) of the runs with role ``target``; every corpus has all of them.
    corpora
        Names of the corpora; a single text is one name.
    tasks
        Names of the tasks, each with a loss of its own; a single text is one name.
    chance
        Score of guessing, the same for every task.
    items
        Number of items, the same for every task.
    law
        Name of a law, or a `Law`.
    link
        Name of a link, or a `Link`; None for losses alone.
    noise, pooling
        As in `fit`.
    discrepancy
        ``none``: law and link are true. ``calibrated``: both err as a fit with this discrepancy
        allows for, and noise grows towards small runs.
    priors
        Priors of your own, as in `fit`.
    seed
        Seed of everything random.

    Returns
    -------
    Simulation
        The ladder and its truth. Accuracies drawn outside [0, 1] are set to its ends.

    Raises
    ------
    SettingError
        For `params` and `tokens` of different lengths, a target that is no pair, names that are no
        texts, a seed that is no whole number, and whatever `fit` refuses.

    Examples
    --------
    >>> import bayescale as bs
    >>> bs.setup(chains=2)
    >>> sizes = {"params": [1e8, 3e8, 1e9], "tokens": [2e9, 6e9, 2e10]}
    >>> simulated = bs.simulate(**sizes, tasks=["quiz"], seed=1)
    >>> len(simulated.ladder.runs), simulated.ladder.tasks
    (3, ['quiz'])
    >>> sorted(simulated.loss_truth)[:3]
    ['L0', 'alpha', 'beta']
    """
    require_64bit()
    params, tokens, targets = _check_sizes(params, tokens, targets)
    corpora, tasks = require_names("corpora", corpora), require_names("tasks", tasks)
    require_choice("discrepancy", discrepancy, DISCREPANCY_MODES)
    check_seed(seed)
    settings = FitSettings(
        law=get_law(law),
        link=get_link("logistic" if link is None else link),
        via=None,
        pooling=pooling,
        discrepancy=discrepancy,
        noise=noise,
        blocks=None,
        priors=check_priors(priors),
    )
    shape = (len(corpora), len(tasks))
    frame = _runs(params, tokens, targets, corpora, tasks)
    table = _task_table(tasks, chance, items)
    loss_key, accuracy_key = jax.random.split(random_key(seed, "simulate"))
    rng = random_generator(seed, "simulate")
    blank = _blank(frame, None if link is None else table)
    data = loss_data(blank)
    points = _points(frame, data, shape)
    law_model = law_model_of(settings, data)
    loss_truth, log_loss = _losses(law_model, data, points, loss_key, rng)
    frame["loss"] = _column(np.exp(log_loss), *shape)
    if link is None:
        every_prior_used(priors or {}, [law_model])
        simulated = Ladder.from_frame(frame, law=settings.law.name, name="simulated")
        return Simulation(simulated, loss_truth, {})
    scores = accuracy_data(_blank(frame, table), None)
    assert scores is not None
    link_model = link_model_of(settings, scores)
    every_prior_used(priors or {}, [law_model, link_model])
    accuracy_truth, accuracy = _accuracies(
        link_model, scores, log_loss, points=points, key=accuracy_key, rng=rng
    )
    frame["accuracy"] = _column(accuracy, *shape)
    simulated = Ladder.from_frame(
        frame, tasks=table, law=settings.law.name, link=settings.link.name, name="simulated"
    )
    return Simulation(simulated, loss_truth, accuracy_truth)


def _check_sizes(
    params: object, tokens: object, targets: object
) -> tuple[list[float], list[float], list[tuple[float, float]]]:
    """The sizes of the runs, and those of the targets, as numbers."""
    way_out = "give one N and one D per run"
    n = require_positives("params", params, way_out=way_out)
    d = require_positives("tokens", tokens, way_out=way_out)
    if len(n) != len(d):
        raise SettingError(
            "params and tokens",
            rule="must have equal lengths",
            got=f"{len(n)} and {len(d)}",
            way_out=way_out,
        )
    pairs = []
    pairs_out = "give params and tokens, such as targets=[(7e9, 4e12)]"
    for target in as_list(targets):
        if len(as_list(target)) != 2:
            raise SettingError(
                "targets",
                rule="must be pairs of params and tokens",
                got=shown(target),
                way_out=pairs_out,
            )
        size, trained = require_positives("targets", target, way_out=pairs_out)
        pairs.append((size, trained))
    return n, d, pairs


def _task_table(tasks: Sequence[str], chance: float, items: float) -> pd.DataFrame:
    """The task table: chance and items are the same for every task."""
    rule, way_out = "must be 0 or more and below 1", "such as chance=0.25"
    chance = require_number("chance", chance, lambda x: 0 <= x < 1, rule=rule, way_out=way_out)
    rule, way_out = "must be 1 or more", "such as items=2000"
    items = require_number("items", items, lambda x: x >= 1, rule=rule, way_out=way_out)
    return pd.DataFrame({"task": list(tasks), "chance": chance, "items": items})


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


def _blank(frame: pd.DataFrame, tasks: pd.DataFrame | None) -> Ladder:
    """The ladder with accuracies of a half, which stand in until they are drawn."""
    return Ladder.from_frame(frame if tasks is None else frame.assign(accuracy=0.5), tasks=tasks)


def _column(y: np.ndarray, corpora: int, tasks: int) -> np.ndarray:
    """(series, runs), series being corpus by task, as the column of the tidy table, which is corpus
    by run by task.
    """
    return np.asarray(y).reshape(corpora, tasks, -1).transpose(0, 2, 1).reshape(-1)


class _Points(NamedTuple):
    """Every run of every series as a point of the law, and ln(C / Cmax): shape (series, runs).

    `places` says where the runs of one corpus lie, for the errors of law and link: every corpus has
    the same runs.
    """

    x: Point
    log_factor: np.ndarray
    places: Points


def _points(frame: pd.DataFrame, data: LossData, shape: tuple[int, int]) -> _Points:
    corpora, tasks = shape

    def by_series(name: str) -> np.ndarray:
        column = frame[name].to_numpy(float).reshape(corpora, -1, tasks)
        return column.transpose(0, 2, 1).reshape(data.groups.series, -1)

    params = by_series("params")
    tokens = by_series("tokens")
    flops = six_nd(params, tokens)
    x = point(params, tokens, flops, data.reference)
    log_factor = np.log(flops / data.largest_flops)
    places = Points(locations(params[0], tokens[0]), np.maximum(log_factor, 0.0))
    return _Points(jax.tree.map(jnp.asarray, x), log_factor, places)


def _losses(
    model: SeriesModel,
    data: LossData,
    points: _Points,
    key: jax.Array,
    rng: np.random.Generator,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """True parameters of the law, and ln losses, shape (1, series, runs)."""
    truth_key, error_key, noise_key = jax.random.split(key, 3)
    truth, real = _draw_truth(model, truth_key)
    error = None
    if model.amplitude is not None:
        known = _drawn_error(model, data.terms, real, error_key)
        of_task = np.array([data.groups.kinds[k] == "task" for k in data.groups.kind])
        error = law_error(known, data.terms, points.places, of_task=of_task, rng=rng)
    log_loss = predict_losses(
        model, real, points.x, points.log_factor, error=error, noise_key=noise_key
    ).log_loss()
    return truth, log_loss


def _drawn_error(
    model: SeriesModel, terms: Terms, real: dict[str, jax.Array], key: jax.Array
) -> KnownError:
    """A draw of the error at the runs from its prior, as if no run said anything of it."""
    assert model.amplitude is not None
    amplitude, sigma = (np.exp(real[name]) for name in (model.amplitude, model.scale_name))
    z = np.asarray(prior_terms(model.common, terms.root.shape[1], key))[None]
    drawn = amplitude[:, :, None] * z
    return KnownError(np.zeros_like(drawn), drawn, amplitude, sigma, model.common)


def _accuracies(
    model: SeriesModel,
    data: AccuracyData,
    log_loss: np.ndarray,
    *,
    points: _Points,
    key: jax.Array,
    rng: np.random.Generator,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """True parameters of the link, and accuracies, shape (1, series, runs)."""
    z = (np.exp(log_loss[0]) - data.centre[:, None]) / data.scale[:, None]
    truth_key, error_key, noise_key = jax.random.split(key, 3)
    truth, real = _draw_truth(model, truth_key)
    shape = (1, *z.shape)
    error = Error(np.zeros(shape), np.zeros(shape))
    if model.amplitude is not None:
        known = _drawn_error(model, data.terms, real, error_key)
        error = link_error(known, data.terms, points.places, rng)
    components = AccuracyComponents(
        model=model,
        real=real,
        data=data,
        via=np.arange(data.groups.series),
        known=error.known,
        error=error.random,
        noise=standard_noise(model, None, shape, noise_key),
        of_fitted=np.zeros((1, *data.through.shape)),
    )
    return truth, components.accuracy(log_loss)


def _draw_truth(
    model: SeriesModel, key: jax.Array
) -> tuple[dict[str, np.ndarray], dict[str, jax.Array]]:
    """One draw of the parameters from their prior.

    Natural values, and real values with an axis for the single draw in front.
    """
    trace = handlers.trace(handlers.seed(model.sample, key)).get_trace()
    sites = {
        name: site["value"]
        for name, site in trace.items()
        if site["type"] == "sample" and not site["is_observed"]
    }
    truth = {name: np.asarray(v) for name, v in model.pooling.natural(sites).items()}
    real = model.pooling.by_series(sites)
    if "tail" in sites:
        truth["tail"] = np.exp(sites["tail"])
        real["tail"] = sites["tail"]
    return truth, {name: value[None] for name, value in real.items()}
