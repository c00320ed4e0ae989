"""required(fit, tasks, accuracy, prob) -> Required: the compute that an accuracy takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.checks import Status
from bayescale.data.target import Target, six_nd
from bayescale.decisions.tasks import doubts, scored, weighted_mean
from bayescale.errors import SettingError
from bayescale.fits.record import Fit, require_fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.placement import TESTED, corpus_of
from bayescale.inference.summary import interval
from bayescale.runtime import check_seed
from bayescale.validation import as_number, require_names, shown

# tokens per parameter, near the compute-optimal number
MULTIPLIER = 20.0
# extrapolation factors between which runs are looked at; the upper one is a judgement: few
# backtests of accuracies have gone further
MIN_FACTOR = 0.1
MAX_FACTOR = TESTED
# largest factor by which D / N of a run may lie outside the ladder's range: a judgement too
MAX_RATIO_BEYOND = 10.0
# number of runs that are looked at
STEPS = 41


@dataclass(frozen=True, repr=False)
class Required:
    """The smallest run that reaches an accuracy with a probability.

    Parameters
    ----------
    flops
        Training compute of this run in FLOPs; None where no run within the range that the ladder
        can speak for reaches the accuracy.
    params
        Parameters of this run, or None as for `flops`.
    tokens
        Training tokens of this run, or None as for `flops`.
    answer
        The answer in one sentence. It names what makes the run unlike the ladder's runs, and the
        tasks that the ladder does not speak for.
    table
        One row per run that was looked at: flops, params, tokens, extrapolation_factor, spoken_for
        (whether its D / N lies within ten times the ladder's range), prob_reached, and median,
        lower and upper of the accuracy (its 90 % interval).
    status
        Status of the checks of the fit.
    note
        Note of the forecast on its intervals.
    """

    flops: float | None
    params: float | None
    tokens: float | None
    answer: str
    table: pd.DataFrame
    status: Status
    note: str

    def __repr__(self) -> str:
        return f"Required({self.answer}; checks of the fit: {self.status})"


def required(
    fit: Fit,
    tasks: str | Sequence[str] | None,
    accuracy: float,
    prob: float = 0.9,
    *,
    params: float | None = None,
    multiplier: float | None = None,
    corpus: str | None = None,
    furthest: float = MAX_FACTOR,
    seed: int = 0,
) -> Required:
    """min C such that P(accuracy of a run of C FLOPs >= `accuracy`) >= `prob`.

    The runs grow along D = M N, or along D at a fixed N.

    Parameters
    ----------
    fit
        Fit of a ladder with accuracies.
    tasks
        Name of one task, or names of several tasks whose mean accuracy is meant; None for all tasks
        that have accuracies.
    accuracy
        The accuracy to reach, between 0 and 1.
    prob
        The probability with which a run is to reach it, between 0 and 1.
    params
        N of every run; None for runs of M tokens per parameter.
    multiplier
        M, tokens per parameter; 20 where neither M nor `params` is given.
    corpus
        The corpus that the runs are trained on; None only where the ladder has a single one.
    furthest
        Largest extrapolation factor that is looked at, above 0.1.
    seed
        Seed of the noise of the forecast.

    Returns
    -------
    Required
        The run, the answer in one sentence, and the table of all runs that were looked at.

    Raises
    ------
    SettingError
        For an accuracy or a probability outside (0, 1), both `params` and `multiplier`, sizes that
        are not positive, unknown tasks, and an argument of another type.

    Examples
    --------
    >>> import bayescale as bs
    >>> bs.setup(chains=2)
    >>> ladder = bs.load_dataset("ladder2024", tasks=["hellaswag"])
    >>> fit = bs.fit(ladder, law="chinchilla", discrepancy="none", chains=2, draws=100)
    >>> required = bs.required(fit, "hellaswag", accuracy=0.6, prob=0.5)
    >>> list(required.table.columns[:3])
    ['flops', 'params', 'tokens']
    """
    require_fit(fit)
    names = None if tasks is None else require_names("tasks", tasks)
    check_question(accuracy, prob, params=params, multiplier=multiplier, furthest=furthest)
    check_seed(seed)
    grid = _make_grid(fit, corpus, params, multiplier, furthest)
    runs = forecast(fit, grid.targets(corpus), seed=seed)
    chosen = scored(runs.draws["accuracy"], names)
    mean = weighted_mean(runs.draws["accuracy"], chosen, None)
    draws = mean.transpose("target", "chain", "draw").values.reshape(STEPS, -1)
    table = _table(grid, draws, accuracy)
    # P(reached) of this run or a smaller one: by itself it also falls, by Monte Carlo error, or
    # where the uncertainty grows faster than the accuracy
    reached = np.maximum.accumulate(np.where(grid.spoken_for, table["prob_reached"], 0.0))
    smallest = _smallest_run(grid, reached, prob)
    name = tasks if isinstance(tasks, str) else "mean accuracy"
    asked = f"{name} {accuracy:g} with probability {prob:g}"
    if smallest is None:
        flops, size, tokens = None, None, None
        sentences = [_not_reached(grid, asked, furthest, float(reached[-1]))]
    else:
        flops = smallest.flops
        size = params if params is not None else float(_params_at(flops, multiplier))
        tokens = flops / 6 / size
        note = runs.extrapolation["note"].iloc[smallest.index]
        sentences = [_reached(smallest, asked, size, grid.largest), *([note] if note else [])]
    return Required(
        flops=flops,
        params=size,
        tokens=tokens,
        answer="; ".join([*sentences, *doubts(runs.table, chosen)]),
        table=table,
        status=runs.status,
        note=runs.note,
    )


@dataclass(frozen=True)
class _Grid:
    """Runs of growing compute.

    Parameters
    ----------
    flops, params
        C and N of each run, shape (runs,).
    spoken_for
        Whether D / N lies near the ladder's range, shape (runs,).
    largest
        Largest fitted compute, by 6ND.
    """

    flops: np.ndarray
    params: np.ndarray
    spoken_for: np.ndarray
    largest: float

    def targets(self, corpus: str | None) -> list[Target]:
        """The runs as targets of a forecast, named by their compute."""
        return [
            Target(float(n), float(c / 6 / n), corpus, name=f"{c:.6g} FLOPs")
            for c, n in zip(self.flops, self.params, strict=True)
        ]


@dataclass(frozen=True)
class _Smallest:
    """The smallest run that reaches the accuracy.

    Parameters
    ----------
    flops
        Its compute, between two runs of the grid where it can be.
    index
        Position in the grid of the first run that is as large.
    is_first
        Whether no smaller run of the grid is one that the ladder can speak for.
    """

    flops: float
    index: int
    is_first: bool


def check_question(
    accuracy: float,
    prob: float,
    *,
    params: float | None,
    multiplier: float | None,
    furthest: float,
) -> None:
    """Check what `required` is asked, as far as it does not depend on a fit.

    Parameters
    ----------
    accuracy, prob, params, multiplier, furthest
        As in `required`.

    Raises
    ------
    SettingError
        For an accuracy or a probability outside (0, 1), both `params` and `multiplier`, and sizes
        that are not positive.
    """
    if not 0 < as_number(accuracy) < 1 or not 0 < as_number(prob) < 1:
        raise SettingError(
            "accuracy and prob",
            rule="must lie between 0 and 1",
            got=f"{shown(accuracy)} and {shown(prob)}",
            way_out="60 % is 0.6",
        )
    if params is not None and multiplier is not None:
        raise SettingError(
            "params and multiplier", rule="fix N, or D / N", got="both", way_out="give one of them"
        )
    sizes = {"params": params, "multiplier": multiplier, "furthest": furthest}
    given = [as_number(size) for size in (params, multiplier) if size is not None]
    are_sizes = all(0 < size < np.inf for size in given)
    if not are_sizes or not MIN_FACTOR < as_number(furthest) < np.inf:
        raise SettingError(
            "the run",
            rule=f"must have positive sizes, and furthest must be above {MIN_FACTOR:g}",
            got=", ".join(f"{name} {shown(size)}" for name, size in sizes.items()),
            way_out="such as params=7e9, or multiplier=100",
        )


def _make_grid(
    fit: Fit,
    corpus: str | None,
    params: float | None,
    multiplier: float | None,
    furthest: float,
) -> _Grid:
    """Runs between `MIN_FACTOR` and `furthest` times the largest fitted compute of the corpus."""
    runs = fit.ladder.with_role("fit").runs
    fitted = runs[runs["corpus"] == corpus_of(Target(1.0, 1.0, corpus), fit.loss_data)]
    largest = float(six_nd(fitted["params"], fitted["tokens"]).max())
    flops = largest * np.geomspace(MIN_FACTOR, furthest, STEPS)
    size = np.full(STEPS, params) if params is not None else _params_at(flops, multiplier)
    ratio = flops / 6 / size**2
    known = fitted["tokens"] / fitted["params"]
    spoken_for = (ratio >= known.min() / MAX_RATIO_BEYOND) & (
        ratio <= known.max() * MAX_RATIO_BEYOND
    )
    return _Grid(flops=flops, params=size, spoken_for=spoken_for, largest=largest)


def _params_at[T: (float, np.ndarray)](flops: T, multiplier: float | None) -> T:
    """N = sqrt(C / (6 M)): parameters of a run of C FLOPs and M tokens per parameter."""
    return np.sqrt(flops / 6 / (multiplier or MULTIPLIER))


def _table(grid: _Grid, draws: np.ndarray, accuracy: float) -> pd.DataFrame:
    """One row per run of the grid, from draws of its accuracy, shape (runs, draws)."""
    lower, median, upper = interval(draws, axis=1)
    return pd.DataFrame(
        {
            "flops": grid.flops,
            "params": grid.params,
            "tokens": grid.flops / 6 / grid.params,
            "extrapolation_factor": grid.flops / grid.largest,
            "spoken_for": grid.spoken_for,
            "prob_reached": (draws >= accuracy).mean(1),
            "median": median,
            "lower": lower,
            "upper": upper,
        }
    )


def _smallest_run(grid: _Grid, reached: np.ndarray, prob: float) -> _Smallest | None:
    """The smallest run with P(reached) >= prob, ln C interpolated along the probability."""
    if reached[-1] < prob:
        return None
    index = int(np.argmax(reached >= prob))
    if index == int(np.argmax(grid.spoken_for)):
        return _Smallest(flops=float(grid.flops[index]), index=index, is_first=True)
    pair = slice(index - 1, index + 1)
    log_flops = np.interp(prob, reached[pair], np.log(grid.flops[pair]))
    return _Smallest(flops=float(np.exp(log_flops)), index=index, is_first=False)


def _reached(smallest: _Smallest, asked: str, params: float, largest: float) -> str:
    """The answer where a run reaches the accuracy."""
    bound = ""
    if smallest.is_first:
        is_end = smallest.index == 0
        bound = " or less" if is_end else ", the least of this size that the ladder can speak for"
    flops = smallest.flops
    return (
        f"{asked} takes {flops:.3g} FLOPs{bound} "
        f"({params:.3g} parameters, {flops / 6 / params:.3g} tokens), "
        f"{flops / largest:.3g} times the largest fitted compute"
    )


def _not_reached(grid: _Grid, asked: str, furthest: float, most: float) -> str:
    """The answer where no run reaches the accuracy; `most` is the largest probability of any."""
    sentence = (
        f"{asked} is not within the range that this ladder can speak for: "
        f"up to {furthest:g} times its compute"
    )
    if not grid.spoken_for.any():
        return f"{sentence}, no D / N is near its own"
    return (
        f"{sentence}, at D / N within {MAX_RATIO_BEYOND:g} times its own, "
        f"the probability is {most:.2f} at most"
    )
