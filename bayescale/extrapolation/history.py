"""The ladder's own past: fits of its cheaper runs, the errors of their forecasts of its dearer
ones, and what they say of errors to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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

FIRST_RUNS = 8  # runs of every series below the first cut, and a decade of compute
RATIO = 2.5  # between cuts
MAX_CUTS = 6  # the latest
LEVER = 0.5  # e-folds of compute that the future of a cut must reach


@dataclass(frozen=True)
class PastFit:
    """One step as it was fitted on the runs below a cut."""

    data: LossData | AccuracyData
    step: Stage
    sample: Sample

    @property
    def real(self) -> dict[str, jax.Array]:
        """Draws of its parameters on the real line, (draws, series)."""
        return self.step.model.pooling.by_series(self._sites)

    @property
    def tail(self) -> jax.Array | None:
        """Draws of ln(degrees of freedom), where the noise is Student-t."""
        return self._sites.get("tail")

    @property
    def _sites(self) -> dict[str, jax.Array]:
        return {
            name: jnp.asarray(v.reshape(-1, *v.shape[2:])) for name, v in self.sample.sites.items()
        }

    def places(self, of: Groups) -> list[int] | None:
        """Where each series of `of` is among its own, whose order is that of their first rows; None
        where they are not the same.
        """
        mine = self.step.groups.pairs
        return [mine.index(pair) for pair in of.pairs] if set(mine) == set(of.pairs) else None


def past_ladders(ladder: Ladder) -> list[Ladder]:
    """The ladder as it stood at earlier cuts: each has 8 runs of every series and a decade of
    compute at least; none where no cut has.
    """
    everyone, seen = one_measure(ladder), ladder.with_role("fit")
    compute = everyone.compute()[seen.runs.index]
    first = max(enough_runs(seen, FIRST_RUNS, compute), 10 * float(compute.min()))
    return [below(everyone, cut) for cut in cuts(compute, first=first, ratio=RATIO)[-MAX_CUTS:]]


def learned(prior: Slopes, data: LossData | AccuracyData, folds: Sequence[PastFit]) -> Slopes:
    """The slopes of one group of series, given what its past says, or the prior of small ladders
    where the ladder is too small to have one.
    """
    members = list(prior.members)
    thin = too_small(data, members)
    if thin:
        return small_ladder(prior, thin)
    found = [past for fold in folds if (past := _past(fold, data, members)) is not None]
    if len(found) < MIN_CUTS:
        return replace(prior, basis="prior: the ladder has too few earlier cuts to learn from")
    past, covariance = (
        np.stack([b.mean(0) for b in found]),
        np.stack([np.atleast_2d(np.cov(b.T)) for b in found]),
    )
    return replace(
        prior, past=past, covariance=covariance, basis=f"calibrated on {len(found)} earlier cuts"
    )


def history_checks(
    folds: Sequence[PastFit], data: LossData | AccuracyData, groups: Sequence[Slopes]
) -> list[Check]:
    """Whether the fits of the past can be trusted with the mean of a slope; none for groups that
    learned nothing from them.
    """
    import arviz_stats as stats

    used = [g for g in groups if g.past is not None]
    found = [
        past
        for g in used
        for fold in folds
        if (past := _past(fold, data, list(g.members))) is not None
    ]
    if not found:
        return []
    chains = folds[0].sample.sampler.chains
    rhat = (
        max(
            float(stats.rhat(b[:, s].reshape(chains, -1))) for b in found for s in range(b.shape[1])
        )
        if chains > 1
        else float("nan")
    )
    divergent = max(float(fold.sample.statistics["diverging"].mean()) for fold in folds)
    rows = (
        ("R-hat of past slopes", rhat, MAX_PAST_RHAT),
        ("share of divergent draws in past fits", divergent, MAX_PAST_DIVERGENT),
    )
    return [_warning(f"{used[0].step}: {name}", value, limit) for name, value, limit in rows]


def _warning(name: str, value: float, limit: float) -> Check:
    if not np.isfinite(value):
        return Check(
            name,
            "not run",
            value,
            limit,
            "could not be computed: one chain cannot be compared with another, or draws are not finite",
        )
    if value <= limit:
        return Check(name, "pass", value, limit)
    return Check(
        name,
        "warn",
        value,
        limit,
        "a fit of the ladder's past did not mix: discrepancy='prior' does without them",
    )


def too_small(data: LossData | AccuracyData, members: Sequence[int]) -> str:
    """Why the ladder is too small to learn from its past; empty where it is not. A short series
    beside a long one makes neither law nor past any surer.
    """
    those = list(members)
    seen = np.asarray(data.layout.seen)[those]
    runs = max(
        len(set(row[there]))
        for row, there in zip(data.layout.group_of_cell[those], seen, strict=True)
    )
    c = np.log(data.flops)[those][seen]
    decades = float(c.max() - c.min()) / np.log(10)
    if runs < MIN_RUNS:
        return f"no series has more than {runs} runs, fewer than {MIN_RUNS}"
    return (
        f"the runs span {decades:.2g} decades of compute, less than {MIN_DECADES}"
        if decades < MIN_DECADES
        else ""
    )


def _past(
    fold: PastFit, data: LossData | AccuracyData, members: Sequence[int]
) -> np.ndarray | None:
    """Slopes of the errors of a fold on the runs beyond its cut, (draws, members); None where they
    do not reach far enough, or the series differ.
    """
    places = fold.places(data.groups)
    if places is None:
        return None
    efolds = np.maximum(np.log(data.flops / largest_compute(fold.data)[places][:, None]), 0.0)
    future = np.asarray(data.layout.seen) & (data.flops > fold.data.largest_flops * SAME_COST)
    if (np.where(future, efolds, 0.0)[members].max(1) < LEVER).any():
        return None
    errors, weight = (
        _loss_errors(fold, data, places)
        if isinstance(data, LossData)
        else _link_errors(fold, data, places)
    )
    at = efolds * weight
    return past_slope(
        [errors[:, s][:, future[s]] for s in members],
        [at[..., s, :][..., future[s]] for s in members],
    )


def _loss_errors(
    fold: PastFit, data: LossData, places: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """The error ln f - ln L of every cell of the whole ladder, with a draw of the noise: (draws,
    series, runs).
    """
    assert isinstance(fold.data, LossData)
    model, real = fold.step.model, {name: v[:, np.array(places)] for name, v in fold.real.items()}
    x = point(data.params, data.tokens, data.flops, fold.data.reference, data.unique)
    mean, sd = expected(model, real, x, np.ones_like(data.flops))
    return mean - np.asarray(data.layout.y) + sd * past_noise(
        model, real, fold.tail, data
    ), np.ones_like(data.flops)


def _link_errors(
    fold: PastFit, data: AccuracyData, places: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy less the link's at the loss that was measured, and what a logit is worth there:
    (draws, series, runs).
    """
    assert isinstance(fold.data, AccuracyData)
    centre, scale_of_loss = (v[places][:, None] for v in (fold.data.centre, fold.data.scale))
    z = (data.through - centre) / scale_of_loss
    blocks = fold.data.layout.first is not None
    x = (
        fold.data.layout.x._replace(
            z=z, deviation=data.layout.x.deviation * data.scale[:, None] / scale_of_loss
        )
        if blocks
        else z
    )
    model, real = fold.step.model, {name: v[:, np.array(places)] for name, v in fold.real.items()}
    mean = np.clip(expected(model, real, x, np.asarray(data.layout.items))[0], 0.0, 1.0)
    lo, hi = jax.vmap(lambda one: asymptotes(model, one))(real)
    share = np.clip((mean - np.asarray(lo)) / np.asarray(hi - lo), 0.01, 0.99)
    scale = np.exp(np.asarray(real[model.scale_name]))[:, :, None]
    sd = scale * np.asarray(score_sd(jnp.asarray(mean), jnp.asarray(data.layout.items)))
    return np.asarray(data.layout.y) - mean + sd * past_noise(model, real, None, data), np.asarray(
        hi - lo
    ) * share * (1 - share)


def past_noise(
    model: SeriesModel, real: Real, tail: jax.Array | None, data: LossData | AccuracyData
) -> np.ndarray:
    """Noise of every cell in units of its scale, (draws, series, runs); where no past run had a
    group, cells of one have half in common.
    """
    shape = (len(real[model.scale_name]), *data.layout.seen.shape)
    own = standard_noise(model, tail, shape, jax.random.key(0))
    if data.layout.first is None:
        return own
    common = (
        np.asarray(COMMON.transform(real[COMMON.name]))[:, :, None] if COMMON.name in real else 0.5
    )
    shared = np.take_along_axis(
        standard_noise(model, tail, shape, jax.random.key(1)),
        np.broadcast_to(data.layout.first, shape),
        -1,
    )
    return np.sqrt(common) * shared + np.sqrt(1 - common) * own
