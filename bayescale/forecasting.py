"""forecast(fit, targets) -> Forecast: a law, the run's own noise, hence a loss; a link at that loss, the score's noise, hence an accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr

from bayescale.checks import Status
from bayescale.errors import DataError, SettingError
from bayescale.fitting import Fit
from bayescale.ladder import Target
from bayescale.laws import Reference
from bayescale.layouts import AccuracyData, LossData, point
from bayescale.models import Layout, SeriesModel, accuracy_model, loss_model
from bayescale.placing import corpus_of, extrapolation, same_conventions
from bayescale.sampling import random_key
from bayescale.scoring import check_prob

LAW_AS_TRUE = "Intervals take the law and the link as true: they will be too narrow far from the ladder's own compute."


@dataclass(frozen=True, repr=False)
class Forecast:
    """Joint draws of the losses and accuracies of one or more targets.

    Parameters
    ----------
    draws
        xarray Dataset: ``loss`` and ``accuracy`` over (chain, draw, target, task). A declared series is a task without accuracies (nan).
    targets
        In the order of the draws.
    table
        One row a (target, task): corpus, loss_name, via and verdict (both None where there is no accuracy).
    extrapolation
        One row a target: extrapolation_factor, and note (empty, or what makes the target unlike the runs).
    status
        Of the fit that it came from: ``fail`` stays on everything.
    """

    draws: xr.Dataset
    targets: tuple[Target, ...]
    table: pd.DataFrame
    extrapolation: pd.DataFrame
    status: Status

    def to_frame(self, prob: float = 0.9) -> pd.DataFrame:
        """One row a (target, task, quantity): mean, median, sd, and the equal-tailed interval of probability `prob`.

        Columns: target, corpus, task, quantity (``loss`` | ``accuracy``), mean, median, sd, lower, upper, loss_name, via, verdict (see
        `Fit.verdicts`).
        ``frame.attrs`` holds the status of the fit, `prob`, and the note that goes with the intervals.
        """
        tails = check_prob(prob)
        rows = []
        for row in self.table.itertuples():
            for quantity in ("loss", "accuracy"):
                values = np.ravel(self.draws[quantity].sel(target=row.target, task=row.task))
                if np.isnan(values).all():
                    continue
                via, verdict = (row.via, row.verdict) if quantity == "accuracy" else (None, None)
                rows.append(
                    {
                        "target": row.target,
                        "corpus": row.corpus,
                        "task": row.task,
                        "quantity": quantity,
                        **_figures(values, tails),
                        "loss_name": row.loss_name,
                        "via": via,
                        "verdict": verdict,
                    }
                )
        frame = pd.DataFrame(rows)
        frame.attrs = {"status": self.status, "prob": prob, "note": LAW_AS_TRUE}
        return frame

    def mean(self, tasks: Sequence[str] | None = None, prob: float = 0.9) -> pd.DataFrame:
        """The mean accuracy over `tasks` (None: all that have accuracies), draw by draw: one row a target.

        The noise of a run is drawn for each loss series by itself; what a run's scores have in common beyond their losses is not known here.
        """
        tails = check_prob(prob)
        accuracy = self.draws["accuracy"]
        scored = [str(t) for t in accuracy.task.values if not np.isnan(accuracy.sel(task=t)).all()]
        chosen = scored if tasks is None else list(tasks)
        unknown = [t for t in chosen if t not in scored]
        if unknown or not chosen:
            raise SettingError(
                "tasks",
                rule="must be tasks of the forecast that have accuracies",
                got=repr(unknown[0] if unknown else []),
                way_out=f"use some of {', '.join(scored)}",
            )
        averaged = accuracy.sel(task=chosen).mean("task", skipna=False)
        frame = pd.DataFrame([{"target": t.label, **_figures(np.ravel(averaged.sel(target=t.label)), tails)} for t in self.targets])
        frame.attrs = {"status": self.status, "prob": prob, "tasks": chosen, "note": LAW_AS_TRUE}
        return frame

    def __repr__(self) -> str:
        names = ", ".join(t.label for t in self.targets[:4]) + (", ..." if len(self.targets) > 4 else "")
        return f"Forecast({len(self.targets)} targets: {names}; {self.draws.sizes['task']} tasks; checks of the fit: {self.status})"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>" + self.to_frame().to_html(index=False, float_format=lambda v: f"{v:.4g}") + f"<p>{LAW_AS_TRUE}</p>"


def forecast(fit: Fit, target: Target | Sequence[Target], *, seed: int = 0) -> Forecast:
    """L* = f(N*, D*) e^noise, accuracy* = link(L*) + noise, draw by draw.

    Parameters
    ----------
    fit
        The posteriors. A fit whose checks failed still forecasts, and the forecast says so.
    target
        One target, or several: their draws are joint.
    seed
        Of the noise. Targets that are to be compared belong into one call: two calls of one seed share their noise.

    Raises
    ------
    DataError
        For a corpus that the ladder lacks, none where it has several, other conventions than the ladder's, two targets of one name, or, where law
        ``compute`` was fitted on measured compute, a target without it.
    """
    targets = (target,) if isinstance(target, Target) else tuple(target)
    if not targets or len({t.label for t in targets}) < len(targets):
        raise DataError(
            "targets", rule="must be one or more, with different names", got=", ".join(t.label for t in targets) or "none", way_out="name them apart"
        )
    losses, accuracies = fit.loss_data, fit.accuracy_data
    corpora = [corpus_of(t, losses) for t in targets]
    for t in targets:
        same_conventions(t, fit.ladder.conventions)
    keys = jax.random.split(random_key(seed, "forecast"), 2)
    loss = _loss_draws(fit, losses, targets, keys[0])
    table = _table(fit, losses, accuracies, targets, corpora)
    accuracy = {} if accuracies is None else _accuracy_draws(fit, accuracies, loss, targets, corpora, keys[1])
    tasks = list(dict.fromkeys(table["task"]))
    shape = (fit.sampler.chains, fit.sampler.draws)
    blank = np.full(shape, np.nan)
    name_of = fit.ladder.loss_name_of
    cells = {
        "loss": [[loss.get((i, c, name_of[t]), blank) for t in tasks] for i, c in enumerate(corpora)],
        "accuracy": [[accuracy.get((i, c, t), blank) for t in tasks] for i, c in enumerate(corpora)],
    }
    coords = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1]), "target": [t.label for t in targets], "task": tasks}
    draws = xr.Dataset({k: (("target", "task", "chain", "draw"), np.array(v)) for k, v in cells.items()}, coords=coords).transpose(
        "chain", "draw", "target", "task"
    )
    draws.attrs = {"status": fit.status, "seed": seed}
    return Forecast(draws, targets, table, extrapolation(fit.ladder, losses, targets), fit.status)


def _loss_draws(fit: Fit, data: LossData, targets: Sequence[Target], key: jax.Array) -> dict[tuple[int, str, str], np.ndarray]:
    """Loss of every target in every series of its corpus, by (target, corpus, loss name)."""
    model = loss_model(fit.law, data.factors, pooling=fit.pooling, noise=fit.noise)
    real, shape = _real_draws(fit.losses, model, data.factors.names, "loss_name")
    at = _points(data, fit.law.name, targets)
    shift = jnp.asarray([t.shift or 0.0 for t in targets])

    def one(real: dict[str, jax.Array], key: jax.Array) -> jax.Array:
        mean, sd = model.expectation(real, _grid(at, data.factors.series))
        run, whole = jax.random.split(key)
        return model.scatter(mean, sd, real.get("tail")).sample(run) + shift * jax.random.normal(whole, shift.shape)

    draws = np.asarray(jnp.exp(jax.jit(jax.vmap(one))(real, jax.random.split(key, shape[0] * shape[1])))).reshape(*shape, data.factors.series, len(targets))
    series = [(data.factors.corpora[c], data.factors.names[j]) for c, j in zip(data.factors.corpus, data.factors.name, strict=True)]
    return {(i, *names): draws[:, :, s, i] for s, names in enumerate(series) for i in range(len(targets))}


def _accuracy_draws(
    fit: Fit, data: AccuracyData, loss: dict[tuple[int, str, str], np.ndarray], targets: Sequence[Target], corpora: Sequence[str], key: jax.Array
) -> dict[tuple[int, str, str], np.ndarray]:
    """Accuracy of every target in every task of its corpus; the noisy score is cut off at 0 and 1."""
    assert fit.link is not None
    assert fit.accuracies is not None
    model = accuracy_model(fit.link, data.factors, pooling=fit.pooling)
    real, shape = _real_draws(fit.accuracies, model, data.factors.names, "task")
    names = [(data.factors.corpora[c], data.factors.names[j]) for c, j in zip(data.factors.corpus, data.factors.name, strict=True)]
    blank = np.full(shape, np.nan)
    through = np.array([[loss.get((i, corpus, via), blank) for i in range(len(targets))] for (corpus, _), via in zip(names, data.via, strict=True)])
    z = (through - data.centre[:, None, None, None]) / data.scale[:, None, None, None]
    flat = jnp.asarray(z.transpose(2, 3, 0, 1).reshape(-1, len(names), len(targets)))
    items = jnp.broadcast_to(jnp.asarray(data.items)[:, None], flat.shape[1:])

    def one(real: dict[str, jax.Array], z: jax.Array, key: jax.Array) -> jax.Array:
        mean, sd = model.expectation(real, _unobserved(z, items))
        return jnp.clip(model.scatter(jnp.clip(mean, 0.0, 1.0), sd, None).sample(key), 0.0, 1.0)

    draws = np.asarray(jax.jit(jax.vmap(one))(real, flat, jax.random.split(key, flat.shape[0]))).reshape(*shape, len(names), len(targets))
    return {(i, *pair): draws[:, :, s, i] for s, pair in enumerate(names) for i, corpus in enumerate(corpora) if pair[0] == corpus}


def _grid(at: object, series: int) -> Layout:
    x = jax.tree.map(lambda v: jnp.broadcast_to(jnp.asarray(v), (series, len(v))), at)
    return _unobserved(x, jnp.ones_like(jax.tree.leaves(x)[0]))


def _unobserved(x: object, items: jax.Array) -> Layout:
    """Cells whose outcome nobody knows yet."""
    return Layout(jnp.zeros(items.shape), jnp.zeros(items.shape, bool), x, items)


def _real_draws(tree: xr.DataTree, model: SeriesModel, names: Sequence[str], dim: str) -> tuple[dict[str, jax.Array], tuple[int, int]]:
    """Parameters of every series on the real line, (draws, series), from the posterior's natural values."""
    posterior = tree["posterior"].to_dataset()
    f = model.pooling.factors
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    real = {}
    for p in model.pooling.parameters:
        grid = posterior[p.name].transpose("chain", "draw", "corpus", dim).values.reshape(-1, len(f.corpora), len(names))
        real[p.name] = p.transform.inv(jnp.asarray(grid[:, list(f.corpus), list(f.name)]))
    if "tail" in posterior:
        real["tail"] = jnp.log(posterior["tail"].values.reshape(-1))
    return real, shape


def _points(data: LossData, law: str, targets: Sequence[Target]) -> object:
    flops = [t.flops if data.compute_is_measured and t.flops is not None else t.compute_6nd for t in targets]
    unmeasured = [t.label for t in targets if t.flops is None]
    if law == "compute" and data.compute_is_measured and unmeasured:
        raise DataError(
            f"flops of target {unmeasured[0]!r}",
            rule="must be given where law compute was fitted on measured FLOPs",
            got="none",
            way_out="give flops=, or fit a ladder without a flops column",
        )
    reference: Reference = data.reference
    params, tokens = (np.array([getattr(t, k) for t in targets]) for k in ("params", "tokens"))
    return point(params, tokens, np.array(flops), reference, np.array([t.unique_tokens or t.tokens for t in targets]))


def _table(fit: Fit, losses: LossData, accuracies: AccuracyData | None, targets: Sequence[Target], corpora: Sequence[str]) -> pd.DataFrame:
    """One row a (target, task) that can be forecast."""
    name_of = fit.ladder.loss_name_of
    has_loss = {(losses.factors.corpora[c], losses.factors.names[j]) for c, j in zip(losses.factors.corpus, losses.factors.name, strict=True)}
    via, verdict = {}, fit.verdicts()["verdict"].to_dict()
    if accuracies is not None:
        f = accuracies.factors
        via = {(f.corpora[c], f.names[j]): v for c, j, v in zip(f.corpus, f.name, accuracies.via, strict=True)}

    def about_accuracy(c: str, task: str) -> dict[str, str | None]:
        known = (c, via.get((c, task))) in has_loss
        return {"via": via[c, task] if known else None, "verdict": verdict[task] if known else None}

    rows = [
        {"target": t.label, "corpus": c, "task": task, "loss_name": name, **about_accuracy(c, task)}
        for t, c in zip(targets, corpora, strict=True)
        for task, name in name_of.items()
        if (c, name) in has_loss
    ]
    return pd.DataFrame(rows)


def _figures(values: np.ndarray, tails: tuple[float, float]) -> dict[str, float]:
    lower, median, upper = np.quantile(values, [tails[0], 0.5, tails[1]])
    return {"mean": float(values.mean()), "median": float(median), "sd": float(values.std()), "lower": float(lower), "upper": float(upper)}
