"""Checks of arguments: probabilities, and words from a list."""

import math

import pytest

from bayescale.errors import SettingError
from bayescale.validation import check_prob, require_choice


@pytest.mark.parametrize("prob", [0.5, 0.9, 0.95])
def test_the_ends_of_an_interval_leave_the_same_probability_on_either_side(prob: float) -> None:
    lower, upper = check_prob(prob)
    assert upper - lower == pytest.approx(prob)
    assert lower == pytest.approx(1 - upper)


@pytest.mark.parametrize("prob", [0, 1, -0.1, 1.2, 90, math.nan])
def test_a_probability_lies_between_0_and_1(prob: float) -> None:
    with pytest.raises(SettingError, match="prob: must lie between 0 and 1") as caught:
        check_prob(prob)
    assert caught.value.got == str(prob)


def test_a_known_word_passes() -> None:
    require_choice("pooling", "none", ("partial", "none", "complete"))


@pytest.mark.parametrize("value", ["some", "NONE", "", None, 1, ["none"]])
def test_any_other_value_is_answered_with_the_known_words(value: object) -> None:
    with pytest.raises(SettingError) as caught:
        require_choice("pooling", value, ("partial", "none", "complete"), way_out="look it up")
    assert str(caught.value) == (
        f"pooling: must be one of partial, none, complete; got {value!r}; look it up"
    )
