"""The command line, `python -m bayescale`: each command calls the library and prints the result.

Exit status: 0 on success; 1 where a check of the sampler failed, or where a reproduced figure
differs from the paper's; 2 on bad input; 130 after Ctrl-C.
"""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

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

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
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

# Typer's exit status after Ctrl-C: 128 plus the number of the signal, 2.
INTERRUPTED = 130


def main() -> None:
    """Run the command line; an error of bad input is one line on stderr and exit status 2.

    Raises
    ------
    SystemExit
        Always, with the exit status of the command.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _print_warning
            status = app(standalone_mode=False)
    except BayescaleError as error:
        print(f"bayescale: {visible(error)}", file=sys.stderr)
        sys.exit(2)
    except typer.TyperException as error:
        print(f"bayescale: {visible(error.format_message())}", file=sys.stderr)
        sys.exit(2)
    if status == INTERRUPTED:
        print("bayescale: interrupted", file=sys.stderr)
    sys.exit(status)


def _print_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning as one line on stderr."""
    print(f"bayescale: {visible(message)}", file=sys.stderr)


def _print_version(wanted: bool) -> None:
    """Print the version and end the command, where --version was given."""
    if wanted:
        print(f"bayescale {bayescale.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Bayesian scaling laws: forecast a large training run from a ladder of small runs.

    Exit status: 0 on success; 1 where a check failed or a paper is not reproduced; 2 on bad input.
    """
