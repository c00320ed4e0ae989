"""Backtest: forecasts of finished runs, and how they held.

Coverage is given by extrapolation factor; scores stand beside those of the baselines.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.checks import Check, Status
from bayescale.data.names import paragraph
from bayescale.runtime import fixed_generator
from bayescale.validation import require_choice

# Nominal levels of the intervals.
LEVELS = (0.5, 0.8, 0.9, 0.95)
# Edges of the bins of the extrapolation factor.
BINS = (1.0, 3.0, 10.0, 30.0, 100.0)
BOOTSTRAPS = 1000
# Names of the models: the one that was asked for, and its baselines.
OURS = "bayescale"
NO_DISCREPANCY = "no discrepancy"
UNPOOLED = "unpooled"
POINT_FITS = "point fits"
LARGEST_RUN = "largest run"
SCORES = ["crps", "interval_score", "absolute_error", "bias", "inside_90", "width_90"]


@dataclass(frozen=True, repr=False)
class Backtest:
    """Forecasts of finished runs, by fits that had not seen them.

    Parameters
    ----------
    cases
        One row per (model, cut, run, quantity, name): corpus, role, extrapolation_factor, actual,
        mean, median, sd and the ends ``lower_50``, ``upper_50``, ... of the intervals in the unit
        of the quantity; error (median less actual), crps and interval_score (of the 90 % interval)
        in percent of a loss, or in points of an accuracy. ``name`` is a loss name or a task. The
        model that was asked for is called ``bayescale``.
    folds
        One row per (model, cut): runs (number of fitted runs), status of the checks, failed (checks
        that failed).
    by
        What the cuts are of: ``flops``, ``params`` or ``tokens``.
    """

    cases: pd.DataFrame
    folds: pd.DataFrame
    by: str

    @property
    def status(self) -> Status:
        """The gravest status among the fits of the model that was asked for."""
        statuses = self.folds.loc[self.folds["model"] == OURS, "status"]
        return checks.worst(Check("", status, 0.0, 0.0) for status in statuses)

    def coverage(self, model: str = OURS) -> pd.DataFrame:
        """Share of cases inside their intervals, by extrapolation factor and nominal level.

        Cases are averaged within each (series, cut), then within each cut. The 90 % interval is of
        a bootstrap over the cuts, because the errors of one cut have one cause. Cuts overlap, so
        this interval is too narrow rather than too wide.

        Parameters
        ----------
        model
            Name of a model of the backtest.

        Returns
        -------
        pandas.DataFrame
            One row per (quantity, factor, prob): quantity, factor (bin of the extrapolation
            factor), prob (nominal level), cases, clusters (number of cuts), coverage, lower, upper.

        Raises
        ------
        SettingError
            For a model that the backtest lacks.
        """
        require_choice("model", model, list(self.cases["model"].unique()))
        cases = self.cases[self.cases["model"] == model]
        cases = cases.assign(factor=factor_bin(cases["extrapolation_factor"]))
        rows = []
        for (quantity, factor), group in cases.groupby(["quantity", "factor"], observed=True):
            for prob in LEVELS:
                shares = covered(group, prob).to_numpy()
                rng = fixed_generator()
                again = rng.choice(shares, (BOOTSTRAPS, len(shares))).mean(1)
                lower, upper = np.quantile(again, [0.05, 0.95])
                rows.append(
                    {
                        "quantity": quantity,
                        "factor": str(factor),
                        "prob": prob,
                        "cases": len(group),
                        "clusters": len(shares),
                        "coverage": float(shares.mean()),
                        "lower": float(lower),
                        "upper": float(upper),
                    }
                )
        return self._with_status(pd.DataFrame(rows))

    def scores(self) -> pd.DataFrame:
        """Scores of every model over the cases that all models could forecast.

        They are averaged within (series, cut), within series, then over series.

        Returns
        -------
        pandas.DataFrame
            One row per (quantity, model): quantity, model, crps, interval_score, absolute_error,
            bias, inside_90, width_90 (in percent of a loss, in points of an accuracy), cases.
        """
        key = ["quantity", "cut", "run", "name"]
        count = self.cases.groupby(key)["model"].transform("nunique")
        common = self.cases[count == self.cases["model"].nunique()]
        unit = np.where(common["quantity"] == "loss", 100 / common["actual"], 100.0)
        scored = common.assign(
            absolute_error=common["error"].abs(),
            bias=common["error"],
            inside_90=inside(common, 0.9),
            width_90=(common["upper_90"] - common["lower_90"]) * unit,
        )
        model = ["quantity", "model"]
        series = [*model, "corpus", "name"]
        of_cut = scored.groupby([*series, "cut"], sort=False)[SCORES].mean()
        of_series = of_cut.groupby(series, sort=False).mean()
        of_model = of_series.groupby(model, sort=False).mean()
        cases = scored.groupby(model).size().rename("cases")
        return self._with_status(of_model.join(cases).reset_index())

    def _with_status(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame.attrs = {"status": self.status}
        return frame

    def __repr__(self) -> str:
        ours = self.cases[self.cases["model"] == OURS]
        return (
            f"Backtest({ours['cut'].nunique()} cuts of {self.by}, {len(ours)} cases, "
            f"checks of the fits: {self.status})"
        )

    def _repr_html_(self) -> str:
        failed = self.folds.loc[self.folds["failed"] != "", ["model", "cut", "runs", "failed"]]
        failures = ""
        if len(failed):
            failures = f"<p>checks that failed:</p>{failed.to_html(index=False)}"
        scores = self.scores().to_html(index=False, float_format=lambda v: f"{v:.3g}")
        return paragraph(repr(self)) + failures + scores


def factor_bin(factor: pd.Series) -> pd.Categorical:
    """Bin of each extrapolation factor: up to 1, 1-3, 3-10, 10-30, 30-100, > 100."""
    inner = [f"{low:g}-{high:g}" for low, high in itertools.pairwise(BINS)]
    labels = ["up to 1", *inner, f"> {BINS[-1]:g}"]
    return pd.cut(factor, [-np.inf, *BINS, np.inf], labels=labels)


def covered(cases: pd.DataFrame, prob: float) -> pd.Series:
    """Share of cases inside the interval of a level, indexed by cut.

    Cases are averaged within each (series, cut), then within each cut.
    """
    of_series = inside(cases, prob).groupby([cases["cut"], cases["corpus"], cases["name"]]).mean()
    return of_series.groupby("cut").mean()


def inside(cases: pd.DataFrame, prob: float) -> pd.Series:
    """1 where the interval of a level holds the outcome, else 0."""
    level = f"{100 * prob:.0f}"
    above = cases[f"lower_{level}"] <= cases["actual"]
    below = cases["actual"] <= cases[f"upper_{level}"]
    return (above & below).astype(float)
