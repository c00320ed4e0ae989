"""forecast(fit, targets) -> Forecast: a law, its error, the run's own noise, hence a loss; a link
at that loss, its error, the score's noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.checks import Status
from bayescale.data.names import paragraph
from bayescale.data.target import Target
from bayescale.errors import DataError, SettingError
from bayescale.extrapolation.predictive import COMPONENTS, LOSS_COMPONENTS
from bayescale.fits.record import Fit
from bayescale.forecasts.components import MixedParts, Parts, make_parts, shared_variance
from bayescale.forecasts.placement import corpus_of, extrapolation, same_conventions
from bayescale.runtime import STREAMS, check_seed
from bayescale.validation import check_prob


@dataclass(frozen=True, repr=False)
class Forecast:
    """Joint draws of the losses and accuracies of one or more targets.

    Parameters
    ----------
    draws
        xarray Dataset: ``loss`` and ``accuracy`` over (chain, draw, target, task). A declared
        series is a task without accuracies (nan).
    targets
        In the order of the draws.
    table
        One row a (target, task): corpus, loss_name, via and verdict (both None where there is no
        accuracy).
    extrapolation
        One row a target: extrapolation_factor, and note (empty, or what makes the target unlike the
        runs).
    status
        Of the fit that it came from: ``fail`` stays on everything.
    note
        What its intervals hold, and on what that rests.
    parts
        What the draws are put together from, losses and accuracies; and where in them each (target,
        corpus, name) is.
    """

    draws: xr.Dataset
    targets: tuple[Target, ...]
    table: pd.DataFrame
    extrapolation: pd.DataFrame
    status: Status
    note: str
    parts: Parts | MixedParts

    def to_frame(self, prob: float = 0.9) -> pd.DataFrame:
        """One row a (target, task, quantity): mean, median, sd, and the equal-tailed interval of
        probability `prob`.

        Columns: target, corpus, task, quantity (``loss`` | ``accuracy``), mean, median, sd, lower,
        upper, loss_name, via, verdict (see `Fit.verdicts`). ``frame.attrs`` holds the status of the
        fit, `prob`, and the note that goes with the intervals.
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
        frame.attrs = {"status": self.status, "prob": prob, "note": self.note}
        return frame

    def mean(self, tasks: Sequence[str] | None = None, prob: float = 0.9) -> pd.DataFrame:
        """The mean accuracy over `tasks` (None: all that have accuracies), draw by draw: one row a
        target.

        The noise of a run is drawn for each loss series by itself; what a run's scores have in
        common beyond their losses is not known here.
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
        frame = pd.DataFrame(
            [
                {"target": t.label, **_figures(np.ravel(averaged.sel(target=t.label)), tails)}
                for t in self.targets
            ]
        )
        frame.attrs = {"status": self.status, "prob": prob, "tasks": chosen, "note": self.note}
        return frame

    def compare(self, a: str, b: str, prob: float = 0.9) -> pd.DataFrame:
        """P(a better than b), and a - b: mean, median, sd and interval, from joint draws; one row a
        (task, quantity) that both targets have.

        Better is a higher accuracy, a lower loss. Both share the law's error, so their difference
        is known far better than either level.

        Parameters
        ----------
        a, b
            Names of two targets of this forecast.
        prob
            Of the interval of the difference.
        """
        tails, names = check_prob(prob), [t.label for t in self.targets]
        for name in (a, b):
            if name not in names:
                raise SettingError(
                    "targets to compare",
                    rule="must be targets of this forecast",
                    got=repr(name),
                    way_out=f"use two of {', '.join(names)}",
                )
        rows = []
        for task in self.draws.task.values:
            for quantity in ("loss", "accuracy"):
                difference = np.ravel(
                    self.draws[quantity].sel(target=a, task=task)
                    - self.draws[quantity].sel(target=b, task=task)
                )
                if not np.isnan(difference).all():
                    better = difference < 0 if quantity == "loss" else difference > 0
                    share = float(better.mean() + 0.5 * (difference == 0).mean())
                    rows.append(
                        {
                            "a": a,
                            "b": b,
                            "task": str(task),
                            "quantity": quantity,
                            "prob_a_better": share,
                            **_figures(difference, tails),
                        }
                    )
        frame = pd.DataFrame(rows)
        frame.attrs = {"status": self.status, "prob": prob, "note": self.note}
        return frame

    def variance(self) -> pd.DataFrame:
        """Share_k = (Var E[y | parts 1..k] - Var E[y | parts 1..k-1]) / Var y for each (target,
        task, quantity); the shares of a row sum to 1.

        The parts are conditioned on in this order: law parameters, discrepancy (of the law, with a
        target's `shift`), run-to-run noise, link parameters, link discrepancy, scoring noise. Which
        law of a mixture it is counts as a parameter of the law, which link or route as one of the
        link. Var E[y | parts] is the covariance of y with the same forecast whose other parts are
        drawn anew (Sobol 2001, Mathematics and Computers in Simulation 55). Columns: target,
        corpus, task, quantity, sd, and one a part (nil for a part that comes after).
        """
        rng = np.random.default_rng([int(self.draws.attrs["seed"]), STREAMS.index("variance")])
        whole = self.parts.cells(None)
        shared = {
            k: shared_variance(self.parts, whole, COMPONENTS[: k + 1], rng)
            for k in range(len(COMPONENTS) - 1)
        }
        rows = []
        for row in self.table.itertuples():
            for quantity, name in (("loss", row.loss_name), ("accuracy", row.task)):
                key = (quantity, row.target, name)
                if key not in whole or np.isnan(whole[key]).all():
                    continue
                total = float(whole[key].var())
                last = len(LOSS_COMPONENTS) - 1 if quantity == "loss" else len(COMPONENTS) - 1
                steps = np.clip(
                    np.maximum.accumulate([0.0, *(shared[k][key] for k in range(last)), total]),
                    0.0,
                    total,
                )
                shares = np.diff(steps) / total if total > 0 else np.eye(last + 1)[0]
                about = {
                    "target": row.target,
                    "corpus": row.corpus,
                    "task": row.task,
                    "quantity": quantity,
                    "sd": total**0.5,
                }
                rows.append(
                    about
                    | dict(
                        zip(
                            COMPONENTS,
                            [*shares, *[0.0] * (len(COMPONENTS) - 1 - last)],
                            strict=True,
                        )
                    )
                )
        return pd.DataFrame(rows)

    def scaled(self, by: float) -> Forecast:
        """The same forecast, the errors of law and link beyond the ladder `by` times as large: what
        a decision hangs on.
        """
        parts, sizes = self.parts.scaled(by), self.draws.sizes
        draws = _dataset(parts, self.targets, self.table, (sizes["chain"], sizes["draw"]))
        draws.attrs = dict(self.draws.attrs)
        return replace(self, draws=draws, parts=parts)

    def __repr__(self) -> str:
        names = ", ".join(t.label for t in self.targets[:4]) + (
            ", ..." if len(self.targets) > 4 else ""
        )
        return f"Forecast({len(self.targets)} targets: {names}; {self.draws.sizes['task']} tasks; checks of the fit: {self.status})"

    def _repr_html_(self) -> str:
        return (
            paragraph(repr(self))
            + self.to_frame().to_html(index=False, float_format=lambda v: f"{v:.4g}")
            + paragraph(self.note)
        )


def forecast(fit: Fit, target: Target | Sequence[Target], *, seed: int = 0) -> Forecast:
    """L* = f(N*, D*) e^noise, accuracy* = link(L*) + noise, draw by draw.

    Parameters
    ----------
    fit
        The posteriors. A fit whose checks failed still forecasts, and the forecast says so.
    target
        One target, or several: their draws are joint.
    seed
        Of the noise. Targets that are to be compared belong into one call: two calls of one seed
        share their noise.

    Raises
    ------
    DataError
        For a corpus that the ladder lacks, none where it has several, other conventions than the
        ladder's, two targets of one name, or, where law ``compute`` was fitted on measured compute,
        a target without it.
    """
    targets = (target,) if isinstance(target, Target) else tuple(target)
    if not all(isinstance(t, Target) for t in targets):
        raise SettingError(
            "target",
            rule="must be a Target, or several",
            got=repr(target),
            way_out="such as Target(params=7e9, tokens=4e12), or ladder.targets()",
        )
    if not targets or len({t.label for t in targets}) < len(targets):
        raise DataError(
            "targets",
            rule="must be one or more, with different names",
            got=", ".join(t.label for t in targets) or "none",
            way_out="name them apart",
        )
    losses = fit.loss_data
    corpora = [corpus_of(t, losses) for t in targets]
    for t in targets:
        same_conventions(t, fit.ladder.conventions)
    check_seed(seed)
    parts = make_parts(fit, targets, corpora, seed)
    table = _table(fit, targets, corpora)
    draws = _dataset(parts, targets, table, (fit.sampler.chains, fit.sampler.draws))
    draws.attrs = {"status": fit.status, "seed": seed}
    widened = [f"{t.label} {t.shift:g}" for t in targets if t.shift]
    note = fit.discrepancy.note + (
        f" Widened on purpose, by an sd of log loss: {', '.join(widened)}." if widened else ""
    )
    return Forecast(
        draws, targets, table, extrapolation(fit.ladder, losses, targets), fit.status, note, parts
    )


def _dataset(
    parts: Parts | MixedParts,
    targets: Sequence[Target],
    table: pd.DataFrame,
    shape: tuple[int, int],
) -> xr.Dataset:
    """Every cell over (chain, draw, target, task), nan where there is none."""
    name_of = dict(zip(table["task"], table["loss_name"], strict=True))
    labels, found, blank = (
        [t.label for t in targets],
        parts.cells(None),
        np.full(shape[0] * shape[1], np.nan),
    )
    cells = {
        "loss": [
            [found.get(("loss", label, name), blank) for name in name_of.values()]
            for label in labels
        ],
        "accuracy": [
            [found.get(("accuracy", label, task), blank) for task in name_of] for label in labels
        ],
    }
    coords = {
        "chain": np.arange(shape[0]),
        "draw": np.arange(shape[1]),
        "target": labels,
        "task": list(name_of),
    }
    dims = ("chain", "draw", "target", "task")
    return xr.Dataset(
        {
            k: (dims, np.moveaxis(np.array(v), -1, 0).reshape(*shape, *np.shape(v)[:2]))
            for k, v in cells.items()
        },
        coords=coords,
    )


def _table(fit: Fit, targets: Sequence[Target], corpora: Sequence[str]) -> pd.DataFrame:
    """One row a (target, task) that can be forecast; via and verdict are those of the heaviest
    route.
    """
    losses, name_of = fit.loss_data, fit.ladder.loss_name_of
    has_loss = set(losses.groups.pairs)
    via: dict[tuple[str, str], str] = {}
    verdict: dict[str, str] = {}
    heaviest = (
        {
            str(task): int(of["weight"].to_numpy().argmax())
            for task, of in fit.weights.groupby("task")
        }
        if fit.members
        else {}
    )
    for m, member in enumerate(fit.members or (fit,)):
        if member.accuracy_data is None:
            continue
        found = member.verdicts()["verdict"]
        for (corpus, task), name in zip(
            member.accuracy_data.groups.pairs, member.accuracy_data.via, strict=True
        ):
            if heaviest.get(task, heaviest.get("", 0)) == m:
                via[corpus, task], verdict[task] = name, found[task]

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
    return {
        "mean": float(values.mean()),
        "median": float(median),
        "sd": float(values.std()),
        "lower": float(lower),
        "upper": float(upper),
    }
