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
    "convert": Command(
        "bayescale.cli.data:convert",
        "Write the run table and the task table of results in any form, and say what became of "
        "them.",
    ),
    "forecast": Command(
        "bayescale.cli.forecast:forecast",
        "Fit a ladder, and forecast loss and accuracy of its targets.",
    ),
    "compare": Command(
        "bayescale.cli.compare:compare",
        "Say which of two runs will have the lower loss and the higher accuracy.",
    ),
    "frontier": Command(
        "bayescale.cli.frontier:frontier",
        "Find the compute-optimal parameters and tokens of a budget, and what other shapes lose.",
    ),
    "required": Command(
        "bayescale.cli.required:required",
        "Find the smallest training compute that reaches an accuracy.",
    ),
    "update": Command(
        "bayescale.cli.update:update",
        "Add new runs to a fit, and show how they move the forecast.",
    ),
    "backtest": Command(
        "bayescale.cli.backtest:backtest",
        "Fit the smaller runs and forecast the larger ones, at several cuts.",
        kept="the finished cuts are kept, and the same command resumes from them",
    ),
    "value": Command(
        "bayescale.cli.value:value",
        "Say what small runs are worth before a decision, and which to buy first.",
    ),
    "decide": Command(
        "bayescale.cli.decide:decide",
        "Decide whether to fund a target, from its forecast, its value and its cost.",
    ),
    "report": Command(
        "bayescale.cli.report:report",
        "Write one HTML file: the verdict, the forecast, and what they rest on.",
    ),
    "simulate": Command(
        "bayescale.cli.simulate:simulate",
        "Draw a ladder from the model itself, and write its tables and the truth behind them.",
    ),
    "reproduce": Command(
        "bayescale.cli.reproduce:reproduce",
        "Repeat the analyses of a paper: the released figures beside the figures computed here.",
    ),
}
