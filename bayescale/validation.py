"""Checks of arguments that several stages share."""

from __future__ import annotations

from bayescale.errors import SettingError


def check_prob(prob: float) -> tuple[float, float]:
    """The two tails of an equal-tailed interval of probability `prob`, or a SettingError."""
    if not 0 < prob < 1:
        raise SettingError(
            "prob",
            rule="must lie between 0 and 1",
            got=prob,
            way_out="such as 0.9 for a 90 % interval",
        )
    return (1 - prob) / 2, (1 + prob) / 2
