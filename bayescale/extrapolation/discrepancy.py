"""What the law and the link do not know: errors that grow with every e-fold of compute beyond the
ladder, learned from its own past and a prior.

ln L* = ln f - l slope + noise, l = max(0, ln(C* / Cmax)). For the series s of one kind of loss, and
a scale r common to them,

    slope_s = r (common Z + by_name z_name(s) + own z_s),   Z, z ~ Normal(0, 1),   ln r ~ Normal(0, 0.5),

and the slopes of the ladder's past errors, one an earlier cut, are of the same law, correlated with
those of the future by `persistence`. The link's error has the same form in logits, with nothing in
common between tasks; what corpora share of a task is in `by_name`. Where the numbers come from:
docs, the page on discrepancy.
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

DiscrepancyMode = Literal["calibrated", "prior", "none"]
DISCREPANCY_MODES: tuple[DiscrepancyMode, ...] = get_args(DiscrepancyMode)
# of a series, and of its kind: below, the prior of small ladders alone speaks
MIN_RUNS, MIN_DECADES = 12, 1.5
# drift of any law there, twice what small parts of public sweeps ask for: the law's own posterior
# is wide
SMALL_LADDER = 0.005
MIN_CUTS = 2
MAX_PAST_RHAT, MAX_PAST_DIVERGENT = (
    1.05,
    0.01,
)  # a calibration wants the mean of a slope, not its tails
# sd of each series by itself, in units of what the series of a kind (of a task, for the link) have
# in common
OWN = 0.25
TASK_SD = 0.009  # sd between the losses of tasks, an e-fold, the same for all corpora
PERSISTENCE = 0.3  # correlation of past with future slopes
SCALE_SD = 0.5  # of ln r
LINK_SCALE = 0.08  # half-normal scale of the link's error, logits an e-fold
_Z = np.linspace(-3.0, 3.0, 31)


@dataclass(frozen=True)
class Slopes:
    """The error an e-fold of a group of series: prior, and what their past told of it.

    Parameters
    ----------
    step, kind
        ``loss`` or ``accuracy``; ``validation`` or ``task``.
    members, names
        Index of each series among those of the step, and of its loss name or task.
    common, by_name, own
        Prior sd of what the series share, of what those of one name share, and of what each has by
        itself, at r = 1.
    persistence
        Correlation of past and future slopes.
    half_normal
        Whether r ~ HalfNormal(1) rather than log-normal: an error that may well be nil.
    basis
        What it rests on, in words.
    past, covariance
        Slopes of the past errors, shape (cuts, members), and how well each is known, shape (cuts,
        members, members); None where only the prior speaks. The cuts overlap, so together they
        count as one observation: of r by their mean log density, of the future slopes by their
        mean.
    """

    step: Literal["loss", "accuracy"]
    kind: str
    members: tuple[int, ...]
    names: tuple[int, ...]
    common: float
    by_name: float
    own: float
    persistence: float
    half_normal: bool
    basis: str
    past: np.ndarray | None = None
    covariance: np.ndarray | None = None

    def scales(self) -> tuple[np.ndarray, np.ndarray]:
        """A grid of r and its posterior probabilities."""
        r, log_p = self._grid()
        log_p = log_p + self.log_likelihoods()
        p = np.exp(log_p - log_p.max())
        return r, p / p.sum()

    def log_likelihoods(self) -> np.ndarray:
        """Mean over the cuts of ln Normal(past slopes; 0, r^2 prior + covariance) for each r of the
        grid.
        """
        if self.past is None or self.covariance is None:
            return np.zeros(len(self._grid()[0]))
        middle, cuts = (
            np.zeros(len(self.members)),
            list(zip(self.past, self.covariance, strict=True)),
        )
        return np.array(
            [
                np.mean(
                    [
                        multivariate_normal.logpdf(b, middle, r**2 * self._prior() + known)
                        for b, known in cuts
                    ]
                )
                for r in self._grid()[0]
            ]
        )

    def _grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Values of r and their prior log density."""
        if self.half_normal:
            r = np.linspace(0.05, 3.0, 60)
            return r, -0.5 * r**2
        return np.exp(SCALE_SD * _Z), -0.5 * _Z**2

    def draw(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Future slopes, shape (draws, members)."""
        r, p = self.scales()
        at = rng.choice(len(r), draws, p=p)
        u = rng.standard_normal((draws, len(self.members)))
        slopes = np.empty_like(u)
        for i in np.unique(at):
            mean, root = self._given(r[i])
            slopes[at == i] = mean + u[at == i] @ root.T
        return slopes

    def _prior(self) -> np.ndarray:
        name = np.array(self.names)
        return (
            self.common**2
            + self.by_name**2 * (name[:, None] == name)
            + self.own**2 * np.eye(len(name))
        )

    def _given(self, r: float) -> tuple[np.ndarray, np.ndarray]:
        """Mean of the future slopes and a root of their covariance, given r and the past."""
        prior = r**2 * self._prior()
        mean = np.zeros(len(prior))
        if self.past is not None and self.covariance is not None:
            gain = np.linalg.solve(prior + self.covariance.mean(0), self.persistence * prior).T
            mean, prior = gain @ self.past.mean(0), prior - gain @ (self.persistence * prior)
        values, vectors = np.linalg.eigh(prior)
        return mean, vectors * np.sqrt(np.maximum(values, 0.0))


@dataclass(frozen=True)
class Discrepancy:
    """The errors of law and link beyond the ladder, as a forecast draws them.

    Parameters
    ----------
    kind
        ``calibrated``, ``prior`` or ``none``, as asked for.
    slopes
        One entry a kind of loss, and one for the link.
    checks
        Of the folds that it was calibrated on.
    """

    kind: DiscrepancyMode
    slopes: tuple[Slopes, ...] = ()
    checks: tuple[Check, ...] = ()

    def draw(self, step: str, series: int, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Error an e-fold of every series of a step, shape (draws, series); nil where there is
        none.
        """
        found = np.zeros((draws, series))
        for group in self.slopes:
            if group.step == step:
                found[:, list(group.members)] = group.draw(rng, draws)
        return found

    def least_slope(self, series: int) -> float:
        """Lower end of the 90 % interval of the size of a loss series' past slope; nil where there
        is no past.
        """
        for group in self.slopes:
            if (
                group.step == "loss"
                and series in group.members
                and group.past is not None
                and group.covariance is not None
            ):
                at = group.members.index(series)
                return max(
                    0.0,
                    abs(float(group.past[:, at].mean()))
                    - NORMAL_95 * float(group.covariance[:, at, at].mean()) ** 0.5,
                )
        return 0.0

    @property
    def note(self) -> str:
        """What the intervals hold, in one sentence."""
        if self.kind == "none":
            return "Intervals take the law and the link as true: they will be too narrow far from the ladder's own compute."
        of: dict[str, list[str]] = {}
        for group in self.slopes:
            of.setdefault(group.basis, []).append(
                "link" if group.step == "accuracy" else f"{group.kind} losses"
            )
        said = "; ".join(f"{', '.join(names)}: {basis}" for basis, names in of.items())
        return f"Intervals allow for errors of law and link that grow with compute beyond the ladder ({said})."

    def to_frame(self) -> pd.DataFrame:
        """One row a group of series: step, kind, series, prior_sd and sd (of one series' slope an
        e-fold), past (its mean over the series), basis.
        """
        rows = []
        for g in self.slopes:
            r, p = g.scales()
            prior = float(np.sqrt(g._prior()[0, 0]))
            rng = np.random.default_rng(0)
            drawn = g.draw(rng, 4000)
            past = float("nan") if g.past is None else float(np.mean(g.past))
            row = {
                "step": g.step,
                "kind": g.kind,
                "series": len(g.members),
                "prior_sd": prior,
                "scale": float(r @ p),
                "past": past,
            }
            rows.append(
                row
                | {"mean": float(drawn.mean()), "sd": float(drawn.std(0).mean()), "basis": g.basis}
            )
        return pd.DataFrame(rows)


def loss_slopes(groups: Groups, drift: float) -> list[Slopes]:
    """The prior of every kind of loss, for a law of that drift."""
    found = []
    for g, kind in enumerate(groups.kinds):
        members = tuple(int(i) for i in np.flatnonzero(np.array(groups.kind) == g))
        names, by_name = tuple(groups.name[i] for i in members), TASK_SD if kind == "task" else 0.0
        found.append(
            Slopes(
                "loss",
                kind,
                members,
                names,
                drift,
                by_name,
                OWN * drift,
                PERSISTENCE,
                False,
                "prior",
            )
        )
    return found


def link_slopes(groups: Groups) -> Slopes:
    """The prior of the link's error."""
    return Slopes(
        "accuracy",
        "task",
        tuple(range(groups.series)),
        groups.name,
        0.0,
        LINK_SCALE,
        OWN * LINK_SCALE,
        0.0,
        True,
        "prior",
    )


def small_ladder(prior: Slopes, reason: str) -> Slopes:
    """The prior for a ladder that is too small to learn from its past."""
    basis = f"the prior of small ladders, since {reason}"
    if prior.step == "accuracy":
        return replace(prior, basis=basis)
    return replace(prior, common=SMALL_LADDER, own=OWN * SMALL_LADDER, basis=basis)


def past_slope(errors: Sequence[np.ndarray], efolds: Sequence[np.ndarray]) -> np.ndarray:
    """The b = sum(l e) / sum(l^2) of each series, shape (draws, series), from errors (draws, runs)
    at l (runs,) or (draws, runs).
    """
    return np.stack(
        [(e * at).sum(1) / (at**2).sum(-1) for e, at in zip(errors, efolds, strict=True)], 1
    )
