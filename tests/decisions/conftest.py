"""A forecast of two targets beyond a simulated ladder."""

from dataclasses import replace

import pytest

from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast


@pytest.fixture(scope="session")
def two_targets(simulated_fit: Fit) -> Forecast:
    """A forecast of two targets with three tasks, its checks taken as passed."""
    return replace(forecast(simulated_fit, simulated_fit.ladder.targets()), status="pass")
