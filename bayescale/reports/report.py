"""report(fit, forecast, ...) -> Report: one self-contained HTML file, in the order in which a
funder reads. It computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from bayescale.backtests.record import Backtest
from bayescale.decisions.decide import Decision
from bayescale.errors import SettingError
from bayescale.files import atomic_write, check_folder
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import Forecast
from bayescale.reports.elements import Section
from bayescale.reports.sections import all_sections


@dataclass(frozen=True, repr=False)
class Report:
    """A report as HTML that asks nothing of the network: pictures are in it.

    Parameters
    ----------
    html
        The whole file.
    sections
        What it consists of.
    """

    html: str
    sections: tuple[Section, ...]

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all."""
        check_folder(Path(path))
        with atomic_write(Path(path)) as temporary:
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
    """The report on a forecast; a section that could not be filled says why.

    Parameters
    ----------
    fit, forecast
        What it is about.
    backtest
        How the same settings forecast the ladder's own runs; without it the report says that nobody
        has looked.
    decision
        What the forecast is worth, with its evidence; without it the report has no verdict.

    Raises
    ------
    SettingError
        For a decision on other targets than the forecast's, or a backtest of runs that the ladder
        lacks.
    """
    labels, runs = {t.label for t in forecast.targets}, set(fit.ladder.runs.index)
    decided, held = (
        set() if decision is None else set(decision.options["target"]),
        set() if backtest is None else set(backtest.cases["run"]),
    )
    for what, got, known in (("decision", decided, labels), ("backtest", held, runs)):
        if not got <= known:
            rule = f"must be about the {'targets of the forecast' if what == 'decision' else 'runs of the ladder'}"
            raise SettingError(
                what,
                rule=rule,
                got=", ".join(sorted(got - known)[:3]),
                way_out="give the one that belongs to this fit",
            )
    sections = tuple(all_sections(fit, forecast, backtest, decision))
    loader = PackageLoader("bayescale.reports", "")
    template = Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(
        "template.html.jinja"
    )
    return Report(
        template.render(
            title=f"{fit.ladder.name}: {', '.join(t.label for t in forecast.targets)}",
            sections=sections,
        ),
        sections,
    )
