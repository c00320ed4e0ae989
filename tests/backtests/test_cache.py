"""Finished cuts are kept until the backtest ends."""

import pandas as pd
import pytest

from bayescale.backtests import backtest as backtesting
from bayescale.backtests.backtest import backtest
from bayescale.backtests.record import Backtest
from bayescale.data.ladder import Ladder
from helpers.backtests import HELD


class TestResuming:
    def test_what_is_done_is_kept_and_taken_up(
        self,
        loss_ladder: Ladder,
        held: Backtest,
        tmp_path_factory: pytest.TempPathFactory,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        folder = tmp_path_factory.mktemp("cache")
        monkeypatch.setattr("bayescale.backtests.cache.cache_folder", lambda: folder / "jax")
        made, original = [], backtesting._make_fold

        def interrupted(*arguments: object) -> object:
            if len(made) == 1:
                raise KeyboardInterrupt
            made.append(arguments)
            return original(*arguments)

        monkeypatch.setattr(backtesting, "_make_fold", interrupted)
        with pytest.raises(KeyboardInterrupt):
            backtest(loss_ladder, **HELD)
        assert len(list(folder.rglob("*.csv"))) == 2, "cases and folds of the first cut"
        seen: list[object] = []
        monkeypatch.setattr(backtesting, "_make_fold", lambda *a: (seen.append(a), original(*a))[1])
        again = backtest(loss_ladder, **HELD)
        assert len(seen) == 1
        pd.testing.assert_frame_equal(again.cases, held.cases)
        pd.testing.assert_frame_equal(again.folds, held.folds)
        assert not list(folder.rglob("*.csv")), "nothing is left behind"
