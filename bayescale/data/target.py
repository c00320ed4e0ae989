"""Target and Conventions: the run to forecast, and how its figures are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

from bayescale.errors import DataError

# How N is counted in a ladder of which only the compute is known: only law compute may be fitted.
COMPUTE_ONLY = "unknown, only compute is known"
_SIZES = ("params", "tokens")
_FIGURES = (*_SIZES, "flops", "unique_tokens", "shift")


@dataclass(frozen=True)
class Conventions:
    """How N is counted, the tokenizer, and the unit of each loss: a target must share its ladder's.

    Parameters
    ----------
    params
        How N is counted, such as ``"all but the input embedding"``; None where it is unknown.
    tokenizer
        Name of the tokenizer; None where it is unknown.
    loss_units
        Unit of each loss by the loss's name, such as ``{"c4": "nats/token"}``.
    """

    params: str | None = None
    tokenizer: str | None = None
    loss_units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss_units", MappingProxyType(dict(self.loss_units)))


@dataclass(frozen=True)
class Target:
    """The run to forecast, of N parameters trained on D tokens.

    Parameters
    ----------
    params
        N, the number of parameters, positive, counted by the ladder's convention.
    tokens
        D, the number of training tokens, positive.
    corpus
        The corpus that the target is trained on; None only where the ladder has a single corpus.
    name
        Name of the target; None names it by its size.
    flops
        Measured training compute in FLOPs; None for 6ND. Measured compute is used only where the
        ladder's compute is measured too.
    unique_tokens
        U, the number of different tokens where data is repeated; None where no token is repeated.
    shift
        Extra standard deviation of ln loss, for a target unlike its ladder; None for no extra.
    conventions
        The target's conventions as far as they are known. Each one that is stated must match the
        ladder's. None states none.

    Raises
    ------
    DataError
        For a size or a compute that is not a positive finite number, or a shift that is not a
        finite number, 0 or more.

    Examples
    --------
    >>> import bayescale as bs
    >>> target = bs.Target(params=7e9, tokens=4e12, name="7B-4T")
    >>> f"{target.compute_6nd:.3g}"
    '1.68e+23'
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
        for figure in _FIGURES:
            value = getattr(self, figure)
            if value is not None or figure in _SIZES:
                object.__setattr__(self, figure, _checked(figure, value))
        if self.name is None:
            object.__setattr__(self, "name", f"{self.params:.4g} params, {self.tokens:.4g} tokens")

    @property
    def label(self) -> str:
        """The target's name, or its size where it was given no name."""
        return str(self.name)

    @property
    def compute_6nd(self) -> float:
        """C = 6 N D in FLOPs."""
        return six_nd(self.params, self.tokens)


def six_nd[T: (float, np.ndarray, pd.Series)](params: T, tokens: T) -> T:
    """C = 6 N D: training compute in FLOPs.

    Parameters
    ----------
    params
        N, the number of parameters: a number, an array or a column.
    tokens
        D, the number of training tokens, of the same shape.

    Returns
    -------
    float, ndarray or Series
        Training compute in FLOPs, of the same shape.
    """
    return 6.0 * params * tokens


def targets_of(runs: pd.DataFrame) -> list[Target]:
    """The runs of a table as targets to forecast.

    Parameters
    ----------
    runs
        One row per run, indexed by its name, as `bayescale.Ladder.runs`.

    Returns
    -------
    list of Target
        In the order of the table.
    """
    return [
        Target(
            params=r.params,
            tokens=r.tokens,
            corpus=str(r.corpus),
            name=str(r.Index),
            flops=None if np.isnan(r.flops) else r.flops,
            unique_tokens=None if np.isnan(r.unique_tokens) else r.unique_tokens,
        )
        for r in runs.itertuples()
    ]


def _checked(figure: str, value: object) -> float:
    """A figure of a target as a float, or a DataError."""
    number = _as_number(value)
    may_be_zero = figure == "shift"
    is_allowed = number >= 0 if may_be_zero else number > 0
    example = "0.02" if may_be_zero else "7e9"
    if not np.isfinite(number) or not is_allowed:
        raise DataError(
            f"{figure} of the target",
            rule="must be 0 or more" if may_be_zero else "must be a positive finite number",
            got=repr(value),
            way_out=f"give {figure} as a number, such as {example}",
        )
    return number


def _as_number(value: object) -> float:
    """The value as a float; nan for text, for a bool and for whatever is no number."""
    if isinstance(value, str | bool | np.bool_):
        return float("nan")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")
