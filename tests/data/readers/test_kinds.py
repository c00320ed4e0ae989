"""Numbers become losses and shares, or are refused where they cannot be what they claim."""

import numpy as np
import pandas as pd
import pytest

from bayescale.data.readers.kinds import bytes_per_token, to_losses, to_shares
from bayescale.errors import DataError


def losses(values: list[float], kind: str) -> list[float]:
    column = pd.Series(values)
    return to_losses(column, pd.Series(kind, column.index), "losses").tolist()


def shares(values: list[float], kind: str, chance: float = 0.25) -> list[float]:
    column = pd.Series(values)
    kinds, chances = pd.Series(kind, column.index), pd.Series(chance, column.index)
    return to_shares(column, kinds, chances, "scores").tolist()


def test_losses_of_each_kind() -> None:
    assert losses([2.5], "loss") == [2.5]
    assert losses([np.e**2.5], "perplexity") == pytest.approx([2.5])
    assert losses([0.9], "bits_per_byte") == [0.9]
    assert losses([1.0], "bits_per_token") == pytest.approx([np.log(2)])


def test_shares_of_each_kind() -> None:
    assert shares([0.4], "accuracy") == [0.4]
    assert shares([40.0], "percent") == pytest.approx([0.4])
    assert shares([0.6], "error") == pytest.approx([0.4])
    assert shares([0.2], "centred") == pytest.approx([0.4])
    assert shares([-0.1], "centred") == pytest.approx([0.175])


@pytest.mark.parametrize(
    ("values", "kind"), [([0.5], "perplexity"), ([-1.0], "bits_per_byte"), ([-0.1], "loss")]
)
def test_a_loss_that_its_kind_cannot_have_is_refused(values: list[float], kind: str) -> None:
    with pytest.raises(DataError, match="right kind"):
        losses(values, kind)


@pytest.mark.parametrize(
    ("values", "kind"),
    [([101.0], "percent"), ([-1.0], "percent"), ([60.0], "error"), ([1.5], "centred")],
)
def test_a_score_that_its_kind_cannot_have_is_refused(values: list[float], kind: str) -> None:
    with pytest.raises(DataError, match="right kind"):
        shares(values, kind)


def test_a_centred_score_needs_its_chance() -> None:
    with pytest.raises(DataError, match="chance of each task"):
        shares([0.2], "centred", chance=np.nan)


@pytest.mark.parametrize(
    ("nats", "bits", "agree"),
    [(3.0, 1.0, True), (3.0, 3.0, False), (0.7 * np.log(2), 0.7, True), (60.0, 1.0, False)],
)
def test_nats_per_token_and_bits_per_byte_of_one_run(nats: float, bits: float, agree: bool) -> None:
    rows = pd.DataFrame({"run": ["a", "a"], "loss_name": ["n", "b"], "loss": [nats, bits]})
    units = {"n": "nats/token", "b": "bits/byte"}
    if agree:
        bytes_per_token(rows, units)
    else:
        with pytest.raises(DataError, match="bytes per token"):
            bytes_per_token(rows, units)
    bytes_per_token(rows, {"n": "nats/token"})
