"""The report: every section stands in it, asks nothing of the network, says what is missing, and is
legible in a browser where one is installed.
"""

import base64
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from bayescale.backtests.backtest import backtest
from bayescale.backtests.record import Backtest
from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.decide import Decision, decide
from bayescale.decisions.evidence import value_of_information
from bayescale.decisions.value import Threshold
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import Forecast, forecast
from bayescale.reports.elements import table
from bayescale.reports.report import Report, report
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
VOID = {"meta", "link", "img", "br"}


@pytest.fixture(scope="module")
def made(default_fit: Fit) -> Forecast:
    return forecast(default_fit, default_fit.ladder.targets())


@pytest.fixture(scope="module")
def decision(default_fit: Fit, made: Forecast) -> Decision:
    """With evidence on a rerun."""
    asked = {"cost": 1e6, "value": Threshold(3e6, 0.7)}
    rerun = next(t for t in default_fit.ladder.targets("fit") if t.label == "1B-10xC")
    evidence = value_of_information(
        default_fit, made.targets, [Candidate([rerun], cost=5e3, name="1B-10xC again")], **asked
    )
    return decide(replace(made, status="pass"), **asked, evidence=replace(evidence, status="pass"))


@pytest.fixture(scope="module")
def held() -> Backtest:
    """Of the ladder's C4 losses alone."""
    rows = load_dataset("ladder2024").frame.query("task == 'c4'").drop(columns="accuracy")
    return backtest(
        Ladder.from_frame(rows, law="compute"),
        cuts=[5e19, 3e20],
        discrepancy="prior",
        chains=2,
        draws=60,
        baselines=False,
    )


@pytest.fixture(scope="module")
def written(default_fit: Fit, made: Forecast, decision: Decision, held: Backtest) -> Report:
    return report(default_fit, made, backtest=held, decision=decision)


class Balanced(HTMLParser):
    """Every element is closed, in the order in which they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 (the name is the parser's)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_sections_stand_in_a_funders_order(written: Report) -> None:
    assert [s.title for s in written.sections] == TITLES
    assert re.findall(r"<h2>(.*?)</h2>", written.html) == TITLES


def test_it_is_whole_and_asks_nothing_of_the_network(written: Report) -> None:
    parser = Balanced()
    parser.feed(written.html)
    assert parser.open == []
    assert not re.findall(r"https?://|url\(|@import|<script", written.html)
    assert len(written.html) < 5e6
    pictures = re.findall(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]+)"', written.html)
    assert pictures
    for png, alternative in pictures:
        assert base64.b64decode(png).startswith(b"\x89PNG")
        assert len(alternative) > 40


def test_what_is_missing_is_said(default_fit: Fit, made: Forecast, written: Report) -> None:
    alone = {s.title: s.missing for s in all_sections(default_fit, made, None, None)}
    assert "No decision was asked for" in alone["Verdict"]
    assert alone["What would change the verdict"] == "There is no verdict."
    assert "nobody has looked" in alone["How such forecasts have held"]
    assert not any(s.missing for s in written.sections)
    old = default_fit.losses.copy()
    del old["log_prior"]
    unknown = {
        s.title: s.missing
        for s in all_sections(replace(default_fit, losses=old, members=()), made, None, None)
    }
    assert "densities of its priors" in unknown["Which priors the forecast leans on"]


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


def test_what_belongs_to_another_ladder_is_refused(
    default_fit: Fit, made: Forecast, decision: Decision, held: Backtest
) -> None:
    other = replace(held, cases=held.cases.assign(run="chess"))
    with pytest.raises(SettingError, match="runs of the ladder"):
        report(default_fit, made, backtest=other)
    with pytest.raises(SettingError, match="targets of the forecast"):
        report(
            default_fit,
            made,
            decision=replace(decision, options=decision.options.assign(target="chess")),
        )


def test_a_failed_check_stands_at_the_top(
    default_fit: Fit, made: Forecast, decision: Decision
) -> None:
    for of in (None, replace(decision, verdict="undecided", status="fail")):
        first = next(all_sections(default_fit, replace(made, status="fail"), None, of))
        assert any("cannot be relied on" in text for text in first.texts)


def test_text_from_a_table_is_no_markup(written: Report) -> None:
    cells = table(
        "c", pd.DataFrame({"a_b": ["<b>"], "x": [12345.6], "y": [float("nan")], "z": [True]})
    )
    assert cells.columns == ("a b", "x", "y", "z")
    assert [c.text for c in cells.rows[0]] == ["<b>", "12,346", "", "yes"]
    assert "<b>" not in written.html


def test_saved_whole(written: Report, tmp_path: Path) -> None:
    written.save(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text("utf-8") == written.html


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium here")
def test_a_browser_shows_it_without_scrolling_sideways(
    written: Report, tmp_path: Path, width: int
) -> None:
    """The page is no wider than the window: its title becomes what the browser measured."""
    measure = "<script>document.title = JSON.stringify([document.documentElement.scrollWidth, innerWidth])</script></body>"
    page = tmp_path / "r.html"
    # for the measure alone
    allowed = written.html.replace(
        "default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'"
    )
    page.write_text(allowed.replace("</body>", measure), "utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},900",
    ]
    shown = subprocess.run(
        ["chromium", *options, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    title = re.search(r"<title>(.*?)</title>", shown.stdout)
    assert title is not None
    across, window = json.loads(title[1])
    assert across <= window
    assert "CONSOLE" not in shown.stderr
