"""report(fit, forecast, ...) -> Report: one self-contained HTML file, the verdict first.

It computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from bayescale.backtests.record import Backtest
from bayescale.decisions.decide import Decision
from bayescale.errors import SettingError
from bayescale.files import atomic_write
from bayescale.fits.record import Fit
from bayescale.forecasts.record import Forecast
from bayescale.reports.elements import Section
from bayescale.reports.sections import all_sections


@dataclass(frozen=True, repr=False)
class Report:
    """A report as one HTML file with its pictures inside: a browser needs no network for it.

    Parameters
    ----------
    html
        The whole file as text.
    sections
        The sections that the file consists of, in their order.
    """

    html: str
    sections: tuple[Section, ...]

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all.

        Parameters
        ----------
        path
            File to write; a file of that name is replaced.

        Raises
        ------
        FileError
            Where the folder is missing, or the file cannot be written whole.
        """
        with atomic_write(path) as temporary:
            temporary.write_text(self.html, "utf-8")

    def __repr__(self) -> str:
        return f"Report({len(self.sections)} sections, {len(self.html) / 1e6:.2f} MB)"


def report(
    fit: Fit,
    forecast: Forecast,
    *,
    backtest: Backtest | None = None,
    decision: Decision | None = None,
) -> Report:
    """The report on a forecast, with the verdict first; a section that lacks its input says so.

    Parameters
    ----------
    fit
        The fit that the forecast was made from.
    forecast
        The forecast of one or more targets.
    backtest
        Forecasts of the ladder's own runs by the same settings. None leaves their section empty: it
        is then unknown how well such intervals held.
    decision
        Verdict on the targets of the forecast, with its evidence. None leaves the report without a
        verdict.

    Returns
    -------
    Report
        The report, to be written by its method ``save``.

    Raises
    ------
    SettingError
        For a decision on other targets than those of the forecast, or a backtest of runs that the
        ladder lacks.
    """
    if decision is not None:
        labels = {t.label for t in forecast.targets}
        _check_known(
            "decision", set(decision.options["target"]), labels, "the targets of the forecast"
        )
    if backtest is not None:
        runs = set(fit.ladder.runs.index)
        _check_known("backtest", set(backtest.cases["run"]), runs, "the runs of the ladder")
    sections = tuple(all_sections(fit, forecast, backtest, decision))
    loader = PackageLoader("bayescale.reports", "")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("template.html.jinja")
    title = f"{fit.ladder.name}: {', '.join(t.label for t in forecast.targets)}"
    return Report(template.render(title=title, sections=sections), sections)


def _check_known(name: str, got: set[str], known: set[str], wording: str) -> None:
    """A SettingError for a decision or a backtest about anything that is not known."""
    unknown = sorted(got - known)
    if unknown:
        raise SettingError(
            name,
            rule=f"must be about {wording}",
            got=", ".join(unknown[:3]),
            way_out="give the one that belongs to this fit",
        )
