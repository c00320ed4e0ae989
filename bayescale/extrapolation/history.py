"""Fits of a ladder's past, and what the errors of their forecasts teach.

At each earlier cut, a fit of the smaller runs forecasts the larger ones. Its errors per e-fold of
compute are past slopes: see `bayescale.extrapolation.discrepancy`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.checks import Check
from bayescale.data.ladder import Ladder
from bayescale.extrapolation.cuts import SAME_COST, below, cuts, enough_runs, one_measure
from bayescale.extrapolation.discrepancy import (
    MAX_PAST_DIVERGENT,
    MAX_PAST_RHAT,
    MIN_CUTS,
    MIN_DECADES,
    MIN_RUNS,
    Slopes,
    past_slope,
    small_ladder,
)
from bayescale.inference.nuts import Sample
from bayescale.inference.posterior import Stage
from bayescale.models.inputs import AccuracyData, LossData, largest_compute, point
from bayescale.models.noise import COMMON, score_sd
from bayescale.models.pooling import Groups
from bayescale.models.prediction import Real, asymptotes, expected, standard_noise
from bayescale.models.series import SeriesModel
from bayescale.models.stages import Stages
from bayescale.runtime import fixed_key

# The first cut: so many runs of every series below it, and a decade of compute.
FIRST_RUNS = 8
FIRST_DECADE = 10.0
# Compute of a cut over that of the cut before it.
RATIO = 2.5
# Only the latest cuts are used.
MAX_CUTS = 6
# The largest run of a series must lie at least so many e-folds of compute beyond a cut.
MIN_EFOLDS = 0.5
# Shares of an accuracy's range are kept this far from 0 and 1 where a logit is worth nothing.
SHARE_EDGE = 0.01
# Share of the noise that cells of one group have in common, where no past run had a group.
UNKNOWN_COMMON = 0.5


@dataclass(frozen=True)
class PastFit[D: (LossData, AccuracyData)](ABC):
    """One stage as it was fitted on the runs below a cut.

    Parameters
    ----------
    data
        Data below the cut, not padded.
    stage
        The stage that was sampled.
    sample
        Its draws.
    """

    data: D
    stage: Stage
    sample: Sample

    @property
    def real(self) -> dict[str, jax.Array]:
        """Draws of the parameters on the real line: arrays of shape (draws, series), by name."""
        return self.stage.model.pooling.by_series(self._sites)

    @property
    def tail(self) -> jax.Array | None:
        """Draws of ln(degrees of freedom), shape (draws,), where the noise is Student-t."""
        return self._sites.get("tail")

    @property
    def _sites(self) -> dict[str, jax.Array]:
        sites = self.sample.sites
        return {name: jnp.asarray(v.reshape(-1, *v.shape[2:])) for name, v in sites.items()}

    def index_of(self, groups: Groups) -> list[int] | None:
        """Index of each series of `groups` among the series of this fit; None where they differ.

        Series stand in the order of their first rows, so the order may differ.
        """
        pairs = self.stage.groups.pairs
        if set(pairs) != set(groups.pairs):
            return None
        return [pairs.index(pair) for pair in groups.pairs]

    @abstractmethod
    def errors(self, data: D, index: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Error of every cell of the whole ladder, and what a unit of the slope is worth there.

        Parameters
        ----------
        data
            Data of the whole ladder.
        index
            Index of each of its series among the series of this fit.

        Returns
        -------
        tuple of numpy.ndarray
            Errors, with a draw of the noise, shape (draws, series, runs); and their derivative
            with respect to the slope per e-fold, of a shape that broadcasts to it.
        """


@dataclass(frozen=True)
class PastLosses(PastFit[LossData]):
    """The law as it was fitted on the losses below a cut."""

    def errors(self, data: LossData, index: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """ln f - ln L of every cell, with a draw of the noise; a slope is worth itself."""
        model = self.stage.model
        real = {name: v[:, np.array(index)] for name, v in self.real.items()}
        x = point(data.params, data.tokens, data.flops, self.data.reference, data.unique)
        mean, sd = expected(model, real, x, np.ones_like(data.flops))
        noise = past_noise(model, real, self.tail, data)
        return mean - np.asarray(data.layout.y) + sd * noise, np.ones_like(data.flops)


@dataclass(frozen=True)
class PastAccuracies(PastFit[AccuracyData]):
    """The link as it was fitted on the accuracies below a cut."""

    def errors(self, data: AccuracyData, index: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Accuracy less the link's at the measured loss, with noise; and d accuracy / d logit.

        The loss is the measured one: through the chain, the errors of law and link would cancel.
        """
        model = self.stage.model
        real = {name: v[:, np.array(index)] for name, v in self.real.items()}
        items = np.asarray(data.layout.items)
        mean = np.clip(expected(model, real, self._x(data, index), items)[0], 0.0, 1.0)
        lo, hi = map(np.asarray, jax.vmap(lambda one: asymptotes(model, one))(real))
        share = np.clip((mean - lo) / (hi - lo), SHARE_EDGE, 1 - SHARE_EDGE)
        scale = np.exp(np.asarray(real[model.scale_name]))[:, :, None]
        sd = scale * np.asarray(score_sd(jnp.asarray(mean), jnp.asarray(data.layout.items)))
        error = np.asarray(data.layout.y) - mean + sd * past_noise(model, real, None, data)
        return error, (hi - lo) * share * (1 - share)

    def _x(self, data: AccuracyData, index: list[int]) -> Any:
        """Losses of the whole ladder in the units that this fit's link knows."""
        centre = self.data.centre[index][:, None]
        scale = self.data.scale[index][:, None]
        z = (data.through - centre) / scale
        if self.data.layout.first is None:
            return z
        deviation = data.layout.x.deviation * data.scale[:, None] / scale
        return self.data.layout.x._replace(z=z, deviation=deviation)


def past_noise(
    model: SeriesModel, real: Real, tail: jax.Array | None, data: LossData | AccuracyData
) -> np.ndarray:
    """Noise of every cell in units of its scale, shape (draws, series, runs).

    Cells of one group share part of their noise. Where no past run had a group, that part is a
    half.
    """
    shape = (len(real[model.scale_name]), *data.layout.seen.shape)
    own = standard_noise(model, tail, shape, fixed_key("past noise"))
    if data.layout.first is None:
        return own
    common: np.ndarray | float = UNKNOWN_COMMON
    if COMMON.name in real:
        common = np.asarray(COMMON.transform(real[COMMON.name]))[:, :, None]
    of_group = standard_noise(model, tail, shape, fixed_key("past noise of groups"))
    shared = np.take_along_axis(of_group, np.broadcast_to(data.layout.first, shape), -1)
    return np.sqrt(common) * shared + np.sqrt(1 - common) * own


type History = Sequence[Stages[PastLosses, PastAccuracies]]


def past_ladders(ladder: Ladder) -> list[Ladder]:
    """The ladder as it stood at each earlier cut, the smallest first.

    Each has at least 8 runs of every series and spans a decade of compute. The list is empty where
    the ladder has no such cut.
    """
    everyone = one_measure(ladder)
    fitted = ladder.with_role("fit")
    compute = everyone.compute()[fitted.runs.index]
    decade = FIRST_DECADE * float(compute.min())
    first = max(enough_runs(fitted, FIRST_RUNS, compute), decade)
    return [below(everyone, cut) for cut in cuts(compute, first=first, ratio=RATIO)[-MAX_CUTS:]]


def learned[D: (LossData, AccuracyData)](
    prior: Slopes, data: D, history: Sequence[PastFit[D]]
) -> Slopes:
    """The slopes of one group of series, given the errors of the fits of the past.

    A ladder that is too small to learn from its past has the prior of small ladders.

    Parameters
    ----------
    prior
        Prior of the slopes.
    data
        Data of the whole ladder.
    history
        Fits of the past of this stage.
    """
    reason = too_small(data, prior.series)
    if reason:
        return small_ladder(prior, reason)
    past = _past_slopes(history, data, prior.series)
    if len(past) < MIN_CUTS:
        return replace(prior, basis="prior: the ladder has too few earlier cuts to learn from")
    return replace(
        prior,
        past_slopes=np.stack([slopes.mean(0) for slopes in past]),
        covariance=np.stack([np.atleast_2d(np.cov(slopes.T)) for slopes in past]),
        basis=f"calibrated on {len(past)} earlier cuts",
    )


def history_checks[D: (LossData, AccuracyData)](
    history: Sequence[PastFit[D]], data: D, groups: Sequence[Slopes]
) -> list[Check]:
    """Whether the mean slopes of the fits of the past can be trusted.

    The list is empty where no group of series learned from them.
    """
    import arviz_stats as stats

    calibrated = [group for group in groups if group.past_slopes is not None]
    past = [s for group in calibrated for s in _past_slopes(history, data, group.series)]
    if not past:
        return []
    chains = history[0].sample.sampler.chains
    rhat = float("nan")
    if chains > 1:
        series = [
            slopes[:, s].reshape(chains, -1) for slopes in past for s in range(slopes.shape[1])
        ]
        rhat = max(float(stats.rhat(one)) for one in series)
    divergent = max(float(fit.sample.statistics["diverging"].mean()) for fit in history)
    stage = calibrated[0].stage
    return [
        _warning(f"{stage}: R-hat of past slopes", rhat, MAX_PAST_RHAT),
        _warning(f"{stage}: share of divergent draws in past fits", divergent, MAX_PAST_DIVERGENT),
    ]


def _warning(name: str, value: float, limit: float) -> Check:
    if not np.isfinite(value):
        advice = (
            "could not be computed: one chain cannot be compared with another, or draws are not "
            "finite"
        )
        return Check(name, "not run", value, limit, advice)
    if value <= limit:
        return Check(name, "pass", value, limit)
    advice = "a fit of the ladder's past did not mix: discrepancy='prior' does without these fits"
    return Check(name, "warn", value, limit, advice)


def too_small(data: LossData | AccuracyData, series: Sequence[int]) -> str:
    """Why these series are too few and short to learn from their past; empty where they are not.

    The longest series counts: a short one beside it makes neither the law nor the past surer.
    """
    chosen = list(series)
    seen = np.asarray(data.layout.seen)[chosen]
    groups = data.layout.group_of_cell[chosen]
    runs = max(len(set(row[cells])) for row, cells in zip(groups, seen, strict=True))
    if runs < MIN_RUNS:
        return f"no series has more than {runs} runs, fewer than {MIN_RUNS}"
    log_compute = np.log(data.flops)[chosen][seen]
    decades = float(log_compute.max() - log_compute.min()) / np.log(10)
    if decades < MIN_DECADES:
        return f"the runs span {decades:.2g} decades of compute, less than {MIN_DECADES}"
    return ""


def _past_slopes[D: (LossData, AccuracyData)](
    history: Sequence[PastFit[D]], data: D, series: Sequence[int]
) -> list[np.ndarray]:
    """Slopes of each fit of the past that reaches far enough, shape (draws, series) each."""
    slopes = [_slopes_of(fit, data, list(series)) for fit in history]
    return [one for one in slopes if one is not None]


def _slopes_of[D: (LossData, AccuracyData)](
    past: PastFit[D], data: D, series: list[int]
) -> np.ndarray | None:
    """Slopes of the errors of one fit of the past on the runs beyond its cut, (draws, series).

    None where these runs do not reach far enough beyond the cut, or where the series differ.
    """
    index = past.index_of(data.groups)
    if index is None:
        return None
    efolds = np.maximum(np.log(data.flops / largest_compute(past.data)[index][:, None]), 0.0)
    beyond = np.asarray(data.layout.seen) & (data.flops > past.data.largest_flops * SAME_COST)
    if (np.where(beyond, efolds, 0.0)[series].max(1) < MIN_EFOLDS).any():
        return None
    errors, weight = past.errors(data, index)
    lever = efolds * weight
    return past_slope(
        [errors[:, s][:, beyond[s]] for s in series],
        [lever[..., s, :][..., beyond[s]] for s in series],
    )
