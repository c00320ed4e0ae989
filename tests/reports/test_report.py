"""The report: whole, with nothing from the network, saved whole, and of one ladder."""

import base64
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bayescale.backtests.record import Backtest
from bayescale.decisions.decide import Decision
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.record import Forecast
from bayescale.reports.report import Report, report

VOID = {"meta", "link", "img", "br"}


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


def test_it_is_whole_and_asks_nothing_of_the_network(written: Report) -> None:
    parser = Balanced()
    parser.feed(written.html)
    assert parser.open == []
    assert "<b>" not in written.html
    assert not re.findall(r"https?://|url\(|@import|<script", written.html)
    assert len(written.html) < 5e6
    pictures = re.findall(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]+)"', written.html)
    assert pictures
    for png, alternative in pictures:
        assert base64.b64decode(png).startswith(b"\x89PNG")
        assert len(alternative) > 40


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


def test_saved_whole(written: Report, tmp_path: Path) -> None:
    written.save(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text("utf-8") == written.html


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium here")
def test_a_browser_shows_it_without_scrolling_sideways(
    written: Report, tmp_path: Path, width: int
) -> None:
    """The page is no wider than the window: its title becomes what the browser measured."""
    measure = (
        "<script>document.title = "
        "JSON.stringify([document.documentElement.scrollWidth, innerWidth])</script></body>"
    )
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
