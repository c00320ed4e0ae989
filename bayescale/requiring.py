"""required(fit, tasks, accuracy, prob) -> Required: the least compute at which a run reaches an accuracy with a probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.checks import Status
from bayescale.errors import SettingError
from bayescale.fits import Fit
from bayescale.forecasting import forecast
from bayescale.ladder import Target
from bayescale.placing import corpus_of
from bayescale.scoring import check_prob
from bayescale.valuing import scored, weighted_mean

MULTIPLIER = 20.0  # tokens a parameter, near the compute-optimal
FURTHEST = 300.0  # times the dearest run's compute: a judgement, as far as few backtests of accuracies have gone
NEAREST = 0.1
STEPS = 41


@dataclass(frozen=True, repr=False)
class Required:
    """What it takes to reach an accuracy.

    Parameters
    ----------
    flops, params, tokens
        Of the least run that reaches it with the probability asked for; None where that is not within the range that the ladder can speak for.
    answer
        In one sentence.
    table
        One row a run that was looked at: flops, params, tokens, extrapolation_factor, prob_reached, and median, lower and upper of the accuracy.
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
    furthest: float = FURTHEST,
    seed: int = 0,
) -> Required:
    """Min C such that P(accuracy of a run of C FLOPs >= `accuracy`) >= `prob`, along D = M N, or along D at a given N.

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
        Extrapolation factor up to which is looked.
    seed
        Of the forecast's noise.

    Raises
    ------
    SettingError
        For an accuracy or a probability outside (0, 1), both `params` and `multiplier`, sizes that are not positive, and unknown tasks.
    """
    if not 0 < accuracy < 1 or not 0 < prob < 1:
        raise SettingError("accuracy and prob", rule="must lie between 0 and 1", got=f"{accuracy!r} and {prob!r}", way_out="60 % is 0.6")
    if params is not None and multiplier is not None:
        raise SettingError("params and multiplier", rule="fix N, or D / N", got="both", way_out="give one of them")
    if not all(np.isfinite(v) and v > 0 for v in (params or 1.0, multiplier or 1.0, furthest)):
        got = f"params {params!r}, multiplier {multiplier!r}, furthest {furthest!r}"
        raise SettingError("the run", rule="must have positive sizes", got=got, way_out="such as params=7e9, or multiplier=100")
    runs = fit.ladder.with_role("fit").runs
    mine = runs[runs["corpus"] == corpus_of(Target(1.0, 1.0, corpus), fit.loss_data)]
    largest = float((6.0 * mine["params"] * mine["tokens"]).max())
    flops = largest * np.geomspace(NEAREST, furthest, STEPS)
    size = np.full(STEPS, params) if params is not None else np.sqrt(flops / 6 / (multiplier or MULTIPLIER))
    targets = [Target(float(n), float(c / 6 / n), corpus, name=f"{c:.6g} FLOPs") for c, n in zip(flops, size, strict=True)]
    made = forecast(fit, targets, seed=seed)
    drawn = weighted_mean(made.draws["accuracy"], scored(made.draws["accuracy"], [tasks] if isinstance(tasks, str) else tasks), None)
    x = drawn.transpose("target", "chain", "draw").values.reshape(STEPS, -1)
    lower, median, upper = np.quantile(x, [check_prob(0.9)[0], 0.5, check_prob(0.9)[1]], axis=1)
    share = (x >= accuracy).mean(1)
    reached = np.maximum.accumulate(share)  # it falls by Monte Carlo error, or where doubt grows faster than accuracy: a smaller run was enough then
    columns = {"flops": flops, "params": size, "tokens": flops / 6 / size, "extrapolation_factor": flops / largest, "prob_reached": share}
    table = pd.DataFrame(columns | {"median": median, "lower": lower, "upper": upper})
    what = f"{'mean accuracy' if not isinstance(tasks, str) else tasks} {accuracy:g} with probability {prob:g}"
    if reached[-1] < prob:
        said = (
            f"{what} is not within the range that this ladder can speak for: up to {furthest:g} times its compute the probability is {reached[-1]:.2f} at most"
        )
        return Required(None, None, None, said, table, made.status, made.note)
    first = int(np.argmax(reached >= prob))
    c = float(flops[0]) if first == 0 else float(np.exp(np.interp(prob, reached[first - 1 : first + 1], np.log(flops[first - 1 : first + 1]))))
    n = params if params is not None else float(np.sqrt(c / 6 / (multiplier or MULTIPLIER)))
    less = " or less" if first == 0 else ""
    said = f"{what} takes {c:.3g} FLOPs{less} ({n:.3g} parameters, {c / 6 / n:.3g} tokens), {c / largest:.3g} times the largest fitted compute"
    return Required(c, n, c / 6 / n, said, table, made.status, made.note)
