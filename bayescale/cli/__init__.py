"""The command line, `python -m bayescale`: each command calls the library and prints the result.

Exit status: 0 on success; 1 where a check of the sampler failed, or where a reproduced figure
differs from the paper's; 2 on bad input; 130 after Ctrl-C.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bayescale.cli import backtest as backtests
from bayescale.cli import compare as comparisons
from bayescale.cli import data
from bayescale.cli import decide as decisions
from bayescale.cli import forecast as forecasts
from bayescale.cli import frontier as frontiers
from bayescale.cli import report as reports
from bayescale.cli import reproduce as reproductions
from bayescale.cli import required as requirements
from bayescale.cli import simulate as simulations
from bayescale.cli import update as updates
from bayescale.cli import value as values
from bayescale.cli.examples import epilog
from bayescale.cli.progress import QUIET
from bayescale.cli.versions import versions
from bayescale.data.names import visible
from bayescale.errors import BayescaleError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich")
for command in (
    data.datasets,
    data.check,
    forecasts.forecast,
    comparisons.compare,
    frontiers.frontier,
    requirements.required,
    updates.update,
    backtests.backtest,
    values.value,
    decisions.decide,
    reports.report,
    simulations.simulate,
    reproductions.reproduce,
):
    app.command(epilog=epilog(command.__name__))(command)

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


def _print_version(wanted: bool) -> None:
    """Print the versions and end the command, where --version was given."""
    if wanted:
        for name, version in versions().items():
            print(f"{name} {version}")
        raise typer.Exit


def _set_quiet(wanted: bool) -> None:
    """Keep the value of --quiet for the command that follows."""
    QUIET.set(wanted)


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the versions of bayescale, Python and the packages that matter.",
        ),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            callback=_set_quiet,
            help="Print the answer alone: no progress bars and no notes. Give it before the "
            "command.",
        ),
    ] = False,
) -> None:
    """Bayesian scaling laws: forecast a large training run from a ladder of small runs.

    Exit status: 0 on success; 1 where a check failed or a paper is not reproduced; 2 on bad input.
    """
