"""The same question with other costs, thresholds and errors of law and link: how the verdict moves,
and where it flips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.decisions.preference import Preference
from bayescale.decisions.value import Threshold, Value, value_draws
from bayescale.forecasts.forecast import Forecast

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
        Net value, (draws, targets), by the amount.
    """

    what: str
    none: float
    shown: Sequence[float]
    looked_at: Sequence[float]
    net: Callable[[float], np.ndarray]


def changes(forecast: Forecast, value: Value, worth: np.ndarray, spent: np.ndarray) -> list[Change]:
    """Of cost, of thresholds where there are some, and of the discrepancy; `worth` and `spent` have
    shape (draws, targets).
    """

    def net(forecast: Forecast, value: Value) -> np.ndarray:
        return value_draws(value, forecast.draws).values.reshape(worth.shape) - spent

    found = [Change("cost, times", 1.0, COSTS, COST_RANGE, lambda by: worth - by * spent)]
    if isinstance(value, Threshold):
        found.append(
            Change(
                "thresholds, plus",
                0.0,
                SHIFTS,
                SHIFT_RANGE,
                lambda by: net(forecast, value.shifted(by)),
            )
        )
    return [
        *found,
        Change(
            "discrepancy, times",
            1.0,
            SCALES,
            SCALE_RANGE,
            lambda by: net(forecast.scaled(by), value),
        ),
    ]


def table(changes: Sequence[Change], labels: Sequence[str], preference: Preference) -> pd.DataFrame:
    """What becomes of the verdict: what, by, target (the one to fund, or nearest to it), its net
    and so on, verdict; first as asked.
    """
    rows = []
    for what, by, net in [
        ("as asked", 1.0, changes[0].net(1.0)),
        *((c.what, by, c.net(by)) for c in changes for by in c.shown),
    ]:
        best, funded = preference.choose(net)
        about = {"what": what, "by": by, "target": labels[best], "net": float(net[:, best].mean())}
        about |= {
            "certainty_equivalent": float(preference.certain(net[:, best])),
            "prob_regret": float((net[:, best] < 0).mean()),
        }
        rows.append(about | {"verdict": "fund" if funded else "do not fund"})
    return pd.DataFrame(rows)


def flips(changes: Sequence[Change], preference: Preference) -> pd.DataFrame:
    """The amount nearest to none at which something is funded where nothing was, or nothing where
    something was.

    Columns what, at (nan where the verdict stays), lowest and highest amount looked at.
    """
    return pd.DataFrame(
        [
            {
                "what": c.what,
                "at": _flip(c, preference),
                "lowest": c.looked_at[0],
                "highest": c.looked_at[-1],
            }
            for c in changes
        ]
    )


def _flip(change: Change, preference: Preference) -> float:
    """Outward from none on either side, by halving the first step at whose ends verdicts differ;
    steps are the finest that can be told apart.
    """
    asked = preference.choose(change.net(change.none))[1]
    found = []
    for side in (1, -1):
        near = change.none
        for far in sorted(
            (by for by in change.looked_at if side * (by - near) > 0), key=lambda by: side * by
        ):
            if preference.choose(change.net(far))[1] != asked:
                found.append(_halved(change, preference, near, far, asked=asked))
                break
            near = far
    return min(found, key=lambda by: abs(by - change.none), default=float("nan"))


def _halved(
    change: Change, preference: Preference, near: float, far: float, *, asked: bool
) -> float:
    for _ in range(HALVINGS):
        middle = 0.5 * (near + far)
        near, far = (
            (middle, far) if preference.choose(change.net(middle))[1] == asked else (near, middle)
        )
    return 0.5 * (near + far)
