"""A calibrated backtest, and one with its baselines."""

import pytest

from bayescale.backtests.backtest import backtest
from bayescale.backtests.record import Backtest
from bayescale.backtests.splits import default_cuts
from bayescale.data.ladder import Ladder


@pytest.fixture(scope="session")
def small_backtest(ladder: Ladder) -> Backtest:
    """Calibrated, at one cut, without baselines."""
    cuts = default_cuts(ladder)[-2:-1]
    return backtest(
        ladder, cuts=cuts, law="compute", via=None, baselines=False, chains=2, draws=150
    )


@pytest.fixture(scope="session")
def with_baselines(loss_ladder: Ladder) -> Backtest:
    """Of losses alone, beside all baselines."""
    return backtest(loss_ladder, cuts=[5e19, 3e20], discrepancy="calibrated", chains=2, draws=60)
