"""A forecast far beyond the ladder."""

import pytest

from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast


@pytest.fixture(scope="session")
def far(default_fit: Fit) -> Forecast:
    return forecast(default_fit, default_fit.ladder.targets("target"))
