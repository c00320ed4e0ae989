"""study_design: what a ladder's design can tell of its targets, before anything is sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np
import pandas as pd

from bayescale.checks import Check
from bayescale.data.ladder import Ladder
from bayescale.data.target import Target, six_nd
from bayescale.fits.settings import AUTO, FitSettings, make_settings, make_stages
from bayescale.forecasts.placement import corpus_of, extrapolation
from bayescale.inference.diagnostics import design_checks
from bayescale.models.discrepancy import LAW_DISCREPANCY
from bayescale.models.inputs import LossData, point
from bayescale.models.kernel import kernel, locations
from bayescale.models.laws import LEVEL, Law
from bayescale.models.noise import SIGMA
from bayescale.runtime import fixed_key

# Draws of the prior, from which covariances are taken.
DRAWS = 4000
# Token multipliers D / N of the runs that could be added, and numbers of sizes and reach of N.
MULTIPLIERS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
SIZES, REACH = 9, 4.0
# Compute of the runs that `propose_runs` proposes, over that of the largest fitted run.
PROPOSED = (1 / 3, 1.0, 3.0)


@dataclass(frozen=True)
class Design:
    """What the design of a ladder can tell.

    Parameters
    ----------
    checks
        Warnings of runs that cannot determine the parameters of law and link.
    targets
        One row per target: target, extrapolation_factor, params_ratio and tokens_ratio (over the
        largest fitted run's), multiplier (D / N), design_sd_percent (of ln loss, by the
        design and the priors alone, before any loss is seen), note.
    sentences
        Which one run would help most, one sentence per target.
    """

    checks: list[Check]
    targets: pd.DataFrame
    sentences: list[str]


def study_design(ladder: Ladder, targets: Sequence[Target]) -> Design:
    """What a fit of the ladder would say of its design, and how far away the targets are.

    Parameters
    ----------
    ladder
        The runs; its own law and link are taken.
    targets
        The runs to forecast; none for no question about them.

    Returns
    -------
    Design
        Nothing in it depends on a measured loss or accuracy of a target.

    Raises
    ------
    BayescaleError
        Whatever a fit and a forecast of these runs would raise before sampling.
    """
    settings = default_settings(ladder)
    data, _ = make_stages(settings, ladder)
    link = settings.link if data.accuracy is not None else None
    checks = design_checks(data.loss, settings.law, data.accuracy, link)
    columns = ["target", "extrapolation_factor", "params_ratio", "tokens_ratio", "multiplier"]
    columns += ["design_sd_percent", "note"]
    if not targets:
        return Design(checks, pd.DataFrame(columns=columns), [])
    table = extrapolation(ladder, data.loss, targets)
    fitted = ladder.with_role("fit").runs
    rows, sentences = [], []
    for target, distance in zip(targets, table.itertuples(), strict=True):
        runs = fitted[fitted["corpus"] == corpus_of(target, data.loss)]
        now, (best,) = _most_helpful(settings.law, data.loss, runs, target, (1.0,))
        rows.append(
            {
                "target": target.label,
                "extrapolation_factor": distance.extrapolation_factor,
                "params_ratio": target.params / float(runs["params"].max()),
                "tokens_ratio": target.tokens / float(runs["tokens"].max()),
                "multiplier": target.tokens / target.params,
                "design_sd_percent": 100 * now,
                "note": distance.note,
            }
        )
        sentences.append(
            f"{target.label}: of runs within the compute of the largest one, "
            f"{best.params:.3g} parameters on {best.tokens:.3g} tokens would tell most of the "
            f"target's loss. By the design and the priors of law {settings.law.name} alone, before "
            f"any loss is seen, the sd of that loss would fall from {100 * now:.2g} to "
            f"{100 * best.sd:.2g} %. For accuracies, larger runs and costs ask the command value"
        )
    return Design(checks, pd.DataFrame(rows, columns=columns), sentences)


def propose_runs(ladder: Ladder, targets: Sequence[Target]) -> list[Target]:
    """Runs of at most 1/3, 1 and 3 times the largest fitted compute that tell most of a target.

    Parameters
    ----------
    ladder
        The runs; its own law is taken.
    targets
        The runs to forecast.

    Returns
    -------
    list of Target
        Each once, sizes to two digits. Nothing in it depends on a measured loss.

    Raises
    ------
    BayescaleError
        Whatever a fit of these runs would raise before sampling.
    """
    settings = default_settings(ladder)
    data, _ = make_stages(settings, ladder)
    fitted = ladder.with_role("fit").runs
    found = {}
    for target in targets:
        corpus = corpus_of(target, data.loss)
        runs = fitted[fitted["corpus"] == corpus]
        _, best = _most_helpful(settings.law, data.loss, runs, target, PROPOSED)
        for addition in best:
            params, tokens = (float(f"{size:.2g}") for size in (addition.params, addition.tokens))
            found[(params, tokens, corpus)] = Target(params, tokens, corpus=corpus)
    return list(found.values())


def default_settings(ladder: Ladder) -> FitSettings:
    """What a fit is asked for where nothing is said."""
    return make_settings(
        ladder,
        law=None,
        link=None,
        via=AUTO,
        pooling="partial",
        discrepancy="calibrated",
        noise="normal",
        blocks=None,
        priors=None,
    )


@dataclass(frozen=True)
class _Addition:
    """One run that could be added, and the sd of the target's ln loss after it."""

    params: float
    tokens: float
    sd: float


def _most_helpful(
    law: Law, data: LossData, runs: pd.DataFrame, target: Target, factors: Sequence[float]
) -> tuple[float, list[_Addition]]:
    """The sd of the target's ln loss given the runs, and the additions after which it is smallest.

    There is one addition per factor: its compute is at most that many times the largest run's.

    ln L of runs, target and additions is taken as jointly normal. Its covariance is that of the law
    under the priors of its parameters, plus that of the law's error, plus noise.
    """
    fitted = six_nd(runs["params"], runs["tokens"]).max()
    low, high = runs["params"].min(), runs["params"].max() * REACH
    params = np.repeat(np.geomspace(low, high, SIZES), len(MULTIPLIERS))
    tokens = params * np.tile(MULTIPLIERS, SIZES)
    compute = six_nd(params, tokens) / fitted
    within = compute <= max(factors) * 1.001
    params, tokens, compute = params[within], tokens[within], compute[within]
    n = np.concatenate([runs["params"], [target.params], params])
    d = np.concatenate([runs["tokens"], [target.tokens], tokens])
    total = _covariance(law, data, n, d)
    noise = float(np.exp(SIGMA.prior.loc)) ** 2
    known = len(runs)
    observed = total[:known, :known] + noise * np.eye(known)
    cross = total[:known, known:]
    rest = total[known:, known:] - cross.T @ np.linalg.solve(observed, cross)
    after = rest[0, 0] - rest[0, 1:] ** 2 / (np.diag(rest)[1:] + noise)
    after = np.sqrt(np.maximum(after, 0.0))
    additions = []
    for factor in factors:
        affordable = np.where(compute <= factor * 1.001, after, np.inf)
        i = int(affordable.argmin())
        if np.isfinite(affordable[i]):
            additions.append(_Addition(float(params[i]), float(tokens[i]), float(after[i])))
    return float(np.sqrt(rest[0, 0])), additions


def _covariance(law: Law, data: LossData, params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Cov(ln L(x), ln L(x')) under the priors of the law's parameters and of its error."""
    at = point(params, tokens, six_nd(params, tokens), data.reference)
    parameters = (LEVEL, *law.parameters)
    keys = jax.random.split(fixed_key(), len(parameters))
    draws = {
        parameter.name: parameter.prior.sample(key, (DRAWS,))
        for parameter, key in zip(parameters, keys, strict=True)
    }
    level = np.log(np.asarray(draws.pop(LEVEL.name)))
    log_ratio = jax.vmap(lambda values: law.log_ratio(values, at))(draws)
    x = locations(params, tokens)
    error = float(np.exp(LAW_DISCREPANCY.prior.loc)) ** 2 * kernel(x, x)
    return np.cov(level[:, None] + np.asarray(log_ratio), rowvar=False) + error
