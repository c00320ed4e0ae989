"""Backtest: forecasts of runs that came out, and how they held: coverage by extrapolation factor,
scores beside those of the baselines.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.checks import Check, Status
from bayescale.data.names import paragraph
from bayescale.errors import SettingError

LEVELS = (0.5, 0.8, 0.9, 0.95)
BINS = (1.0, 3.0, 10.0, 30.0, 100.0)
BOOTSTRAPS = 1000
OURS, NO_DISCREPANCY, UNPOOLED, POINT_FITS, LARGEST_RUN = (
    "bayescale",
    "no discrepancy",
    "unpooled",
    "point fits",
    "largest run",
)


@dataclass(frozen=True, repr=False)
class Backtest:
    """Forecasts of runs that came out, by fits that had not seen them.

    Parameters
    ----------
    cases
        One row a (model, cut, run, quantity, name): corpus, role, extrapolation_factor, actual,
        mean, median, sd and the ends ``lower_50``, ``upper_50``, ... of its intervals in the unit
        of the quantity; error (median less actual), crps and interval_score (of the 90 % interval)
        in percent of a loss, or in points of an accuracy. ``name`` is a loss name or a task. The
        model asked for is called ``bayescale``.
    folds
        One row a (model, cut): runs fitted, status of the checks, and what failed.
    by
        What the cuts are of.
    """

    cases: pd.DataFrame
    folds: pd.DataFrame
    by: str

    @property
    def status(self) -> Status:
        """The gravest status among the fits of the model asked for."""
        return checks.worst(
            Check("", s, 0.0, 0.0) for s in self.folds.loc[self.folds["model"] == OURS, "status"]
        )

    def coverage(self, model: str = OURS) -> pd.DataFrame:
        """Share of cases inside their intervals, by quantity, bin of the extrapolation factor, and
        nominal level.

        Columns quantity, factor, prob, cases, clusters, coverage, lower, upper: cases are averaged
        within each (series, cut), then within each cut, and the 90 % interval is of a bootstrap
        over the cuts, because the errors of one cut have one cause. Cuts overlap, so it is rather
        too narrow.
        """
        known = list(self.cases["model"].unique())
        if model not in known:
            raise SettingError(
                "model",
                rule=f"must be one of {', '.join(known)}",
                got=repr(model),
                way_out="mend the name",
            )
        mine = self.cases[self.cases["model"] == model]
        rows = []
        for (quantity, factor), of in mine.assign(
            factor=factor_bin(mine["extrapolation_factor"])
        ).groupby(["quantity", "factor"], observed=True):
            for prob in LEVELS:
                hits = covered(of, prob).to_numpy()
                again = np.random.default_rng(0).choice(hits, (BOOTSTRAPS, len(hits))).mean(1)
                lower, upper = np.quantile(again, [0.05, 0.95])
                figures = {
                    "cases": len(of),
                    "clusters": len(hits),
                    "coverage": float(hits.mean()),
                    "lower": float(lower),
                    "upper": float(upper),
                }
                rows.append({"quantity": quantity, "factor": str(factor), "prob": prob, **figures})
        return self._with_status(pd.DataFrame(rows))

    def scores(self) -> pd.DataFrame:
        """One row a (quantity, model): crps, interval_score, absolute_error, bias, inside_90,
        width_90, in percent of a loss, in points of an accuracy.

        Averaged within (series, cut), within series, then over series; over the cases that every
        model could forecast.
        """
        key = ["quantity", "cut", "run", "name"]
        count = self.cases.groupby(key)["model"].transform("nunique")
        common = self.cases[count == self.cases["model"].nunique()]
        unit = np.where(common["quantity"] == "loss", 100 / common["actual"], 100.0)
        figures = common.assign(
            absolute_error=common["error"].abs(),
            bias=common["error"],
            inside_90=inside(common, 0.9),
            width_90=(common["upper_90"] - common["lower_90"]) * unit,
        )
        names = ["crps", "interval_score", "absolute_error", "bias", "inside_90", "width_90"]
        by_cut = figures.groupby(["quantity", "model", "corpus", "name", "cut"], sort=False)[
            names
        ].mean()
        found = (
            by_cut.groupby(["quantity", "model", "corpus", "name"], sort=False)
            .mean()
            .groupby(["quantity", "model"], sort=False)
            .mean()
        )
        return self._with_status(
            found.join(figures.groupby(["quantity", "model"]).size().rename("cases")).reset_index()
        )

    def _with_status(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame.attrs = {"status": self.status}
        return frame

    def __repr__(self) -> str:
        ours = self.cases[self.cases["model"] == OURS]
        return f"Backtest({ours['cut'].nunique()} cuts of {self.by}, {len(ours)} cases, checks of the fits: {self.status})"

    def _repr_html_(self) -> str:
        failed = self.folds.loc[self.folds["failed"] != "", ["model", "cut", "runs", "failed"]]
        said = f"<p>checks that failed:</p>{failed.to_html(index=False)}" if len(failed) else ""
        return (
            paragraph(repr(self))
            + said
            + self.scores().to_html(index=False, float_format=lambda v: f"{v:.3g}")
        )


def factor_bin(factor: pd.Series) -> pd.Categorical:
    """Bin of each extrapolation factor: up to 1, 1-3, 3-10, 10-30, 30-100, > 100."""
    names = ["up to 1", *(f"{a:g}-{b:g}" for a, b in itertools.pairwise(BINS)), f"> {BINS[-1]:g}"]
    return pd.cut(factor, [-np.inf, *BINS, np.inf], labels=names)


def covered(cases: pd.DataFrame, prob: float) -> pd.Series:
    """Share of cases inside the interval of that level, averaged within each (series, cut), then
    within each cut; indexed by cut.
    """
    return (
        inside(cases, prob)
        .groupby([cases["cut"], cases["corpus"], cases["name"]])
        .mean()
        .groupby("cut")
        .mean()
    )


def inside(cases: pd.DataFrame, prob: float) -> pd.Series:
    """1 where the interval of that level holds what came out, else 0."""
    level = f"{100 * prob:.0f}"
    return (
        (cases[f"lower_{level}"] <= cases["actual"]) & (cases["actual"] <= cases[f"upper_{level}"])
    ).astype(float)
