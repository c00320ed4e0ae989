"""Damaged records: a JSON record with a few of its values replaced, dropped or renamed."""

import copy
import math
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from bayescale.errors import BayescaleError

# Values of every kind that JSON knows, and numbers that a float or an array cannot hold.
JUNK: list[Any] = [
    None, True, False, 0, -1, 1, 2.5, 1e308, 10**400, -(10**400), math.nan, math.inf,
    "", " ", "text", "N/A", "1", "é\u202e", "\x1b[31m", [], [1], ["a", None], [[0]], {}, {"a": 1},
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, record: Any) -> Any:
    """The record after one to four changes at places of the draw's choice."""
    changed = copy.deepcopy(record)
    for _ in range(draw(st.integers(1, 4))):
        changed = _change(draw, changed)
    return changed


def _change(draw: st.DrawFn, record: Any) -> Any:
    """The record with one value changed; which one is drawn level by level."""
    junk = copy.deepcopy(draw(st.sampled_from(JUNK)))
    if not isinstance(record, dict | list) or not record or draw(st.integers(0, 7)) == 0:
        return junk
    keys = list(record) if isinstance(record, dict) else list(range(len(record)))
    key = draw(st.sampled_from(keys))
    what = draw(st.sampled_from(["inside", "inside", "inside", "drop", "rename"]))
    if what == "inside":
        record[key] = _change(draw, record[key])
    elif what == "drop" or isinstance(record, list):
        del record[key]
    else:
        record[str(junk)[:12]] = record.pop(key)
    return record


def refusal(call: Callable[[], object]) -> str:
    """The message with which a call refuses its input, empty where the call gives an answer."""
    try:
        call()
    except BayescaleError as error:
        return str(error)
    return ""
