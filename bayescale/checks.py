"""Check, one row of any list of checks, and the gravest status of such a list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Literal

import pandas as pd

# "not run" is the status of a single row whose check could not be made. A list of checks as a whole
# never has it: see `worst`.
Status = Literal["pass", "warn", "fail", "not run"]
_ORDER: tuple[Status, ...] = ("pass", "warn", "not run", "fail")


@dataclass(frozen=True)
class Check:
    """One row of a list of checks: what was checked, the result, and what to do about it.

    Parameters
    ----------
    check
        What was checked.
    status
        ``pass``, ``warn``, ``fail``, or ``not run`` where the check could not be made.
    value
        The figure that was found; ``nan`` where the check has no figure.
    limit
        The figure that `value` was compared with; ``nan`` where the check has no limit.
    advice
        What to do about it; empty where nothing needs to be done.
    """

    check: str
    status: Status
    value: float
    limit: float
    advice: str = ""


def worst(checks: Iterable[Check]) -> Status:
    """The gravest status among checks: ``pass``, ``warn`` or ``fail``.

    A check that did not run counts as ``fail``, because its result is unknown.

    Parameters
    ----------
    checks
        Any number of checks; none at all count as ``pass``.

    Returns
    -------
    Status
        Never ``not run``, which only a single row can have.
    """
    gravest: Status = max((c.status for c in checks), key=_ORDER.index, default="pass")
    return "fail" if gravest == "not run" else gravest


def to_frame(checks: Iterable[Check]) -> pd.DataFrame:
    """The checks as a table with one row per check.

    Parameters
    ----------
    checks
        The rows, in the order in which the table shows them.

    Returns
    -------
    DataFrame
        Columns ``check``, ``status``, ``value``, ``limit``, ``advice``.
    """
    return pd.DataFrame([asdict(c) for c in checks], columns=[f.name for f in fields(Check)])
