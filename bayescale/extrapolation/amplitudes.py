"""Discrepancy: how far law and link err at a ladder, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.inference.modes import prior_moments
from bayescale.inference.summary import interval
from bayescale.models.parameters import NORMAL_95
from bayescale.models.series import SeriesModel
from bayescale.models.stages import Stages

DiscrepancyMode = Literal["calibrated", "none"]
DISCREPANCY_MODES: tuple[DiscrepancyMode, ...] = get_args(DiscrepancyMode)
COLUMNS = (
    "step", "kind", "series", "unit", "median", "lower", "upper",
    "median_prior", "lower_prior", "upper_prior",
)  # fmt: skip


@dataclass(frozen=True)
class Discrepancy:
    """The sd of the error of law and link at a ladder.

    Parameters
    ----------
    kind
        The mode that was asked for: ``calibrated`` or ``none``.
    table
        One row per step and kind of series: step (``loss`` or ``accuracy``), kind, series (their
        number), unit (``%`` of the loss, or ``logits``), median, lower and upper (5 % and 95 %
        quantiles) of the sd of one series, and the same of the prior with suffix ``_prior``. Empty
        for ``none``.
    """

    kind: DiscrepancyMode
    table: pd.DataFrame

    @property
    def note(self) -> str:
        """What the intervals allow for, in one sentence."""
        if self.kind == "none":
            return (
                "Intervals take the law and the link as true: they will be too narrow far from the "
                "ladder's own compute."
            )
        parts = []
        for row in self.table.itertuples():
            curve = "link" if row.step == "accuracy" else f"law of {row.kind} losses"
            unit = " %" if row.unit == "%" else f" {row.unit}"
            parts.append(
                f"{curve} {row.median:.2g}{unit} ({row.lower:.2g} to {row.upper:.2g}; by its prior "
                f"{row.median_prior:.2g})"
            )
        return (
            "Intervals allow for errors of law and link, whose sd was learned with the rest: "
            f"{'; '.join(parts)}."
        )

    def to_frame(self) -> pd.DataFrame:
        """`table`."""
        return self.table.copy()


def make_discrepancy(
    kind: DiscrepancyMode,
    models: Stages[SeriesModel, SeriesModel],
    trees: Stages[xr.DataTree, xr.DataTree],
) -> Discrepancy:
    """The posterior of every sd beside its prior.

    Parameters
    ----------
    kind
        The mode that was asked for.
    models
        The models that were fitted.
    trees
        Their posteriors.
    """
    rows = []
    for (step, model), (_, tree) in zip(models.named(), trees.named(), strict=True):
        if model.amplitude is None:
            continue
        groups = model.pooling.groups
        draws = tree["posterior"][model.amplitude].transpose("corpus", groups.name_of_names, ...)
        loc, sd = _prior(model)
        scale, unit = (100.0, "%") if step == "loss" else (1.0, "logits")
        for k, kind_name in enumerate(groups.kinds):
            series = np.flatnonzero(np.array(groups.kind) == k)
            cells = np.array(groups.corpus)[series], np.array(groups.name)[series]
            lower, median, upper = interval(np.ravel(draws.values[cells]))
            prior = np.exp(loc[series[0]] + sd[series[0]] * NORMAL_95 * np.array([-1, 0, 1]))
            rows.append(
                {
                    "step": step,
                    "kind": kind_name,
                    "series": len(series),
                    "unit": unit,
                    "median": scale * float(median),
                    "lower": scale * float(lower),
                    "upper": scale * float(upper),
                    "median_prior": scale * prior[1],
                    "lower_prior": scale * prior[0],
                    "upper_prior": scale * prior[2],
                }
            )
    return Discrepancy(kind, pd.DataFrame(rows, columns=list(COLUMNS)))


def _prior(model: SeriesModel) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of ln lambda of one series by its prior, shape (series,) each."""
    parameter = next(p for p in model.pooling.parameters if p.name == model.amplitude)
    loc, sd = prior_moments(model)[parameter.name]
    spread = parameter.pooling if model.pooling.pooled(parameter) else None
    return loc, np.sqrt(sd**2 + (spread or 0.0) ** 2)
