"""required(fit, tasks, accuracy, prob) -> Required: the least compute at which a run reaches an
accuracy with a probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.checks import Status
from bayescale.data.target import Target, six_nd
from bayescale.decisions.value import doubts, scored, weighted_mean
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.placement import corpus_of
from bayescale.validation import check_prob

MULTIPLIER = 20.0  # tokens a parameter, near the compute-optimal
# times the dearest run's compute: a judgement, as far as few backtests of accuracies have gone
MAX_FACTOR = 300.0
MIN_FACTOR = 0.1
MAX_RATIO_BEYOND = 10.0  # times the ladder's range of D / N, either way: a judgement too
STEPS = 41


@dataclass(frozen=True, repr=False)
class Required:
    """What it takes to reach an accuracy.

    Parameters
    ----------
    flops, params, tokens
        Of the least run that reaches it with the probability asked for; None where that is not
        within the range that the ladder can speak for.
    answer
        In one sentence; it names what makes the run unlike the ladder's, and tasks that the ladder
        does not speak for.
    table
        One row a run that was looked at: flops, params, tokens, extrapolation_factor, spoken_for
        (whether its D / N is within ten times the ladder's range), prob_reached, median, lower and
        upper of the accuracy.
    status, note
        Of the forecast.
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
    """Min C such that P(accuracy of a run of C FLOPs >= `accuracy`) >= `prob`, along D = M N, or
    along D at a given N.

    Parameters
    ----------
    fit
        Of a ladder with accuracies.
    tasks
        One task, or several whose mean is meant; None for all.
    accuracy, prob
        The accuracy to reach, and with what probability.
    params
        N, where tokens alone are to be bought.
    multiplier
        M, tokens a parameter; 20 where neither it nor `params` is given.
    corpus
        As in `Target`.
    furthest
        Extrapolation factor up to which is looked, above 0.1.
    seed
        Of the forecast's noise.

    Raises
    ------
    SettingError
        For an accuracy or a probability outside (0, 1), both `params` and `multiplier`, sizes that
        are not positive, and unknown tasks.
    """
    if not 0 < accuracy < 1 or not 0 < prob < 1:
        raise SettingError(
            "accuracy and prob",
            rule="must lie between 0 and 1",
            got=f"{accuracy!r} and {prob!r}",
            way_out="60 % is 0.6",
        )
    if params is not None and multiplier is not None:
        raise SettingError(
            "params and multiplier", rule="fix N, or D / N", got="both", way_out="give one of them"
        )
    sizes = [v for v in (params, multiplier) if v is not None]
    if (
        not all(np.isfinite(v) and v > 0 for v in sizes)
        or not np.isfinite(furthest)
        or furthest <= MIN_FACTOR
    ):
        got = f"params {params!r}, multiplier {multiplier!r}, furthest {furthest!r}"
        rule = f"must have positive sizes, and furthest must be above {MIN_FACTOR:g}"
        raise SettingError(
            "the run", rule=rule, got=got, way_out="such as params=7e9, or multiplier=100"
        )
    runs = fit.ladder.with_role("fit").runs
    mine = runs[runs["corpus"] == corpus_of(Target(1.0, 1.0, corpus), fit.loss_data)]
    largest = float(six_nd(mine["params"], mine["tokens"]).max())
    flops = largest * np.geomspace(MIN_FACTOR, furthest, STEPS)
    size = (
        np.full(STEPS, params)
        if params is not None
        else np.sqrt(flops / 6 / (multiplier or MULTIPLIER))
    )
    targets = [
        Target(float(n), float(c / 6 / n), corpus, name=f"{c:.6g} FLOPs")
        for c, n in zip(flops, size, strict=True)
    ]
    made = forecast(fit, targets, seed=seed)
    chosen = scored(made.draws["accuracy"], [tasks] if isinstance(tasks, str) else tasks)
    drawn = weighted_mean(made.draws["accuracy"], chosen, None)
    x = drawn.transpose("target", "chain", "draw").values.reshape(STEPS, -1)
    lower, median, upper = np.quantile(x, [check_prob(0.9)[0], 0.5, check_prob(0.9)[1]], axis=1)
    share, ratio, known = (
        (x >= accuracy).mean(1),
        flops / 6 / size**2,
        mine["tokens"] / mine["params"],
    )
    inside = (ratio >= known.min() / MAX_RATIO_BEYOND) & (ratio <= known.max() * MAX_RATIO_BEYOND)
    # it falls by Monte Carlo error, or where doubt grows faster than accuracy
    reached = np.maximum.accumulate(np.where(inside, share, 0.0))
    columns = {
        "flops": flops,
        "params": size,
        "tokens": flops / 6 / size,
        "extrapolation_factor": flops / largest,
        "spoken_for": inside,
    }
    table = pd.DataFrame(
        columns | {"prob_reached": share, "median": median, "lower": lower, "upper": upper}
    )
    what = f"{'mean accuracy' if not isinstance(tasks, str) else tasks} {accuracy:g} with probability {prob:g}"
    unsure = doubts(made.table, chosen)
    if reached[-1] < prob:
        said = f"{what} is not within the range that this ladder can speak for: up to {furthest:g} times its compute"
        said += (
            f", at D / N within {MAX_RATIO_BEYOND:g} times its own, the probability is {reached[-1]:.2f} at most"
            if inside.any()
            else ", no D / N is near its own"
        )
        return Required(None, None, None, "; ".join([said, *unsure]), table, made.status, made.note)
    first = int(np.argmax(reached >= prob))
    lowest = first == int(np.argmax(inside))
    c = (
        float(flops[first])
        if lowest
        else float(
            np.exp(
                np.interp(
                    prob, reached[first - 1 : first + 1], np.log(flops[first - 1 : first + 1])
                )
            )
        )
    )
    n = params if params is not None else float(np.sqrt(c / 6 / (multiplier or MULTIPLIER)))
    less = (
        ""
        if not lowest
        else " or less"
        if first == 0
        else ", the least of this size that the ladder can speak for"
    )
    said = f"{what} takes {c:.3g} FLOPs{less} ({n:.3g} parameters, {c / 6 / n:.3g} tokens), {c / largest:.3g} times the largest fitted compute"
    remarks = [note for note in made.extrapolation["note"].iloc[[first]] if note]
    return Required(
        c, n, c / 6 / n, "; ".join([said, *remarks, *unsure]), table, made.status, made.note
    )
