"""One whole report and the records that it is written from."""

from dataclasses import replace

import pytest

from bayescale.backtests.record import Backtest
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.decide import Decision, decide
from bayescale.decisions.evidence import value_of_information
from bayescale.decisions.value import Threshold
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast
from bayescale.reports.report import Report, report
from helpers.shared import Shared


@pytest.fixture(scope="session")
def made(default_fit: Fit) -> Forecast:
    return forecast(default_fit, default_fit.ladder.targets()[:1])


@pytest.fixture(scope="session")
def decision(default_fit: Fit, made: Forecast) -> Decision:
    """With evidence on a rerun."""
    asked = {"cost": 1e6, "value": Threshold(3e6, 0.7)}
    rerun = next(t for t in default_fit.ladder.targets("fit") if t.label == "1B-10xC")
    evidence = value_of_information(
        default_fit, made.targets, [Candidate([rerun], cost=5e3, name="1B-10xC again")], **asked
    )
    return decide(replace(made, status="pass"), **asked, evidence=replace(evidence, status="pass"))


@pytest.fixture(scope="session")
def written(
    shared: Shared, default_fit: Fit, made: Forecast, decision: Decision, held: Backtest
) -> Report:
    return shared.record(
        "report", lambda: report(default_fit, made, backtest=held, decision=decision)
    )
