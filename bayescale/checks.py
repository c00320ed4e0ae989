"""One row of any list of checks: what was looked at, how it came out, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Literal

import pandas as pd

Status = Literal["pass", "warn", "fail", "not run"]
_ORDER: tuple[Status, ...] = ("pass", "warn", "not run", "fail")


@dataclass(frozen=True)
class Check:
    """check, status, value, limit, advice.

    Parameters
    ----------
    check
        What was looked at.
    status
        ``pass``, ``warn``, ``fail``, or ``not run`` for a check that could not be made.
    value, limit
        The figure found and the figure it was held against; ``nan`` where there is none.
    advice
        What to do; empty where nothing need be done.
    """

    check: str
    status: Status
    value: float
    limit: float
    advice: str = ""


def worst(checks: Iterable[Check]) -> Status:
    """The gravest status among `checks`; a check that did not run counts as ``fail``, for nobody
    knows how it would have come out.
    """
    gravest: Status = max((c.status for c in checks), key=_ORDER.index, default="pass")
    return "fail" if gravest == "not run" else gravest


def to_frame(checks: Iterable[Check]) -> pd.DataFrame:
    """One row a check, columns check, status, value, limit, advice."""
    return pd.DataFrame([asdict(c) for c in checks], columns=[f.name for f in fields(Check)])
