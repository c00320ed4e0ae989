"""What an outcome would teach: weights of the posterior's draws given each outcome that might be seen, and the value of seeing it.

The many figures of a candidate (losses and scores of its runs) are condensed to the one linear combination that tells most of the targets, so that the
weights stay even. What is thrown away makes the value of the candidate no larger than it is (Bayes linear: Goldstein and Wooff 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.special import softmax
from scipy.stats import norm

from bayescale.errors import SettingError
from bayescale.extrapolation.predictive import AccuracyParts
from bayescale.forecasts.components import MixedParts, Parts
from bayescale.models.noise import score_sd
from bayescale.models.prediction import expected
from bayescale.preferring import Preference

RIDGE = 1e-6  # of the regression that finds the combination, relative to its mean square
BOOTSTRAPS, SHUFFLES, FLOOR = 30, 30, 0.9


class Prospect(NamedTuple):
    """What whoever decides would think of each target after each outcome, outcomes being even quantiles in their order.

    Parameters
    ----------
    utility, regret
        Expected utility, and P(net value < 0): shape (outcomes, targets).
    perfect
        Expected utility of choosing with every net value known.
    """

    utility: np.ndarray
    regret: np.ndarray
    perfect: float


class Information(NamedTuple):
    """Expected value of sample and of perfect information, in money, and the standard error of the former that outcomes leave."""

    sample: float
    standard_error: float
    perfect: float


class Figures(NamedTuple):
    """Figures that a candidate would show, given each draw of everything else: y = mean + loading e + sd z, e and z standard normal.

    Parameters
    ----------
    mean, sd
        Shape (draws, figures).
    loading
        Of the noise of each loss, which reaches the scores that go through it too: shape (draws, losses, figures).
    """

    mean: np.ndarray
    sd: np.ndarray
    loading: np.ndarray

    def of(self, draws: slice) -> Figures:
        """Some of the draws."""
        return Figures(*(array[draws] for array in self))


def information(given: Prospect, preference: Preference) -> Information:
    """EVSI = mean_m max(0, max_t g_mt) - max(0, max_t mean_m g_mt), g the expected utility of each outcome and target; EVPI = perfect - the latter.

    Funding nothing is worth 0, and a target whose regret is likelier than whoever decides puts up with is not funded; where evidence would do no more than
    forbid, it is worth nothing. All are certain sums. Utilities being averages over the same draws by the same weights, 0 <= EVSI <= EVPI hold exactly. The
    standard error is that of a systematic sample, from differences of neighbours (Wolter 2007, Introduction to Variance Estimation, chapter 8); nan of a single
    outcome.
    """
    mean, allowed = given.utility.mean(0), given.regret <= preference.most_regret
    now = np.where(given.regret.mean(0) <= preference.most_regret, mean, -np.inf)
    best = int(now.argmax())
    always = given.utility[:, best] if now[best] > 0 else np.zeros(len(given.utility))
    gain = np.maximum(np.where(allowed, given.utility, -np.inf).max(1), 0.0) - always  # its mean is never negative without a cap on regret
    before, sample = float(always.mean()), max(0.0, float(gain.mean()))
    error = float(np.sqrt((np.diff(gain) ** 2).mean() / (2 * len(gain)))) if len(gain) > 1 else float("nan")
    certain = preference.certain_of(before)
    worth = preference.certain_of(before + sample) - certain
    return Information(worth, preference.certain_of(before + sample + error) - certain - worth, preference.certain_of(given.perfect) - certain)


def prospect(weights: np.ndarray, net: np.ndarray, preference: Preference) -> Prospect:
    """From weights of the draws given each outcome, (draws, outcomes), and net values, (draws, targets)."""
    best = preference.utility(np.maximum(net.max(1), 0.0))
    return Prospect(weights.T @ preference.utility(net), weights.T @ (net < 0), float(weights.mean(1) @ best))


def bootstrap_error(weights: np.ndarray, net: np.ndarray, preference: Preference, rng: np.random.Generator) -> float:
    """Standard error of the EVSI that the draws leave: its sd over draws drawn again with their weights."""
    found = []
    for _ in range(BOOTSTRAPS):
        again = rng.integers(len(net), size=len(net))
        mine = weights[again]
        found.append(information(prospect(mine / mine.sum(0), net[again], preference), preference).sample)
    return float(np.std(found))


def shuffled(weights: np.ndarray, net: np.ndarray, preference: Preference, rng: np.random.Generator) -> float:
    """EVSI that Monte Carlo error alone comes to: of outcomes that tell nothing, the net values in a random order; its 90 % quantile."""
    return float(np.quantile([information(prospect(weights, rng.permutation(net), preference), preference).sample for _ in range(SHUFFLES)], FLOOR))


def alike(utility: np.ndarray, regret: np.ndarray, covariances: Sequence[np.ndarray], preference: Preference, rng: np.random.Generator) -> float:
    """The same of refits whose expected utilities, (targets,), differ by no more than their Monte Carlo error, of these covariances."""
    found = []
    for _ in range(SHUFFLES):
        noisy = np.array([rng.multivariate_normal(utility, of, method="eigh") for of in covariances])
        found.append(information(Prospect(noisy, np.broadcast_to(regret, noisy.shape), float("nan")), preference).sample)
    return float(np.quantile(found, FLOOR))


def weights_given(log_likelihood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """w_jm ~ p(y_m | theta_j), Pareto-smoothed (Vehtari et al. 2024, JMLR 25), columns of sum 1; and the k of each column.

    Parameters
    ----------
    log_likelihood
        Of outcome m under draw j, shape (draws, outcomes).
    """
    from arviz_stats.base import array_stats  # a second of loading that only this needs

    log_weights, k = array_stats.psislw(-log_likelihood.T)  # it takes minus the logarithm of a weight, as leave-one-out has it
    return softmax(log_weights, axis=1).T, np.asarray(k)


def width_given(x: np.ndarray, weights: np.ndarray, tails: tuple[float, float]) -> np.ndarray:
    """Width of the equal-tailed interval of x, shape (draws,), by each column of the weights."""
    order = np.argsort(x)
    cumulative = np.cumsum(weights[order], axis=0)
    lower, upper = (x[order][np.minimum((cumulative < tail).sum(0), len(x) - 1)] for tail in tails)
    return upper - lower


def combination(figures: Figures, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The w whose t = w y tells most of x: first principal component of the least-squares predictions of x, (draws, targets), from simulated figures y.

    Draws that it was found on would take its chance correlations for knowledge: weigh others.
    """
    noise = np.einsum("jlf,jl->jf", figures.loading, rng.standard_normal(figures.loading.shape[:2]))
    return most_telling(figures.mean + noise + figures.sd * rng.standard_normal(figures.sd.shape), x)


def most_telling(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The same from figures as they were drawn, y of shape (draws, figures); it rises with x of the first target."""
    scale = y.std(0) + np.finfo(float).tiny
    u, v = (y - y.mean(0)) / scale, (x - x.mean(0)) / (x.std(0) + np.finfo(float).tiny)
    w = np.linalg.solve(u.T @ u / len(u) + RIDGE * np.eye(u.shape[1]), u.T @ v / len(u))
    found = w @ np.linalg.svd(u @ w, full_matrices=False)[2][0]
    return found * np.sign(v[:, 0] @ u @ found) / scale


def condensed(figures: Figures, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of t = w y given each draw, shape (draws,) each."""
    return figures.mean @ w, np.sqrt(((figures.loading @ w) ** 2).sum(1) + figures.sd**2 @ w**2)


def log_likelihood(mean: np.ndarray, sd: np.ndarray, outcomes: int, rng: np.random.Generator) -> np.ndarray:
    """Ln p(t_m | theta_j), t ~ Normal(mean_j, sd_j^2), of outcomes that are even quantiles of all t drawn: shape (draws, outcomes)."""
    t = np.sort(mean + sd * rng.standard_normal(len(mean)))
    count = min(outcomes, len(t))
    even = t[((np.arange(count) + 0.5) / count * len(t)).astype(int)]
    return norm.logpdf(even, mean[:, None], sd[:, None])


def figures_of_runs(parts: Parts | MixedParts, labels: Sequence[str]) -> Figures:
    """Losses and scores of runs at or below the frontier, by their names in the forecast whose parts these are."""
    members = parts.members if isinstance(parts, MixedParts) else (parts,)
    names = [key for key in members[0].loss_at if key[0] in labels]
    tasks = [key for key in members[0].accuracy_at if key[0] in labels]
    law = _chosen(parts, [np.stack([m.losses.law[:, s, i] for s, i in map(m.loss_at.__getitem__, names)], 1) for m in members], [""] * len(names))
    sd = _chosen(parts, [np.stack([m.losses.sd[:, s, i] for s, i in map(m.loss_at.__getitem__, names)], 1) for m in members], [""] * len(names))
    scores = [_scores(member, names, tasks) for member in members]
    mean, own, loading = (_chosen(parts, [found[k] for found in scores], [task for _, task in tasks]) for k in range(3))
    of_losses = sd[:, :, None] * np.eye(len(names))
    return Figures(np.hstack([law, mean]), np.hstack([np.zeros_like(sd), own]), np.concatenate([of_losses, loading], 2))


def _scores(parts: Parts, names: Sequence[tuple[str, str]], tasks: Sequence[tuple[str, str]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and sd of each score, (draws, tasks), and what an sd of each loss's noise does to it, (draws, losses, tasks): slopes between one sd either way."""
    draws, second = len(parts.losses.law), parts.accuracies
    if second is None or not tasks:
        return np.zeros((draws, 0)), np.zeros((draws, 0)), np.zeros((draws, len(names), 0))

    def at(loss: float, score: float) -> np.ndarray:
        log_loss = parts.losses.law + loss * parts.losses.sd
        found = replace(second, noise=np.full_like(second.noise, score)).accuracy(log_loss)
        return np.stack([found[:, s, i] for s, i in map(parts.accuracy_at.__getitem__, tasks)], 1)

    place = {s: (label, name) for (label, name), (s, _) in parts.loss_at.items()}
    through = [names.index((label, place[int(second.via[parts.accuracy_at[label, task][0]])][1])) for label, task in tasks]
    slope = 0.5 * (at(1.0, 0.0) - at(-1.0, 0.0))
    loading = np.zeros((draws, len(names), len(tasks)))
    loading[:, through, np.arange(len(tasks))] = slope
    return at(0.0, 0.0), 0.5 * (at(0.0, 1.0) - at(0.0, -1.0)), loading


def figures_of_items(parts: Parts | MixedParts, times: float) -> Figures:
    """Scores of every fitted run on as many further questions as make `times` the number."""
    members = parts.members if isinstance(parts, MixedParts) else (parts,)
    scores = [member.accuracies for member in members if member.accuracies is not None]
    if not scores:
        raise SettingError("items of a candidate", rule="need a ladder with accuracies", got="losses alone", way_out="buy runs instead")
    seen = np.asarray(scores[0].data.layout.seen)
    names = [task for (_, task), there in zip(scores[0].data.factors.pairs, seen, strict=True) for _ in range(int(there.sum()))]
    found = [_scores_again(second, times) for second in scores]
    mean, sd = (_chosen(parts, [f[k][:, seen] for f in found], names) for k in (0, 1))
    return Figures(mean, sd, np.zeros((len(mean), 0, mean.shape[1])))


def joined(one: Figures, other: Figures) -> Figures:
    """Both, their noises independent."""
    apart = [np.zeros((len(one.mean), a.loading.shape[1], b.mean.shape[1])) for a, b in ((one, other), (other, one))]
    loading = np.concatenate([np.concatenate([one.loading, apart[0]], 2), np.concatenate([apart[1], other.loading], 2)], 1)
    return Figures(np.hstack([one.mean, other.mean]), np.hstack([one.sd, other.sd]), loading)


def _scores_again(second: AccuracyParts, times: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of the score on the further questions of every fitted cell: shape (draws, series, runs).

    Other questions scatter as questions drawn anew do, sqrt(p (1 - p) / items), more than seeds do on the same ones; that all runs meet the same ones is
    left out.
    """
    data = second.data
    z = (data.through - data.centre[:, None]) / data.scale[:, None]
    items = np.broadcast_to((times - 1) * data.items[:, None], z.shape)
    mean, _ = expected(second.model, second.real, np.where(np.asarray(data.layout.seen), z, 0.0), items)
    return mean, np.asarray(score_sd(mean, items))


def _chosen(parts: Parts | MixedParts, each: Sequence[np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Of every draw that of its own member: `each` has (draws, ..., figures), `names` the task of each figure, empty for a loss."""
    found = np.array(each[0])
    if isinstance(parts, MixedParts):
        for f, name in enumerate(names):
            choice = parts.choice.get("", parts.choice.get(name))
            for m, of in enumerate(each):
                if choice is not None:
                    found[choice == m, ..., f] = of[choice == m, ..., f]
    return found
