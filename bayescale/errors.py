"""BayescaleError and its kinds: one form for every message, what went wrong, the rule, what was
got, the way out.
"""


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
        What to do about it.
    """

    def __init__(self, what: str, *, rule: str, got: object, way_out: str) -> None:
        self.what, self.rule, self.got, self.way_out = what, rule, str(got), way_out
        super().__init__(f"{what}: {rule}; got {got}; {way_out}")


class DataError(BayescaleError, ValueError):
    """A table, a run or a target that breaks a rule of the data."""


class SettingError(BayescaleError, ValueError):
    """An argument outside what it may be."""


class FileError(BayescaleError):
    """A file that is missing, damaged, or of another format."""


class FitError(BayescaleError):
    """A point fit that did not converge; `got` is the optimiser's message."""
