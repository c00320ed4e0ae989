"""Target and Conventions: the run to forecast, and how its figures are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

from bayescale.errors import DataError, SettingError
from bayescale.validation import as_list, require_kind, require_number, shown

# How N is counted in a ladder of which only the compute is known: only law compute may be fitted.
COMPUTE_ONLY = "unknown, only compute is known"
# Tokens per parameter of such runs: about compute-optimal (Hoffmann et al. 2022, arXiv 2203.15556).
# Law compute does not see it, and the distances in ln N and ln D on which the law's error depends
# are the same for any constant ratio.
TOKENS_PER_PARAM = 20.0
_SIZES = ("params", "tokens")
_FIGURES = (*_SIZES, "flops", "unique_tokens", "shift")
_WORDS = ("corpus", "name")


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

    Raises
    ------
    DataError
        For a convention that is no text, and units that are no mapping from names to texts.
    """

    params: str | None = None
    tokenizer: str | None = None
    loss_units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("params", "tokenizer"):
            _require_text(f"{name} of the conventions", getattr(self, name))
        units = self.loss_units
        is_mapping = isinstance(units, Mapping)
        if not is_mapping or not all(isinstance(v, str) for pair in units.items() for v in pair):
            raise DataError(
                "loss_units of the conventions",
                rule="must be a mapping from names of losses to units",
                got=shown(units),
                way_out="such as {'c4': 'nats/token'}",
            )
        object.__setattr__(self, "loss_units", MappingProxyType(dict(self.loss_units)))

    def __reduce__(self) -> tuple[type[Conventions], tuple[object, ...]]:
        """What a copy in another process is made of; it cannot take the read-only mapping."""
        return Conventions, (self.params, self.tokenizer, dict(self.loss_units))


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
        For a size or a compute that is not a positive finite number, a shift that is not a finite
        number, 0 or more, sizes whose product is too large or too small for a number of 64 bits, a
        corpus or a name that is no text, and conventions of another type.

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
        if not 0 < self.compute_6nd < np.inf:
            raise DataError(
                "params and tokens of the target",
                rule="must have a product that a number of 64 bits can hold",
                got=f"{self.params:g} and {self.tokens:g}",
                way_out="give both as counts, such as params=7e9, tokens=4e12",
            )
        for word in _WORDS:
            _require_text(f"{word} of the target", getattr(self, word))
        require_kind(
            "conventions of the target",
            self.conventions,
            Conventions | None,
            rule="must be Conventions",
            way_out="such as Conventions(tokenizer='gpt2')",
            error=DataError,
        )
        if self.name is None:
            object.__setattr__(self, "name", f"{self.params:.4g} params, {self.tokens:.4g} tokens")

    @classmethod
    def of_compute(
        cls, flops: float, *, corpus: str | None = None, name: str | None = None
    ) -> Target:
        """The target of a ladder of which only the compute is known: C = 6 N D at D = 20 N.

        Parameters
        ----------
        flops
            Training compute in FLOPs, positive.
        corpus
            The corpus that the target is trained on; None only where the ladder has a single one.
        name
            Name of the target; None names it by its compute.

        Raises
        ------
        DataError
            For a compute that is not a positive finite number, and a corpus or a name that is no
            text.
        """
        compute = _checked("flops", flops)
        params = float(np.sqrt(compute / (6.0 * TOKENS_PER_PARAM)))
        return cls(
            params=params,
            tokens=TOKENS_PER_PARAM * params,
            corpus=corpus,
            name=f"{compute:.4g} FLOPs" if name is None else name,
            flops=compute,
        )

    @property
    def label(self) -> str:
        """The target's name, or its size where it was given no name."""
        return str(self.name)

    @property
    def compute_6nd(self) -> float:
        """C = 6 N D in FLOPs."""
        return six_nd(self.params, self.tokens)


def as_targets(value: object, what: str = "target") -> tuple[Target, ...]:
    """The targets of a list; a single target is a list of one.

    Parameters
    ----------
    value
        What the user gave.
    what
        The argument, named as the user named it.

    Raises
    ------
    SettingError
        For anything that is neither a Target nor a list of Targets.
    """
    given = as_list(value)
    targets = tuple(one for one in given if isinstance(one, Target))
    if len(targets) < len(given):
        raise SettingError(
            what,
            rule="must be a Target, or several",
            got=shown(value),
            way_out="such as Target(params=7e9, tokens=4e12), or ladder.targets()",
        )
    return targets


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
    may_be_zero = figure == "shift"
    return require_number(
        f"{figure} of the target",
        value,
        lambda x: x >= 0 if may_be_zero else x > 0,
        rule="must be 0 or more" if may_be_zero else "must be a positive finite number",
        way_out=f"give {figure} as a number, such as {'0.02' if may_be_zero else '7e9'}",
        error=DataError,
    )


def _require_text(what: str, value: object) -> None:
    """A DataError for anything but a text or None."""
    require_kind(
        what,
        value,
        str | None,
        rule="must be a text, or None",
        way_out="write it in quotation marks, or leave it out",
        error=DataError,
    )
