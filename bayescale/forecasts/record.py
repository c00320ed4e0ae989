"""Forecast: joint draws of losses and accuracies of runs to come, and their summaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.checks import Status
from bayescale.data.names import paragraph, suggested
from bayescale.data.target import Target
from bayescale.errors import SettingError
from bayescale.forecasts.components import ForecastComponents, variance_shares
from bayescale.inference.summary import summarise
from bayescale.runtime import random_generator
from bayescale.validation import check_prob, require_kind, require_names, require_number, shown

QUANTITIES = ("loss", "accuracy")


@dataclass(frozen=True, repr=False)
class Forecast:
    """Joint draws of the losses and accuracies of one or more targets.

    Parameters
    ----------
    draws
        xarray Dataset: ``loss`` and ``accuracy`` over (chain, draw, target, task). A declared
        series is a task without accuracies (nan).
    targets
        The targets, in the order of the draws.
    table
        One row per (target, task): target, corpus, task, loss_name, via and verdict (both None
        where there is no accuracy).
    extrapolation
        One row per target: see `bayescale.forecasts.placement.extrapolation`.
    status
        Gravest status of the checks of the fit: ``fail`` stays on everything made from it.
    note
        What the intervals allow for, and what that rests on.
    components
        The components that the draws are put together from.
    """

    draws: xr.Dataset
    targets: tuple[Target, ...]
    table: pd.DataFrame
    extrapolation: pd.DataFrame
    status: Status
    note: str
    components: ForecastComponents

    def to_frame(self, prob: float = 0.9) -> pd.DataFrame:
        """Mean, median, sd and equal-tailed interval of every loss and accuracy.

        Parameters
        ----------
        prob
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            One row per (target, task, quantity): target, corpus, task, quantity (``loss`` or
            ``accuracy``), mean, median, sd, lower, upper, loss_name, via, verdict (see
            `Fit.verdicts`). ``frame.attrs`` holds the status of the fit, `prob`, and the note that
            goes with the intervals.

        Raises
        ------
        SettingError
            For a probability that does not lie between 0 and 1.
        """
        check_prob(prob)
        rows = []
        for row in self.table.itertuples():
            for quantity in QUANTITIES:
                values = np.ravel(self.draws[quantity].sel(target=row.target, task=row.task))
                linked = quantity == "accuracy"
                if linked and pd.isna(row.via):
                    continue
                rows.append(
                    {
                        "target": row.target,
                        "corpus": row.corpus,
                        "task": row.task,
                        "quantity": quantity,
                        **summarise(values, prob),
                        "loss_name": row.loss_name,
                        "via": row.via if linked else None,
                        "verdict": row.verdict if linked else None,
                    }
                )
        return self._with_attributes(pd.DataFrame(rows), prob=prob)

    def mean(self, tasks: Sequence[str] | None = None, prob: float = 0.9) -> pd.DataFrame:
        """The mean accuracy over tasks, averaged draw by draw.

        The noise of a run is drawn for each loss series by itself. What the scores of a run have in
        common beyond their losses is unknown here.

        Parameters
        ----------
        tasks
            Tasks of the mean; None for all tasks that have accuracies.
        prob
            Probability of the interval.

        Returns
        -------
        pandas.DataFrame
            One row per target: target, mean, median, sd, lower, upper. ``frame.attrs`` holds the
            status of the fit, `prob`, the tasks and the note.

        Raises
        ------
        SettingError
            For a task without accuracies, no task at all, or a probability that does not lie
            between 0 and 1.
        """
        check_prob(prob)
        accuracy = self.draws["accuracy"]
        linked = set(self.table.loc[self.table["via"].notna(), "task"])
        scored = [str(task) for task in accuracy.task.values if str(task) in linked]
        chosen = scored if tasks is None else list(require_names("tasks", tasks))
        unknown = [task for task in chosen if task not in scored]
        if unknown or not chosen:
            raise SettingError(
                "tasks",
                rule="must be tasks of the forecast that have accuracies",
                got=repr(unknown[0] if unknown else []),
                way_out=f"use {suggested(unknown[0] if unknown else '', scored)}",
            )
        averaged = accuracy.sel(task=chosen).mean("task", skipna=False)
        rows = [
            {
                "target": target.label,
                **summarise(np.ravel(averaged.sel(target=target.label)), prob),
            }
            for target in self.targets
        ]
        return self._with_attributes(pd.DataFrame(rows), prob=prob, tasks=chosen)

    def compare(self, a: str, b: str, prob: float = 0.9) -> pd.DataFrame:
        """P(a better than b), and a - b, from joint draws.

        Better is a higher accuracy, or a lower loss. Both targets share the law's error, so their
        difference is known far better than either level.

        Parameters
        ----------
        a, b
            Names of two targets of this forecast.
        prob
            Probability of the interval of the difference.

        Returns
        -------
        pandas.DataFrame
            One row per (task, quantity) that both targets have: a, b, task, quantity,
            prob_a_better, and mean, median, sd, lower and upper of a - b.

        Raises
        ------
        SettingError
            For a name that is not a target of this forecast, or a probability that does not lie
            between 0 and 1.
        """
        check_prob(prob)
        names = [target.label for target in self.targets]
        for name in (a, b):
            if not isinstance(name, str) or name not in names:
                raise SettingError(
                    "targets to compare",
                    rule="must be targets of this forecast",
                    got=shown(name),
                    way_out=f"use two of {', '.join(names)}",
                )
        rows = []
        for task in self.draws.task.values:
            for quantity in QUANTITIES:
                draws = self.draws[quantity].sel(task=task)
                difference = np.ravel(draws.sel(target=a) - draws.sel(target=b))
                if np.isnan(difference).all():
                    continue
                better = difference < 0 if quantity == "loss" else difference > 0
                share = float(better.mean() + 0.5 * (difference == 0).mean())
                key = {"a": a, "b": b, "task": str(task), "quantity": quantity}
                rows.append({**key, "prob_a_better": share, **summarise(difference, prob)})
        return self._with_attributes(pd.DataFrame(rows), prob=prob)

    def variance(self) -> pd.DataFrame:
        """Share_k = (Var E[y | components 1..k] - Var E[y | components 1..k-1]) / Var y.

        The components are conditioned on in this order: law parameters, discrepancy (of the law,
        with a target's `shift`), run-to-run noise, link parameters, link discrepancy, scoring
        noise. What the runs tell of the errors counts with the parameters. Which law of a mixture a
        draw comes from counts as a parameter of the law, which link as one of the link.
        Var E[y | components] is the covariance of y with the same forecast whose other components
        are drawn again (Sobol 2001, Mathematics and Computers in Simulation 55).

        Returns
        -------
        pandas.DataFrame
            One row per (target, task, quantity): target, corpus, task, quantity, sd, and one column
            per component (0 for a component that comes after). The shares of a row sum to 1.
        """
        rng = random_generator(int(self.draws.attrs["seed"]), "variance")
        shares = variance_shares(self.components, rng)
        rows = []
        for row in self.table.itertuples():
            for quantity, name in (("loss", row.loss_name), ("accuracy", row.task)):
                if (quantity, row.target, name) in shares:
                    key = {"target": row.target, "corpus": row.corpus, "task": row.task}
                    columns = shares[quantity, row.target, name]
                    rows.append({**key, "quantity": quantity, **columns})
        return pd.DataFrame(rows)

    def scaled(self, by: float) -> Forecast:
        """The same forecast, with what is unknown of the errors of law and link times `by`.

        A decision uses it to show how much depends on these errors.

        Raises
        ------
        SettingError
            For a factor that is not a finite number, 0 or more.
        """
        rule, way_out = "must be 0 or more", "such as forecast.scaled(2.0)"
        by = require_number("by", by, lambda x: x >= 0, rule=rule, way_out=way_out)
        components = self.components.scaled(by)
        shape = (self.draws.sizes["chain"], self.draws.sizes["draw"])
        draws = make_dataset(components, self.targets, self.table, shape)
        draws.attrs = dict(self.draws.attrs)
        return replace(self, draws=draws, components=components)

    def _with_attributes(self, frame: pd.DataFrame, **attributes: object) -> pd.DataFrame:
        frame.attrs = {"status": self.status, **attributes, "note": self.note}
        return frame

    def __repr__(self) -> str:
        names = ", ".join(target.label for target in self.targets[:4])
        more = ", ..." if len(self.targets) > 4 else ""
        return (
            f"Forecast({len(self.targets)} targets: {names}{more}; "
            f"{self.draws.sizes['task']} tasks; checks of the fit: {self.status})"
        )

    def _repr_html_(self) -> str:
        table = self.to_frame().to_html(index=False, float_format=lambda v: f"{v:.4g}")
        return paragraph(repr(self)) + table + paragraph(self.note)


def require_forecast(forecast: object) -> None:
    """Check that an argument is a `Forecast`.

    Raises
    ------
    SettingError
        For anything else.
    """
    rule, way_out = "must be a result of bayescale.forecast", "such as forecast(fit, targets)"
    require_kind("forecast", forecast, Forecast, rule=rule, way_out=way_out)


def make_dataset(
    components: ForecastComponents,
    targets: Sequence[Target],
    table: pd.DataFrame,
    shape: tuple[int, int],
) -> xr.Dataset:
    """Every cell over (chain, draw, target, task), nan where there is none."""
    loss_name_of = dict(zip(table["task"], table["loss_name"], strict=True))
    labels = [target.label for target in targets]
    cells = components.cells(None)
    blank = np.full(shape[0] * shape[1], np.nan)

    def rectangle(quantity: str, names: Sequence[str]) -> np.ndarray:
        draws = [[cells.get((quantity, label, name), blank) for name in names] for label in labels]
        values = np.moveaxis(np.array(draws), -1, 0)
        return values.reshape(*shape, len(labels), len(names))

    dims = ("chain", "draw", "target", "task")
    variables = {
        "loss": (dims, rectangle("loss", list(loss_name_of.values()))),
        "accuracy": (dims, rectangle("accuracy", list(loss_name_of))),
    }
    coords = {
        "chain": np.arange(shape[0]),
        "draw": np.arange(shape[1]),
        "target": labels,
        "task": list(loss_name_of),
    }
    return xr.Dataset(variables, coords=coords)
