"""What the law and the link do not know: errors that grow with compute beyond the ladder.

ln L* = ln f - l slope + noise, l = max(0, ln(C* / Cmax)). For the series s of one kind of loss,

    slope_s = r (common Z + by_name z_name(s) + own z_s),   Z, z ~ Normal(0, 1)
    ln r ~ Normal(0, 0.5), one scale r for all series of the kind.

The slopes of past errors, one set per earlier cut, follow the same law. Their correlation with the
future slopes is `persistence`. The error of the link has the same form in logits. Tasks have
nothing in common there; what the corpora share of a task is in `by_name`. The page on discrepancy
in the docs says where the numbers come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy.stats import multivariate_normal

from bayescale.checks import Check
from bayescale.models.parameters import NORMAL_95
from bayescale.models.pooling import Groups
from bayescale.models.stages import StageName
from bayescale.runtime import fixed_generator

DiscrepancyMode = Literal["calibrated", "prior", "none"]
DISCREPANCY_MODES: tuple[DiscrepancyMode, ...] = get_args(DiscrepancyMode)

# A kind of series whose longest one has fewer runs, or whose runs span fewer decades of compute,
# is a small ladder: it does not learn from its past.
MIN_RUNS = 12
MIN_DECADES = 1.5
# Prior sd of the slope of any law on a small ladder. It is twice what small parts of public sweeps
# ask for; the law's own posterior is wide there.
SMALL_LADDER = 0.005
# Earlier cuts that a calibration needs.
MIN_CUTS = 2
# Limits for fits of the past: a calibration needs the mean of a slope, not its tails.
MAX_PAST_RHAT = 1.05
MAX_PAST_DIVERGENT = 0.01
# sd of each series by itself, in units of what the series of a kind (for the link: of a task) have
# in common.
OWN = 0.25
# sd between the losses of tasks, per e-fold, the same for all corpora.
TASK_SD = 0.009
# Correlation of past with future slopes.
PERSISTENCE = 0.3
# sd of ln r.
SCALE_SD = 0.5
# Half-normal scale of the link's slope, in logits per e-fold.
LINK_SCALE = 0.08
_Z = np.linspace(-3.0, 3.0, 31)


@dataclass(frozen=True)
class Slopes:
    """Errors per e-fold of compute of a group of series: their prior, and what the past shows.

    Parameters
    ----------
    stage
        ``loss`` or ``accuracy``.
    kind
        Kind of the series: ``validation`` or ``task``.
    series
        Index of each series among the series of its stage.
    names
        Index of the loss name or task of each series.
    common
        Prior sd of the part that all series share, at r = 1.
    by_name
        Prior sd of the part that the series of one name share, at r = 1.
    own
        Prior sd of the part that each series has by itself, at r = 1.
    persistence
        Correlation of past and future slopes.
    half_normal
        True where r ~ HalfNormal(1), for an error that may be 0; False where r is log-normal.
    basis
        What the slopes rest on, in words.
    past_slopes
        Slopes of the past errors, shape (cuts, series); None where only the prior speaks.
    covariance
        Covariance of the past slopes of each cut, shape (cuts, series, series), or None. The cuts
        overlap, so together they count as one observation: of r by the mean of their log
        densities, of the future slopes by their mean.
    """

    stage: StageName
    kind: str
    series: tuple[int, ...]
    names: tuple[int, ...]
    common: float
    by_name: float
    own: float
    persistence: float
    half_normal: bool
    basis: str
    past_slopes: np.ndarray | None = None
    covariance: np.ndarray | None = None

    def scales(self) -> tuple[np.ndarray, np.ndarray]:
        """A grid of r, and the posterior probability of each value."""
        r, log_p = self._grid()
        log_p = log_p + self.log_likelihoods()
        p = np.exp(log_p - log_p.max())
        return r, p / p.sum()

    def log_likelihoods(self) -> np.ndarray:
        """Mean over the cuts of ln Normal(past slopes; 0, r^2 prior + covariance), for each r."""
        r = self._grid()[0]
        if self.past_slopes is None or self.covariance is None:
            return np.zeros(len(r))
        zero = np.zeros(len(self.series))
        cuts = list(zip(self.past_slopes, self.covariance, strict=True))
        densities = [
            [
                multivariate_normal.logpdf(b, zero, scale**2 * self.prior() + known)
                for b, known in cuts
            ]
            for scale in r
        ]
        return np.array([np.mean(row) for row in densities])

    def _grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Values of r and their prior log density."""
        if self.half_normal:
            r = np.linspace(0.05, 3.0, 60)
            return r, -0.5 * r**2
        return np.exp(SCALE_SD * _Z), -0.5 * _Z**2

    def draw(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Future slopes, shape (draws, series)."""
        r, p = self.scales()
        chosen = rng.choice(len(r), draws, p=p)
        u = rng.standard_normal((draws, len(self.series)))
        slopes = np.empty_like(u)
        for i in np.unique(chosen):
            mean, root = self._given(r[i])
            slopes[chosen == i] = mean + u[chosen == i] @ root.T
        return slopes

    def prior(self) -> np.ndarray:
        """Prior covariance of the slopes at r = 1, shape (series, series)."""
        name = np.array(self.names)
        same_name = name[:, None] == name
        return self.common**2 + self.by_name**2 * same_name + self.own**2 * np.eye(len(name))

    def _given(self, r: float) -> tuple[np.ndarray, np.ndarray]:
        """Mean of the future slopes and a root of their covariance, given r and the past."""
        prior = r**2 * self.prior()
        mean = np.zeros(len(prior))
        if self.past_slopes is not None and self.covariance is not None:
            known = prior + self.covariance.mean(0)
            gain = np.linalg.solve(known, self.persistence * prior).T
            mean = gain @ self.past_slopes.mean(0)
            prior = prior - gain @ (self.persistence * prior)
        values, vectors = np.linalg.eigh(prior)
        return mean, vectors * np.sqrt(np.maximum(values, 0.0))


@dataclass(frozen=True)
class Discrepancy:
    """The errors of law and link beyond the ladder, as a forecast draws them.

    Parameters
    ----------
    kind
        The mode that was asked for: ``calibrated``, ``prior`` or ``none``.
    slopes
        One entry per kind of loss, and one for the link.
    checks
        Checks of the fits of the past that it was calibrated on.
    """

    kind: DiscrepancyMode
    slopes: tuple[Slopes, ...] = ()
    checks: tuple[Check, ...] = ()

    def draw(
        self, stage: StageName, series: int, rng: np.random.Generator, draws: int
    ) -> np.ndarray:
        """Slope of every series of a stage, shape (draws, series); 0 where it has none."""
        drawn = np.zeros((draws, series))
        for group in self.slopes:
            if group.stage == stage:
                drawn[:, list(group.series)] = group.draw(rng, draws)
        return drawn

    def least_slope(self, series: int) -> float:
        """Lower end of the 90 % interval of the size of a series' past slope; 0 without one."""
        for group in self.slopes:
            if group.stage != "loss" or series not in group.series:
                continue
            if group.past_slopes is None or group.covariance is None:
                continue
            i = group.series.index(series)
            size = abs(float(group.past_slopes[:, i].mean()))
            sd = float(group.covariance[:, i, i].mean()) ** 0.5
            return max(0.0, size - NORMAL_95 * sd)
        return 0.0

    @property
    def note(self) -> str:
        """What the intervals allow for, in one sentence."""
        if self.kind == "none":
            return (
                "Intervals take the law and the link as true: they will be too narrow far from the "
                "ladder's own compute."
            )
        names_of: dict[str, list[str]] = {}
        for group in self.slopes:
            name = "link" if group.stage == "accuracy" else f"{group.kind} losses"
            names_of.setdefault(group.basis, []).append(name)
        bases = "; ".join(f"{', '.join(names)}: {basis}" for basis, names in names_of.items())
        return (
            "Intervals allow for errors of law and link that grow with compute beyond the ladder "
            f"({bases})."
        )

    def to_frame(self) -> pd.DataFrame:
        """One row per group of series.

        Returns
        -------
        pandas.DataFrame
            Columns step (``loss`` or ``accuracy``), kind, series (their number), prior_sd (of one
            series' slope per e-fold), scale (posterior mean of r), past (mean of the past slopes,
            nan without them), mean and sd of the future slopes, basis.
        """
        rows = []
        for group in self.slopes:
            r, p = group.scales()
            drawn = group.draw(fixed_generator("slopes"), 4000)
            past = np.nan if group.past_slopes is None else float(np.mean(group.past_slopes))
            rows.append(
                {
                    "step": group.stage,
                    "kind": group.kind,
                    "series": len(group.series),
                    "prior_sd": float(np.sqrt(group.prior()[0, 0])),
                    "scale": float(r @ p),
                    "past": past,
                    "mean": float(drawn.mean()),
                    "sd": float(drawn.std(0).mean()),
                    "basis": group.basis,
                }
            )
        return pd.DataFrame(rows)


def loss_slopes(groups: Groups, drift: float) -> list[Slopes]:
    """The prior of the slopes of every kind of loss.

    Parameters
    ----------
    groups
        The loss series.
    drift
        Prior sd of the law's error per e-fold, `Law.drift`.
    """
    slopes = []
    for k, kind in enumerate(groups.kinds):
        series = tuple(int(i) for i in np.flatnonzero(np.array(groups.kind) == k))
        slopes.append(
            Slopes(
                stage="loss",
                kind=kind,
                series=series,
                names=tuple(groups.name[i] for i in series),
                common=drift,
                by_name=TASK_SD if kind == "task" else 0.0,
                own=OWN * drift,
                persistence=PERSISTENCE,
                half_normal=False,
                basis="prior",
            )
        )
    return slopes


def link_slopes(groups: Groups) -> Slopes:
    """The prior of the link's slopes, in logits per e-fold."""
    return Slopes(
        stage="accuracy",
        kind="task",
        series=tuple(range(groups.series)),
        names=groups.name,
        common=0.0,
        by_name=LINK_SCALE,
        own=OWN * LINK_SCALE,
        persistence=0.0,
        half_normal=True,
        basis="prior",
    )


def small_ladder(prior: Slopes, reason: str) -> Slopes:
    """The prior for a ladder that is too small to learn from its past, with the reason."""
    basis = f"the prior of small ladders, since {reason}"
    if prior.stage == "accuracy":
        return replace(prior, basis=basis)
    return replace(prior, common=SMALL_LADDER, own=OWN * SMALL_LADDER, basis=basis)


def past_slope(errors: Sequence[np.ndarray], efolds: Sequence[np.ndarray]) -> np.ndarray:
    """b = sum(l e) / sum(l^2) for each series, shape (draws, series).

    Parameters
    ----------
    errors
        Errors e of each series, shape (draws, runs).
    efolds
        e-folds l of compute beyond the cut of each series, shape (runs,) or (draws, runs).
    """
    slopes = [
        (error * efold).sum(1) / (efold**2).sum(-1)
        for error, efold in zip(errors, efolds, strict=True)
    ]
    return np.stack(slopes, 1)
