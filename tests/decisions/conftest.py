"""A forecast of two targets."""

from dataclasses import replace

import pytest

from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast


@pytest.fixture(scope="session")
def two_targets(ladder_fit: Fit) -> Forecast:
    """Of four tasks, its checks taken as passed."""
    return replace(forecast(ladder_fit, ladder_fit.ladder.targets()), status="pass")
