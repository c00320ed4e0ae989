"""The commands: where the code of each is, and what is told of it before the code is loaded."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """One command, whose code is loaded when it is called.

    Parameters
    ----------
    place
        Module and function, such as ``bayescale.cli.data:check``.
    help
        Its line in the list of commands: the first line of the function's docstring.
    kept
        What it keeps of its work after Ctrl-C; empty for nothing.
    """

    place: str
    help: str
    kept: str = ""


COMMANDS = {
    "datasets": Command(
        "bayescale.cli.data:datasets", "List the embedded data sets and their sources."
    ),
    "check": Command(
        "bayescale.cli.data:check",
        "Read a run table, and print what it contains and what looks wrong in it.",
    ),
    "forecast": Command(
        "bayescale.cli.forecast:forecast",
        "Fit a ladder, and forecast loss and accuracy of its targets.",
    ),
    "backtest": Command(
        "bayescale.cli.backtest:backtest",
        "Fit the smaller runs and forecast the larger ones, at several cuts.",
        kept="the finished cuts are kept, and the same command resumes from them",
    ),
    "decide": Command(
        "bayescale.cli.decide:decide",
        "Decide whether to fund a target, from its forecast, its value and its cost.",
    ),
    "report": Command(
        "bayescale.cli.report:report",
        "Write one HTML file: the verdict, the forecast, and what they rest on.",
    ),
    "reproduce": Command(
        "bayescale.cli.reproduce:reproduce",
        "Repeat the analyses of a paper: the released figures beside the figures computed here.",
    ),
}
