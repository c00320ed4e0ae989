"""BayescaleError and its kinds: every message says what is wrong, the rule, what was got and the
way out.
"""

from __future__ import annotations

from functools import partial


class BayescaleError(Exception):
    """what: rule; got `got`; way_out.

    Parameters
    ----------
    what
        The thing that is wrong, named as the user named it.
    rule
        What must hold.
    got
        What was found instead.
    way_out
        What the user can do about it.
    """

    def __init__(self, what: str, *, rule: str, got: object, way_out: str) -> None:
        self.what = what
        self.rule = rule
        self.got = str(got)
        self.way_out = way_out
        super().__init__(f"{what}: {rule}; got {got}; {way_out}")

    def __reduce__(self) -> tuple[partial[BayescaleError], tuple[()]]:
        """What a copy in another process is made of."""
        parts = {"rule": self.rule, "got": self.got, "way_out": self.way_out}
        return partial(type(self), self.what, **parts), ()


class DataError(BayescaleError, ValueError):
    """A table, a run or a target breaks a rule of the data."""


class SettingError(BayescaleError, ValueError):
    """An argument has a value that it may not have."""


class FileError(BayescaleError):
    """A file is missing, damaged, or of another format."""


class FitError(BayescaleError):
    """A point fit did not converge; `got` is the optimiser's message."""


class TaskError(BayescaleError):
    """A task that an executor ran has failed; `got` is the reason."""
