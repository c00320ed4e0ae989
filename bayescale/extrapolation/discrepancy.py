"""The error of law and link at runs that have no observation, given the runs that have one.

Of ln loss, and of a link in logits, at a run x of l e-folds of compute beyond the ladder:

    lambda (phi(x) z + rest(x)) + a W(l)

z is given the data; rest is what the terms leave out, joint over runs; W is a Wiener process, so a
run beyond the ladder tells of those further out what it would tell if it were fitted. Lambda and
the noise sigma are those of the draw, and a is

    0.0035 (min(sigma, 0.01) / 0.005)^(1/2)    of a validation loss, twice that of one of several
    0.6 lambda                                 of a task's own loss
    0.5 lambda                                 of a link, which gains 0.04 W_0(l) besides

Corpora have part of z and of rest in common; links of several tasks part of rest and of W, and all
of W_0. The page on discrepancy in the docs says where the numbers come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.models.discrepancy import draw_terms, mean_terms
from bayescale.models.kernel import Terms
from bayescale.models.layout import Layout
from bayescale.models.prediction import Real
from bayescale.models.series import SeriesModel
from bayescale.models.traces import kept

# sd of the walk of a validation loss over its first e-fold, at noise `WALK_SIGMA`; it grows
# with the root of the noise up to `WALK_MAX_SIGMA`.
WALK = 0.0035
# The same where the ladder has several validation losses, such as those of several corpora.
WALK_OF_CORPORA = 0.007
WALK_SIGMA = 0.005
WALK_MAX_SIGMA = 0.01
# The same of a task's own loss and of a link, in units of lambda.
TASK_WALK = 0.6
LINK_WALK = 0.5
# The same of what all links of a ladder have in common, in logits.
COMMON_WALK = 0.04
# Share of the variance of rest and walk that the link of one task has in common with those of
# others.
COMMON_OF_LINKS = 0.3


class Points(NamedTuple):
    """Runs without an observation.

    Parameters
    ----------
    x
        (ln N, ln D) of each run, shape (runs, 2).
    efolds
        max(0, ln(C / Cmax)) with Cmax the largest compute of each series: shape (series, runs).
    """

    x: np.ndarray
    efolds: np.ndarray


@dataclass(frozen=True)
class KnownError:
    """lambda z of each series given the data: what the fitted runs say of the error.

    Parameters
    ----------
    mean
        lambda E[z | data, parameters of the draw], shape (draws, series, terms).
    drawn
        lambda z, a draw of it, of the same shape.
    amplitude
        lambda, shape (draws, series).
    sigma
        Scale of the noise, shape (draws, series).
    common
        Share of the variance that each series has in common, shape (series,).
    """

    mean: np.ndarray
    drawn: np.ndarray
    amplitude: np.ndarray
    sigma: np.ndarray
    common: np.ndarray

    def of(self, s: int) -> KnownError:
        """That of one series alone."""
        one = [s]
        return KnownError(
            mean=self.mean[:, one],
            drawn=self.drawn[:, one],
            amplitude=self.amplitude[:, one],
            sigma=self.sigma[:, one],
            common=self.common[one],
        )


class Error(NamedTuple):
    """The error at some runs, in two parts, each of shape (draws, series, runs).

    Parameters
    ----------
    known
        Its mean given the data and the parameters of the draw.
    random
        The rest of it, which is random given both.
    """

    known: np.ndarray
    random: np.ndarray


def known_error(
    model: SeriesModel, real: Real, layout: Layout, key: jax.Array
) -> KnownError | None:
    """The error of a curve at the fitted runs, for every draw; None where the curve is true.

    Parameters
    ----------
    model
        The model as it was fitted.
    real
        Draws of its parameters on the real line, shape (draws, series).
    layout
        The data that it was fitted on.
    key
        Random key of z.
    """
    if model.amplitude is None:
        return None
    draws = len(next(iter(real.values())))
    program = kept(partial(_terms, model), "terms", model.without_priors)
    arrays = jax.tree.map(jnp.asarray, (dict(real), layout))
    mean, drawn = map(np.asarray, program(*arrays, jax.random.split(key, draws)))
    amplitude, sigma = (np.exp(real[name]) for name in (model.amplitude, model.scale_name))
    scale = np.asarray(amplitude)[:, :, None]
    return KnownError(
        mean=scale * mean,
        drawn=scale * drawn,
        amplitude=np.asarray(amplitude),
        sigma=np.asarray(sigma),
        common=model.common,
    )


def _terms(
    model: SeriesModel, real: Real, layout: Layout, keys: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Mean and a draw of the terms, for every draw of the parameters."""

    def one(pair: tuple[Real, jax.Array]) -> tuple[jax.Array, jax.Array]:
        given = model.conditional(pair[0], layout)
        return mean_terms(given), draw_terms(given, pair[1])

    return jax.lax.map(one, (real, keys), batch_size=layout.batch)


def law_error(
    known: KnownError,
    terms: Terms,
    points: Points,
    *,
    of_task: np.ndarray,
    rng: np.random.Generator,
) -> Error:
    """The error of ln loss at some runs.

    Parameters
    ----------
    known
        What the fitted runs say of it.
    terms
        The terms of the discrepancy.
    points
        The runs.
    of_task
        Whether each series is a task's own loss, shape (series,).
    rng
        Source of everything random.
    """
    scale = np.sqrt(np.minimum(known.sigma, WALK_MAX_SIGMA) / WALK_SIGMA)
    of_text = np.where(known.common > 0, WALK_OF_CORPORA, WALK) * scale
    rate = np.where(of_task, TASK_WALK * known.amplitude, of_text)
    walk = rate[:, :, None] * _walk(points, len(rate), 0.0, rng)
    rest = _left_out(terms, points, known.amplitude, known.common, rng)
    return _with_terms(known, terms, points, rest + walk)


def link_error(known: KnownError, terms: Terms, points: Points, rng: np.random.Generator) -> Error:
    """The error of a link at some runs, in logits; the arguments are those of `law_error`."""
    draws, series = known.amplitude.shape
    share = np.full(series, COMMON_OF_LINKS)
    own = LINK_WALK * known.amplitude[:, :, None] * _walk(points, draws, COMMON_OF_LINKS, rng)
    common = COMMON_WALK * _walk(points, draws, 1.0, rng)
    rest = _left_out(terms, points, known.amplitude, share, rng)
    return _with_terms(known, terms, points, rest + own + common)


def _walk(points: Points, draws: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """W(l) of each series, shape (draws, series, runs); `share` of its variance is in common."""
    far = points.efolds
    covariance = np.minimum(far[:, :, None], far[:, None, :])
    return _joint(covariance, draws, np.full(len(far), share), rng)


def _with_terms(known: KnownError, terms: Terms, points: Points, more: np.ndarray) -> Error:
    """Both parts of the error, with `more` added to the random one."""
    phi = terms.at(points.x).T
    return Error(known.mean @ phi, (known.drawn - known.mean) @ phi + more)


def _left_out(
    terms: Terms,
    points: Points,
    amplitude: np.ndarray,
    share: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """What no term carries of the error, shape (draws, series, runs)."""
    runs = len(points.x)
    covariance = np.broadcast_to(terms.left_out(points.x), (len(share), runs, runs))
    return amplitude[:, :, None] * _joint(covariance, len(amplitude), share, rng)


def _joint(
    covariance: np.ndarray, draws: int, share: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Normal draws (draws, series, runs) with a covariance (series, runs, runs) over runs.

    A share of the variance of each series comes from numbers that all series have in common.
    """
    values, vectors = np.linalg.eigh(covariance)
    roots = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    common = rng.standard_normal((draws, 1, covariance.shape[2]))
    own = rng.standard_normal((draws, *covariance.shape[:2]))
    return np.einsum("sij,dsj->dsi", roots, _mixed(common, own, share[:, None]))


def _mixed(common: np.ndarray, own: np.ndarray, share: np.ndarray) -> np.ndarray:
    """share^(1/2) common + (1 - share)^(1/2) own."""
    return np.sqrt(share) * common + np.sqrt(1 - share) * own
