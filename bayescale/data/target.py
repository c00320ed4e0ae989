"""Target and Conventions: the run to forecast, and how its figures are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

from bayescale.errors import DataError


@dataclass(frozen=True)
class Conventions:
    """How N is counted, what unit each loss has, which tokenizer: what a target must share with its
    ladder.

    Parameters
    ----------
    params
        How N is counted, such as ``"all but the input embedding"``; None where nobody said.
    tokenizer
        Its name; None where nobody said.
    loss_units
        Unit of each loss by name, such as ``{"c4": "nats/token"}``.
    """

    params: str | None = None
    tokenizer: str | None = None
    loss_units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss_units", MappingProxyType(dict(self.loss_units)))


@dataclass(frozen=True)
class Target:
    """The run to forecast, N parameters on D tokens.

    Parameters
    ----------
    params, tokens
        N and D, positive. N by the ladder's convention.
    corpus
        The corpus it is trained on; None only where the ladder has a single one.
    name
        How to call it; None names it by its size.
    flops
        Measured training compute in FLOPs; None for 6ND. Measured figures are used only where the
        ladder's are measured too.
    unique_tokens
        U, where data is repeated.
    shift
        Extra standard deviation of log loss, for a target unlike its ladder.
    conventions
        What is known of its conventions; whatever is stated must match the ladder's.

    Raises
    ------
    DataError
        For a size, a compute or a shift that is not a positive finite number (a shift may be 0).
    """

    params: float
    tokens: float
    corpus: str | None = None
    name: str | None = None
    flops: float | None = None
    unique_tokens: float | None = None
    shift: float | None = None
    conventions: Conventions | None = None

    def __post_init__(self) -> None:
        for what, least in (
            ("params", 0.0),
            ("tokens", 0.0),
            ("flops", 0.0),
            ("unique_tokens", 0.0),
            ("shift", -1e-300),
        ):
            value = getattr(self, what)
            if value is None and what not in ("params", "tokens"):
                continue
            number = _as_number(value)
            if not np.isfinite(number) or number <= least:
                raise DataError(
                    f"{what} of the target",
                    rule="must be 0 or more"
                    if what == "shift"
                    else "must be a positive finite number",
                    got=repr(value),
                    way_out=f"give {what} as a number, such as 7e9",
                )
            object.__setattr__(self, what, number)
        if self.name is None:
            object.__setattr__(self, "name", f"{self.params:.4g} params, {self.tokens:.4g} tokens")

    @property
    def label(self) -> str:
        """Its name, or its size where it was given none."""
        return str(self.name)

    @property
    def compute_6nd(self) -> float:
        """C = 6 N D in FLOPs."""
        return six_nd(self.params, self.tokens)


def six_nd[T: (float, np.ndarray, pd.Series)](params: T, tokens: T) -> T:
    """C = 6 N D: training compute in FLOPs, from parameters and tokens."""
    return 6.0 * params * tokens


def _as_number(value: object) -> float:
    if isinstance(value, str | bool | np.bool_):
        return float("nan")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")
