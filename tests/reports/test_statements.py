"""Statements of a scaling study: what the ladder states, and what it leaves unknown."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

from bayescale.data.datasets import load_dataset
from bayescale.data.target import Conventions
from bayescale.forecasts.record import Forecast
from bayescale.reports.statements import statements


def forecast_of(shift: float | None) -> Forecast:
    """The targets of the data set, one of them with a shift; statements read nothing else."""
    first, *others = load_dataset("ladder2024").targets()
    return cast("Forecast", SimpleNamespace(targets=(replace(first, shift=shift), *others)))


def test_conventions_of_the_ladder_are_stated() -> None:
    text = " ".join(statements(load_dataset("ladder2024"), forecast_of(None)))
    assert "Tokenizer: dolma2." in text
    assert "c4 in nats/token" in text
    assert "Compute of the ladder: measured." in text
    assert "target: 7B-4T, 13B-5T" in text
    assert "and more" in text, "more held-out runs than are listed"
    assert "added: none." in text


def test_an_unknown_convention_is_not_stated() -> None:
    ladder = replace(load_dataset("ladder2024"), conventions=Conventions())
    text = " ".join(statements(ladder, forecast_of(None)))
    assert "How parameters are counted: not stated." in text
    assert "Units of losses: not stated." in text


def test_a_widened_target_is_named_with_its_sd() -> None:
    text = " ".join(statements(load_dataset("ladder2024"), forecast_of(0.02)))
    assert "added: 7B-4T 0.02." in text
