"""The option --scheduler: a client of a Dask cluster that runs the fits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated

import typer

from bayescale.cli import options
from bayescale.errors import SettingError
from bayescale.fits.executors import Executor

# Seconds to wait for a scheduler's answer.
PATIENCE = 10

Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Address of a Dask scheduler whose workers run the fits, such as tcp://host:8786.",
        rich_help_panel=options.SAMPLER,
    ),
]


@contextlib.contextmanager
def client_of(address: str | None) -> Iterator[Executor | None]:
    """A client of the cluster for as long as the block runs; None where no address was given.

    Parameters
    ----------
    address
        Value of --scheduler.

    Raises
    ------
    SettingError
        Where the package distributed is not installed, or nothing answers at the address.
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise SettingError(
            "--scheduler",
            rule="needs the package distributed",
            got="it is not installed",
            way_out="pip install 'bayescale[cluster]'",
        ) from error
    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise SettingError(
            "--scheduler",
            rule="must be the address of a Dask scheduler that runs",
            got=f"{address!r}: {error}",
            way_out="start one by 'dask scheduler', and workers by 'dask worker ADDRESS'",
        ) from error
    with client:
        yield client
