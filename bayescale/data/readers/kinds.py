"""Kinds of losses and scores, and how each becomes a loss or a share of right answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from bayescale.data.names import listed
from bayescale.errors import DataError


class LossKind(NamedTuple):
    """A number that a table may give for a loss."""

    to_loss: Callable[[pd.Series], pd.Series]
    unit: str | None
    least: float


class ScoreKind(NamedTuple):
    """A number that a table may give for an accuracy; `to_share` takes the score and the chance."""

    to_share: Callable[[pd.Series, pd.Series], pd.Series]
    least: float
    most: float


LOSS_KINDS: Mapping[str, LossKind] = {
    "loss": LossKind(lambda x: x, None, 0.0),
    "perplexity": LossKind(np.log, "nats/token", 1.0),
    "bits_per_byte": LossKind(lambda x: x, "bits/byte", 0.0),
    "bits_per_token": LossKind(lambda x: x * np.log(2.0), "nats/token", 0.0),
}
ACCURACY_KINDS: Mapping[str, ScoreKind] = {
    "accuracy": ScoreKind(lambda x, _: x, 0.0, 1.0),
    "percent": ScoreKind(lambda x, _: x / 100.0, 0.0, 100.0),
    "error": ScoreKind(lambda x, _: 1.0 - x, 0.0, 1.0),
    # DCLM's centred accuracy (Li et al. 2024, arXiv 2406.11794): 0 is guessing, 1 is all right.
    "centred": ScoreKind(lambda x, chance: chance + (1.0 - chance) * x, -np.inf, 1.0),
}
KINDS = (*LOSS_KINDS, *ACCURACY_KINDS)
# Units that a column `loss_unit` may state, and the kind of number that each stands for. Any other
# unit is kept as it is written.
UNITS = {
    "nats/token": "loss",
    "perplexity": "perplexity",
    "bits/byte": "bits_per_byte",
    "bits/token": "bits_per_token",
}
# Bytes per token of one text: tokenizers of language models have 2 to 6. A model of single bytes
# has exactly 1.
BYTES_PER_TOKEN = (1.8, 15.0)
OF_BYTES = (0.98, 1.02)


def to_losses(values: pd.Series, kinds: pd.Series, what: str) -> pd.Series:
    """The losses that numbers of these kinds stand for.

    Parameters
    ----------
    values
        Floats, nan where a cell is empty.
    kinds
        The kind of each value, one of `LOSS_KINDS`.
    what
        The values, named as the user named them.

    Raises
    ------
    DataError
        For a value that its kind cannot have, such as a perplexity below 1.
    """
    losses = values.copy()
    for name, kind in LOSS_KINDS.items():
        chosen = kinds == name
        _require_range(values[chosen], f"{what}, {name}", (kind.least, np.inf))
        losses[chosen] = kind.to_loss(values[chosen])
    return losses


def to_shares(values: pd.Series, kinds: pd.Series, chance: pd.Series, what: str) -> pd.Series:
    """The shares of right answers that scores of these kinds stand for.

    Parameters
    ----------
    values
        Floats, nan where a cell is empty.
    kinds
        The kind of each value, one of `ACCURACY_KINDS`.
    chance
        The score of guessing of each value's task, nan where it is unknown.
    what
        The values, named as the user named them.

    Raises
    ------
    DataError
        For a value that its kind cannot have, and a centred score whose chance is unknown.
    """
    shares = values.copy()
    for name, kind in ACCURACY_KINDS.items():
        if name == "accuracy":
            # The rules of the run table say what is wrong with a share.
            continue
        chosen = (kinds == name) & values.notna()
        _require_range(values[chosen], f"{what}, {name}", (kind.least, kind.most))
        if name == "centred" and chance[chosen].isna().any():
            raise DataError(
                f"{what}, centred",
                rule="needs the chance of each task",
                got="none",
                way_out="give a task table with columns task, chance, items",
            )
        shares[chosen] = kind.to_share(values[chosen], chance[chosen])
    return shares


def bytes_per_token(rows: pd.DataFrame, units: Mapping[str, str]) -> None:
    """Check that losses in nats per token and in bits per byte of one run agree.

    nats per token / (bits per byte ln 2) is the number of bytes per token.

    Parameters
    ----------
    rows
        Columns run, loss_name, loss.
    units
        Unit of each loss by its name.

    Raises
    ------
    DataError
        Where the two losses imply a number of bytes per token that no tokenizer has.
    """
    table = rows.drop_duplicates(["run", "loss_name"], keep="last")
    table = table.pivot_table(index="run", columns="loss_name", values="loss")
    names = {
        unit: [name for name in table.columns if units.get(name) == unit]
        for unit in ("nats/token", "bits/byte")
    }
    for nats in names["nats/token"]:
        for bits in names["bits/byte"]:
            ratio = float((table[nats] / (table[bits] * np.log(2.0))).median())
            low, high = BYTES_PER_TOKEN
            if not (np.isnan(ratio) or low <= ratio <= high or OF_BYTES[0] <= ratio <= OF_BYTES[1]):
                raise DataError(
                    f"losses {nats!r} in nats per token and {bits!r} in bits per byte",
                    rule=f"must imply {low:g} to {high:g} bytes per token, as texts have",
                    got=f"{ratio:.3g}",
                    way_out="check the unit of each",
                )


def _require_range(values: pd.Series, what: str, limits: tuple[float, float]) -> None:
    """Check that values lie within the limits of their kind; nan is left alone."""
    outside = values[(values < limits[0]) | (values > limits[1])]
    if len(outside):
        raise DataError(
            what,
            rule=f"must lie in [{limits[0]:g}, {limits[1]:g}]",
            got=listed([f"{value:g}" for value in outside]),
            way_out="give the column its right kind, such as accuracy, percent, error, centred, "
            "loss, perplexity or bits_per_byte",
        )
