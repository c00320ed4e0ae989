"""The verdict at other costs, thresholds and errors of law and link, and where it changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.decisions.preference import Preference
from bayescale.decisions.valuation import as_value, value_draws
from bayescale.decisions.value import Value
from bayescale.forecasts.record import Forecast

# amounts of the table: factors of the cost, shifts of every threshold, factors of the errors
COSTS = (0.5, 0.75, 1.25, 1.5, 2.0)
SHIFTS = (-0.05, -0.02, 0.02, 0.05)
SCALES = (0.0, 0.5, 1.5, 2.0)
# amounts between which the change of verdict is searched
COST_RANGE = tuple(np.geomspace(1e-2, 1e2, 17))
SHIFT_RANGE = tuple(np.linspace(-0.5, 0.5, 21))
SCALE_RANGE = tuple(np.linspace(0.0, 4.0, 9))
# of the interval in which the verdict changes
HALVINGS = 10


@dataclass(frozen=True)
class Change:
    """One kind of change of the decision problem.

    Parameters
    ----------
    what
        Name of the change, such as ``cost, times``.
    none
        The amount that changes nothing.
    shown
        Amounts of the table.
    looked_at
        Amounts between which a change of the verdict is searched, in increasing order.
    net
        Net values in money, shape (draws, targets), as a function of the amount.
    """

    what: str
    none: float
    shown: Sequence[float]
    looked_at: Sequence[float]
    net: Callable[[float], np.ndarray]


def changes(forecast: Forecast, value: Value, worth: np.ndarray, spent: np.ndarray) -> list[Change]:
    """Changes of the cost, of the thresholds where the value has any, and of the discrepancy.

    Parameters
    ----------
    forecast
        The forecast of the targets.
    value
        A `Threshold`, a `Linear`, or a function of the draws.
    worth
        Value of each draw and target in money, shape (draws, targets).
    spent
        Cost of each draw and target in money, shape (draws, targets).

    Returns
    -------
    list of Change
        The change of the cost first.
    """
    asked = as_value(value)

    def net_of_cost(by: float) -> np.ndarray:
        return worth - by * spent

    def net_of_thresholds(by: float) -> np.ndarray:
        draws = value_draws(asked.shifted(by), forecast.draws)
        return draws.values.reshape(worth.shape) - spent

    def net_of_discrepancy(by: float) -> np.ndarray:
        draws = value_draws(asked, forecast.scaled(by).draws)
        return draws.values.reshape(worth.shape) - spent

    cost = Change(what="cost, times", none=1.0, shown=COSTS, looked_at=COST_RANGE, net=net_of_cost)
    thresholds = Change(
        what="thresholds, plus",
        none=0.0,
        shown=SHIFTS,
        looked_at=SHIFT_RANGE,
        net=net_of_thresholds,
    )
    discrepancy = Change(
        what="discrepancy, times",
        none=1.0,
        shown=SCALES,
        looked_at=SCALE_RANGE,
        net=net_of_discrepancy,
    )
    return [cost, thresholds, discrepancy] if asked.each else [cost, discrepancy]


def table(changes: Sequence[Change], labels: Sequence[str], preference: Preference) -> pd.DataFrame:
    """The verdict for each amount of each change; the first row changes nothing.

    Parameters
    ----------
    changes
        The kinds of change, the cost first.
    labels
        Names of the targets.
    preference
        The preference by which runs are funded.

    Returns
    -------
    pandas.DataFrame
        One row per amount: what, by, target (the one to fund, or the nearest to it), net,
        certainty_equivalent and prob_regret of this target, verdict.
    """
    amounts = [(change.what, by, change.net) for change in changes for by in change.shown]
    rows = []
    for what, by, net_at in [("as asked", 1.0, changes[0].net), *amounts]:
        net = net_at(by)
        best, funded = preference.choose(net)
        rows.append(
            {
                "what": what,
                "by": by,
                "target": labels[best],
                "net": float(net[:, best].mean()),
                "certainty_equivalent": float(preference.certain(net[:, best])),
                "prob_regret": float((net[:, best] < 0).mean()),
                "verdict": "fund" if funded else "do not fund",
            }
        )
    return pd.DataFrame(rows)


def flips(changes: Sequence[Change], preference: Preference) -> pd.DataFrame:
    """The amount of each change, nearest to no change, at which the verdict becomes the other.

    Parameters
    ----------
    changes
        The kinds of change.
    preference
        The preference by which runs are funded.

    Returns
    -------
    pandas.DataFrame
        One row per change: what, at (nan where the verdict stays the same), lowest and highest
        amount that was looked at.
    """
    rows = [
        {
            "what": change.what,
            "at": _flip(change, preference),
            "lowest": change.looked_at[0],
            "highest": change.looked_at[-1],
        }
        for change in changes
    ]
    return pd.DataFrame(rows)


def _flip(change: Change, preference: Preference) -> float:
    """The nearest amount with the other verdict: on either side, the first step that has it."""
    asked = preference.choose(change.net(change.none))[1]
    amounts = []
    for side in (1, -1):
        near = change.none
        on_side = [by for by in change.looked_at if side * (by - near) > 0]
        for far in sorted(on_side, key=lambda by: side * by):
            if preference.choose(change.net(far))[1] != asked:
                amounts.append(_halved(change, preference, near, far, asked=asked))
                break
            near = far
    return min(amounts, key=lambda by: abs(by - change.none), default=float("nan"))


def _halved(
    change: Change, preference: Preference, near: float, far: float, *, asked: bool
) -> float:
    """The amount between `near` and `far` at which the verdict changes, by halving the interval."""
    for _ in range(HALVINGS):
        middle = 0.5 * (near + far)
        if preference.choose(change.net(middle))[1] == asked:
            near = middle
        else:
            far = middle
    return 0.5 * (near + far)
