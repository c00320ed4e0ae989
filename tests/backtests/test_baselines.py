"""The rivals that every forecast is scored beside."""

from bayescale.backtests.record import (
    LARGEST_RUN,
    NO_DISCREPANCY,
    OURS,
    POINT_FITS,
    UNPOOLED,
    Backtest,
)


class TestCases:
    def test_models_are_ours_and_the_rivals(self, small_backtest: Backtest) -> None:
        assert set(small_backtest.cases["model"]) == {
            OURS,
            NO_DISCREPANCY,
            UNPOOLED,
            POINT_FITS,
            LARGEST_RUN,
        }
        assert set(small_backtest.folds["model"]) == set(small_backtest.cases["model"])
