"""Checks of arguments that several stages share."""

from __future__ import annotations

from collections.abc import Collection

from bayescale.errors import SettingError


def check_prob(prob: float) -> tuple[float, float]:
    """(1 - prob) / 2 and (1 + prob) / 2: the probabilities at the ends of an equal-tailed interval.

    Raises
    ------
    SettingError
        For a probability that does not lie between 0 and 1.
    """
    if not 0 < prob < 1:
        raise SettingError(
            "prob",
            rule="must lie between 0 and 1",
            got=prob,
            way_out="such as 0.9 for a 90 % interval",
        )
    return (1 - prob) / 2, (1 + prob) / 2


def require_choice(
    name: str, value: object, known: Collection[str], way_out: str = "choose one of them"
) -> None:
    """Nothing where `value` is one of the `known` words; a SettingError that lists them where not.

    Raises
    ------
    SettingError
        For a value that is not one of the known words.
    """
    if not isinstance(value, str) or value not in known:
        rule = f"must be one of {', '.join(known)}"
        raise SettingError(name, rule=rule, got=repr(value), way_out=way_out)
