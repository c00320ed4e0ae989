"""A forecast of two targets beyond a simulated ladder."""

from dataclasses import replace

import pytest

from bayescale.fits.fit import fit
from bayescale.fits.simulate import simulate
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast

SIZES = [1e8, 1e8, 4e8, 4e8, 8e8, 1.6e9]
TOKENS = [2e9, 1e10, 8e9, 4e10, 1.6e10, 1e11]


@pytest.fixture(scope="session")
def two_targets() -> Forecast:
    """A forecast of two targets with three tasks, its checks taken as passed."""
    simulation = simulate(
        params=SIZES, tokens=TOKENS, targets=[(7e9, 1e12), (1.3e10, 4e12)], seed=3
    )
    fitted = fit(simulation.ladder, law="compute", chains=2, draws=100, discrepancy="prior")
    return replace(forecast(fitted, simulation.ladder.targets()), status="pass")
