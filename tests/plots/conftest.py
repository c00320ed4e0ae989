"""Figures without a screen, each closed after its test."""

from collections.abc import Iterator

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def ladder_forecast(ladder_fit: Fit) -> Forecast:
    return forecast(ladder_fit, ladder_fit.ladder.targets())
