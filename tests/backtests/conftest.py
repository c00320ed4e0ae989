"""A backtest with its baselines."""

import pytest

from bayescale.backtests.backtest import backtest
from bayescale.backtests.record import Backtest
from bayescale.data.ladder import Ladder


@pytest.fixture(scope="session")
def with_baselines(loss_ladder: Ladder) -> Backtest:
    """Of losses alone, beside all baselines."""
    return backtest(loss_ladder, cuts=[5e19, 3e20], discrepancy="prior", chains=2, draws=60)
