"""A forecast of two targets beyond a simulated ladder."""

from dataclasses import replace

import pytest

from bayescale.fits.fit import fit
from bayescale.fits.simulate import simulate
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast
from helpers.fits import SIZES, TOKENS


@pytest.fixture(scope="session")
def two_targets() -> Forecast:
    """A forecast of two targets with three tasks, its checks taken as passed.

    The sizes and the law are those of `simulated_fit`, whose compiled programs serve here too.
    """
    simulation = simulate(
        params=SIZES,
        tokens=TOKENS,
        targets=[(7e9, 1e12), (1.3e10, 4e12)],
        law="chinchilla",
        seed=3,
    )
    fitted = fit(
        simulation.ladder, law="chinchilla", via=None, chains=2, draws=100, discrepancy="prior"
    )
    return replace(forecast(fitted, simulation.ladder.targets()), status="pass")
