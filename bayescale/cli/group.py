"""The group of all commands: parses the command line, and loads the one command that is called."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from bayescale.cli import load
from bayescale.cli.commands import COMMANDS
from bayescale.cli.examples import epilog
from bayescale.cli.interrupts import Interrupts
from bayescale.cli.progress import QUIET, note
from bayescale.cli.versions import versions
from bayescale.data.names import visible
from bayescale.errors import BayescaleError


class LazyGroup(TyperGroup):
    """A group whose commands are names and lines of help until one of them is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that is called, loaded now, and its arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is None:
            return name, command, rest
        command = _load_command(name)
        interrupts = ctx.find_object(Interrupts)
        if interrupts is not None:
            interrupts.command_begins(COMMANDS[name].kept)
        return name, command, rest


def _load_command(name: str) -> Any:
    """The command of that name, with its options."""
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    alone.command(name, epilog=epilog(name))(load(COMMANDS[name].place))
    return get_command(alone)


app = typer.Typer(
    cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich"
)
for name, command in COMMANDS.items():
    app.command(name, help=command.help)(lambda: None)


def run_command(
    arguments: Sequence[str] | None = None, interrupts: Interrupts | None = None
) -> int:
    """Run the command line; an error of bad input is one line on stderr and exit status 2.

    Parameters
    ----------
    arguments
        Words of the command line after the name of the program; None for those of this process.
    interrupts
        What is told that a command begins; None for nothing.

    Returns
    -------
    int
        Exit status.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _print_warning
            return app(arguments, standalone_mode=False, obj=interrupts) or 0
    except BayescaleError as error:
        print(f"bayescale: {visible(error)}", file=sys.stderr)
    except typer.TyperException as error:
        print(f"bayescale: {visible(error.format_message())}", file=sys.stderr)
    return 2


def _print_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning as one line on stderr."""
    note(message)


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
