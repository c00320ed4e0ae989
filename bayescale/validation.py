"""Checks of arguments that several stages share: types first, then values.

Each check takes any object at all, and returns what later code may rely on, or raises one error.
"""

from __future__ import annotations

import math
import numbers
import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping
from types import UnionType

from bayescale.errors import BayescaleError, SettingError

_SHORT = reprlib.Repr(maxstring=80, maxother=80)


def shown(value: object) -> str:
    """The value on one short line, for a message.

    Parameters
    ----------
    value
        Any object.
    """
    try:
        text = _SHORT.repr(value)
    except ValueError:
        # Python does not write a whole number of more than 4,300 digits.
        text = "a whole number of thousands of digits"
    return " ".join(text.split())


def as_number(value: object) -> float:
    """The value as a float; nan for text, for a bool and for whatever is no real number.

    Parameters
    ----------
    value
        Any object.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def as_list(value: object) -> list[object]:
    """The items of a list or of any other collection; text, a mapping and a number are one item.

    Parameters
    ----------
    value
        Any object.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return [value]
    try:
        return list(value)
    except TypeError:
        # An array without dimensions says that it can be iterated over, and cannot.
        return [value]


def require_number(
    what: str,
    value: object,
    holds: Callable[[float], bool],
    *,
    rule: str,
    way_out: str,
    error: type[BayescaleError] = SettingError,
) -> float:
    """The value as a float, after a check that it is a finite number of which a rule holds.

    Parameters
    ----------
    what
        The argument, named as the user named it.
    value
        What the user gave.
    holds
        Whether a finite number may be given.
    rule
        The rule in words.
    way_out
        What the message tells the user to do.
    error
        Kind of the error.

    Raises
    ------
    BayescaleError
        Of the kind `error`, for anything else.
    """
    number = as_number(value)
    if not math.isfinite(number) or not holds(number):
        raise error(what, rule=rule, got=shown(value), way_out=way_out)
    return number


def require_positives(what: str, value: object, *, way_out: str) -> list[float]:
    """The numbers of a list as floats, after a check that there is one, and that all are positive.

    Parameters
    ----------
    what
        The argument, named as the user named it.
    value
        What the user gave: one number, or several.
    way_out
        What the message tells the user to do.

    Raises
    ------
    SettingError
        For anything else.
    """
    given = as_list(value)
    positive = [number for number in map(as_number, given) if 0 < number < math.inf]
    if not given or len(positive) < len(given):
        rule = "must be positive numbers, one or more"
        raise SettingError(what, rule=rule, got=shown(value), way_out=way_out)
    return positive


def require_whole(what: str, value: object, least: int, *, way_out: str) -> int:
    """The value as an int, after a check that it is a whole number and not too small.

    Parameters
    ----------
    what
        The argument, named as the user named it.
    value
        What the user gave.
    least
        The smallest number that may be given.
    way_out
        What the message tells the user to do.

    Raises
    ------
    SettingError
        For anything else.
    """
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or int(value) < least:  # type: ignore[call-overload]
        rule = f"must be a whole number, {least} or more"
        raise SettingError(what, rule=rule, got=shown(value), way_out=way_out)
    return int(value)  # type: ignore[call-overload]


def require_names(what: str, value: object) -> tuple[str, ...]:
    """The names of a list, after a check that there is one; a single text is one name.

    Parameters
    ----------
    what
        The argument, named as the user named it.
    value
        What the user gave.

    Raises
    ------
    SettingError
        For no name at all, and for anything that is no text among the names.
    """
    given = as_list(value)
    names = tuple(name for name in given if isinstance(name, str))
    if not names or len(names) < len(given):
        raise SettingError(
            what,
            rule="must be a name, or a list of names",
            got=shown(value),
            way_out=f"such as {what}=['mmlu', 'piqa']",
        )
    return names


def require_by_name(what: str, value: object, *, rule: str, way_out: str) -> dict[str, float]:
    """The numbers of a mapping as floats, after a check that its keys are names.

    Parameters
    ----------
    what
        The argument, named as the user named it.
    value
        What the user gave.
    rule
        The rule of the numbers in words. Numbers are checked to be finite and 0 or more.
    way_out
        What the message tells the user to do.

    Raises
    ------
    SettingError
        For anything that is no mapping from names to such numbers.
    """
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        rule = "must be a mapping from names to numbers"
        raise SettingError(what, rule=rule, got=shown(value), way_out=way_out)
    return {
        name: require_number(
            f"{what} of {shown(name)}", number, lambda x: x >= 0, rule=rule, way_out=way_out
        )
        for name, number in value.items()
    }


def require_kind(
    what: str,
    value: object,
    kind: type | UnionType,
    *,
    rule: str,
    way_out: str,
    error: type[BayescaleError] = SettingError,
) -> None:
    """Check that a value is of a kind; the message shows the type of any other value.

    Parameters
    ----------
    what
        The argument, named as the user named it.
    value
        What the user gave.
    kind
        Class, or union of classes, that the value must be of.
    rule
        The rule in words.
    way_out
        What the message tells the user to do.
    error
        Kind of the error.

    Raises
    ------
    BayescaleError
        Of the kind `error`, for a value of another kind.
    """
    if not isinstance(value, kind):
        got = f"{shown(value)} ({type(value).__name__})"
        raise error(what, rule=rule, got=got, way_out=way_out)


def check_progress(progress: object) -> None:
    """Check that `progress` is None or can be called.

    Raises
    ------
    SettingError
        For anything else.
    """
    if progress is not None and not callable(progress):
        raise SettingError(
            "progress",
            rule="must be a function of a stage and a share",
            got=shown(progress),
            way_out="such as progress=print, or leave it out",
        )


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
    prob = require_number(
        "prob",
        prob,
        lambda x: 0 < x < 1,
        rule="must lie between 0 and 1",
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
        raise SettingError(name, rule=rule, got=shown(value), way_out=way_out)
