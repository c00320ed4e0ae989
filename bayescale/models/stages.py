"""The two stages of a fit: the losses around a law, and the accuracies around a link."""

from __future__ import annotations

from typing import Literal, NamedTuple

type StageName = Literal["loss", "accuracy"]


class Stages[L, A](NamedTuple):
    """One value for each stage of a fit.

    Parameters
    ----------
    loss
        The value for the losses.
    accuracy
        The value for the accuracies; None where the ladder has no accuracies.
    """

    loss: L
    accuracy: A | None = None

    def named(self) -> list[tuple[StageName, L | A]]:
        """(name, value) of each stage that has a value."""
        loss: list[tuple[StageName, L | A]] = [("loss", self.loss)]
        return loss if self.accuracy is None else [*loss, ("accuracy", self.accuracy)]
