"""Checks of arguments that several stages share."""

from __future__ import annotations

from collections.abc import Collection

from bayescale.errors import SettingError


def check_prob(prob: float) -> tuple[float, float]:
    """(1 - prob) / 2 and (1 + prob) / 2: the probabilities at the ends of an equal-tailed interval.

    Parameters
    ----------
    prob
        The probability that the interval holds, between 0 and 1.

    Returns
    -------
    tuple of float
        The probabilities of the lower and the upper end, such as 0.05 and 0.95 for 0.9.

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
    """Check that an argument is one of a set of known words.

    Parameters
    ----------
    name
        The argument, named as the user named it.
    value
        What the user gave.
    known
        The words that the argument may be; the message lists them all.
    way_out
        What the message tells the user to do.

    Raises
    ------
    SettingError
        For a value that is not one of the known words.
    """
    if not isinstance(value, str) or value not in known:
        rule = f"must be one of {', '.join(known)}"
        raise SettingError(name, rule=rule, got=repr(value), way_out=way_out)
