"""Runs of a ladder as targets."""

from bayescale.data.target import Target
from bayescale.fits.record import Fit


def again(fit: Fit, run: str) -> Target:
    return next(t for t in fit.ladder.targets("fit", "held_out") if t.label == run)
