"""The sections of a report: their order, their figures, and what is missing."""

import re
from dataclasses import replace
from itertools import islice

from bayescale.backtests.record import Backtest
from bayescale.decisions.decide import Decision
from bayescale.fits.record import Fit
from bayescale.forecasts.record import Forecast
from bayescale.reports.report import Report
from bayescale.reports.sections import all_sections

TITLES = [
    "Verdict",
    "Forecast",
    "Where the uncertainty comes from",
    "What would change the verdict",
    "Which runs to buy first",
    "How such forecasts have held",
    "Checks of the sampler and the design",
    "Does the model give back its own data?",
    "Prior beside posterior",
    "Which priors the forecast leans on",
    "Laws, links and routes",
    "The data, and what must be stated",
]


def test_sections_stand_in_a_funders_order(written: Report) -> None:
    assert [s.title for s in written.sections] == TITLES
    assert re.findall(r"<h2>(.*?)</h2>", written.html) == TITLES


def test_what_is_missing_is_said(default_fit: Fit, made: Forecast, written: Report) -> None:
    first = islice(all_sections(default_fit, made, None, None), 6)
    alone = {s.title: s.missing for s in first}
    assert "No decision was asked for" in alone["Verdict"]
    assert alone["What would change the verdict"] == "There is no verdict."
    assert "No backtest was made" in alone["How such forecasts have held"]
    assert not any(s.missing for s in written.sections)


def test_figures_are_those_of_the_records(
    written: Report, decision: Decision, held: Backtest
) -> None:
    sections = {s.title: s for s in written.sections}
    assert sections["Verdict"].headline == decision.verdict.upper()
    assert any(
        "3,000,000 if the mean accuracy of all tasks reaches 70 %" in text
        for text in sections["Verdict"].texts
    )
    at = decision.flips.set_index("what")["at"]["cost, times"]
    assert f"cost times {at:.3g}" in sections["What would change the verdict"].texts[0]
    assert decision.evidence is not None
    shown = sections["Which runs to buy first"].tables[0]
    assert [row[0].text for row in shown.rows] == list(decision.evidence.table["candidate"])
    coverage = held.coverage().query("prob == 0.9")
    shown = sections["How such forecasts have held"].tables[0]
    assert [row[shown.columns.index("coverage")].text for row in shown.rows] == [
        f"{c:.3g}" for c in coverage["coverage"]
    ]
    assert (
        f"{100 * coverage['coverage'].iloc[0]:.0f} %"
        in sections["How such forecasts have held"].pictures[0].alternative
    )
    assert "threshold" in sections["Forecast"].pictures[0].alternative


def test_a_failed_check_stands_at_the_top(
    default_fit: Fit, made: Forecast, decision: Decision
) -> None:
    for of in (None, replace(decision, verdict="undecided", status="fail")):
        first = next(all_sections(default_fit, replace(made, status="fail"), None, of))
        assert any("cannot be relied on" in text for text in first.texts)
