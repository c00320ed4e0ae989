"""The same question with other costs, thresholds and errors of law and link: how the verdict on one target moves, and where it flips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.forecasting import Forecast
from bayescale.preferring import Preference
from bayescale.valuing import Threshold, Value, value_draws

COSTS = (0.5, 0.75, 1.25, 1.5, 2.0)  # times the cost
SHIFTS = (-0.05, -0.02, 0.02, 0.05)  # of every threshold
SCALES = (0.0, 0.5, 1.5, 2.0)  # times the errors of law and link
COST_RANGE = tuple(np.geomspace(1e-2, 1e2, 17))  # where a flip is looked for
SHIFT_RANGE = tuple(np.linspace(-0.5, 0.5, 21))
SCALE_RANGE = tuple(np.linspace(0.0, 4.0, 9))
HALVINGS = 10  # of the step in which the verdict flips


@dataclass(frozen=True)
class Change:
    """One kind of change.

    Parameters
    ----------
    what
        In words.
    none
        The amount that changes nothing.
    shown, looked_at
        Amounts of the table, and those between which a flip is looked for, in order.
    net
        Net value of every draw, (draws,), by the amount.
    """

    what: str
    none: float
    shown: Sequence[float]
    looked_at: Sequence[float]
    net: Callable[[float], np.ndarray]


def changes(forecast: Forecast, value: Value, worth: np.ndarray, spent: np.ndarray, target: int) -> list[Change]:
    """Of cost, of thresholds where there are some, and of the discrepancy; `worth` and `spent` have shape (draws, targets)."""

    def net(forecast: Forecast, value: Value) -> np.ndarray:
        return value_draws(value, forecast.draws).values.reshape(worth.shape)[:, target] - spent[:, target]

    found = [Change("cost, times", 1.0, COSTS, COST_RANGE, lambda by: worth[:, target] - by * spent[:, target])]
    if isinstance(value, Threshold):
        found.append(Change("thresholds, plus", 0.0, SHIFTS, SHIFT_RANGE, lambda by: net(forecast, value.shifted(by))))
    return [*found, Change("discrepancy, times", 1.0, SCALES, SCALE_RANGE, lambda by: net(forecast.scaled(by), value))]


def table(changes: Sequence[Change], preference: Preference) -> pd.DataFrame:
    """What becomes of the net value: what, by, net, prob_regret, verdict; the question as it was asked first."""
    rows = []
    for what, by, net in [("as asked", 1.0, changes[0].net(1.0)), *((c.what, by, c.net(by)) for c in changes for by in c.shown)]:
        about = {"what": what, "by": by, "net": float(net.mean()), "prob_regret": float((net < 0).mean())}
        rows.append(about | {"verdict": "fund" if preference.funds(net) else "do not fund"})
    return pd.DataFrame(rows)


def flips(changes: Sequence[Change], preference: Preference) -> pd.DataFrame:
    """The amount nearest to none at which the verdict becomes the other: what, at (nan where it does not), lowest and highest amount looked at."""
    return pd.DataFrame([{"what": c.what, "at": _flip(c, preference), "lowest": c.looked_at[0], "highest": c.looked_at[-1]} for c in changes])


def _flip(change: Change, preference: Preference) -> float:
    """By halving the nearest step of the amounts looked at that has different verdicts at its ends."""
    asked = bool(preference.funds(change.net(change.none)))
    each = [bool(preference.funds(change.net(by))) == asked for by in change.looked_at]
    outward = sorted((i for i, same in enumerate(each) if not same), key=lambda i: abs(change.looked_at[i] - change.none))
    if not outward:
        return float("nan")
    far = change.looked_at[outward[0]]
    inner = [by for by in (*change.looked_at, change.none) if (by < far) == (change.none < far) and by != far]
    near = max(inner) if change.none < far else min(inner)
    for _ in range(HALVINGS):
        middle = 0.5 * (near + far)
        near, far = (middle, far) if bool(preference.funds(change.net(middle))) == asked else (near, middle)
    return 0.5 * (near + far)
