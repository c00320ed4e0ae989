"""python -m bayescale: thin commands over the library. Exit status 0; 1 where the sampler's checks
fail; 2 on bad input.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import bayescale
from bayescale.cli import backtest as backtests
from bayescale.cli import data
from bayescale.cli import decide as decisions
from bayescale.cli import forecast as forecasts
from bayescale.cli import report as reports
from bayescale.cli import reproduce as reproductions
from bayescale.data.names import visible
from bayescale.errors import BayescaleError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Bayesian scaling laws: from a ladder of small runs to a large one.",
)
for command in (
    data.datasets,
    data.check,
    forecasts.forecast,
    backtests.backtest,
    decisions.decide,
    reports.report,
    reproductions.reproduce,
):
    app.command()(command)
INTERRUPTED = 130  # Typer's status after Ctrl-C: 128 and the number of the signal


def main() -> None:
    """Run the command line; every error of bad input is one line on stderr and exit status 2."""
    try:
        status = app(standalone_mode=False)
    except BayescaleError as error:
        print(f"bayescale: {visible(error)}", file=sys.stderr)
        sys.exit(2)
    except typer.TyperException as error:
        print(f"bayescale: {visible(error.format_message())}", file=sys.stderr)
        sys.exit(2)
    if status == INTERRUPTED:
        print("bayescale: interrupted; nothing was written", file=sys.stderr)
    sys.exit(status)


def _version(asked: bool) -> None:
    if asked:
        print(f"bayescale {bayescale.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Bayesian scaling laws: from a ladder of small runs to a large one."""
