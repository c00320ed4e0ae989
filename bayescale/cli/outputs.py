"""The end of a command: its answer is printed, then the files that were asked for are written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from bayescale.cli import tables
from bayescale.data.names import visible
from bayescale.errors import FileError
from bayescale.files import atomic_write
from bayescale.fits.record import Fit
from bayescale.forecasts.record import Forecast


def deliver(answer: Callable[[], None], *files: tuple[Path | None, Callable[[Path], None]]) -> None:
    """Print the answer, then write the files: what fails keeps nothing else from the user.

    Parameters
    ----------
    answer
        Function that prints the answer.
    files
        Path of each file and the function that writes it; a path of None is not asked for.

    Raises
    ------
    FileError
        The last of the failures, when all else is done; the others are printed on stderr.
    """
    failures = []
    try:
        answer()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough: Typer ends the command.
        raise
    except OSError as error:
        failures.append(_without_stdout(error))
    for path, write in files:
        try:
            if path is not None:
                write(path)
        except FileError as error:
            failures.append(error)
    for failure in failures[:-1]:
        print(f"bayescale: {visible(failure)}", file=sys.stderr)
    if failures:
        raise failures[-1]


def _without_stdout(error: OSError) -> FileError:
    """The error of an output that cannot be printed; what is left of the output is dropped.

    Python would try to print the rest once more at its exit.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FileError(
        "the standard output",
        rule="must take the whole answer",
        got=error.strerror,
        way_out="free space on the disk, or send the output elsewhere",
    )


def write_table(forecast: Forecast, path: Path, prob: float) -> None:
    """Write the table of the forecast as CSV, whole or not at all.

    Parameters
    ----------
    forecast
        Forecast of the targets.
    path
        File to write.
    prob
        Probability of the intervals.
    """
    table = forecast.to_frame(prob).assign(prob=prob, status=forecast.status)
    factors = forecast.extrapolation.set_index("target")["extrapolation_factor"]
    table["extrapolation_factor"] = table["target"].map(factors)
    with atomic_write(path) as temporary:
        tables.for_spreadsheets(table).to_csv(temporary, index=False)


def draw_forecast(fit: Fit, forecast: Forecast, path: Path, prob: float) -> None:
    """Write a picture of the intervals, whole or not at all.

    Parameters
    ----------
    fit
        Fit whose ladder has the measured figures.
    forecast
        Forecast to draw.
    path
        File to write; its ending says which kind of picture.
    prob
        Probability of the intervals.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from bayescale.plots import plot_forecast

    figure = plot_forecast(forecast, ladder=fit.ladder, prob=prob).get_figure(root=True)
    assert figure is not None
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
