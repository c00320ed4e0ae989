"""Finished cuts are kept until the backtest ends, and taken up only as they were kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.backtests import backtest as backtesting
from bayescale.backtests import cache as caching
from bayescale.backtests.backtest import backtest
from bayescale.backtests.cache import Cache, Fold
from bayescale.backtests.record import Backtest
from bayescale.data.ladder import Ladder
from bayescale.fits.settings import FitSettings, make_settings
from bayescale.inference.nuts import Sampler
from helpers.backtests import HELD, written_backtest


class TestResuming:
    @pytest.mark.slow
    def test_what_is_done_is_kept_and_taken_up(
        self,
        loss_ladder: Ladder,
        held: Backtest,
        tmp_path_factory: pytest.TempPathFactory,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        folder = tmp_path_factory.mktemp("cache")
        monkeypatch.setattr("bayescale.backtests.cache.cache_folder", lambda _: folder)
        made, original = [], backtesting._make_fold

        def interrupted(*arguments: object) -> object:
            if len(made) == 1:
                raise KeyboardInterrupt
            made.append(arguments)
            return original(*arguments)

        monkeypatch.setattr(backtesting, "_make_fold", interrupted)
        with pytest.raises(KeyboardInterrupt):
            backtest(loss_ladder, **HELD)
        assert len(list(folder.rglob("*.fold"))) == 1, "the first cut"
        seen: list[object] = []
        monkeypatch.setattr(backtesting, "_make_fold", lambda *a: (seen.append(a), original(*a))[1])
        again = backtest(loss_ladder, **HELD)
        assert len(seen) == 1
        pd.testing.assert_frame_equal(again.cases, held.cases)
        pd.testing.assert_frame_equal(again.folds, held.folds)
        assert not list(folder.iterdir()), "nothing is left behind"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "bayescale" / "backtests"


@pytest.fixture
def settings(loss_ladder: Ladder) -> FitSettings:
    return make_settings(
        loss_ladder,
        law=None,
        link=None,
        via=None,
        pooling="partial",
        discrepancy="none",
        noise="normal",
        blocks=None,
        priors=None,
    )


@pytest.fixture
def make(loss_ladder: Ladder, settings: FitSettings) -> Callable[..., Cache]:
    def make(settings: FitSettings = settings, seed: int = 0, by: str = "flops") -> Cache:
        return Cache(loss_ladder, settings, Sampler(seed=seed), by=by, baselines=False)

    return make


@pytest.fixture
def fold() -> Fold:
    """The cases of two cuts, with a third of a unit and a missing number among them."""
    written = written_backtest()
    cases = written.cases.assign(crps=1 / 3)
    cases.loc[0, "sd"] = np.nan
    return Fold(cases, written.folds)


def same(one: Fold | None, other: Fold) -> bool:
    """Whether two folds agree to the last digit; whole numbers may have become integers."""
    return one is not None and all(
        a.equals(b.astype(a.dtypes)) for a, b in zip(one, other, strict=True)
    )


MODEL, CUT = "bayescale", 1e20


@pytest.mark.usefixtures("folder")
class TestKeeping:
    def test_a_fold_comes_back_to_the_last_digit(
        self, make: Callable[..., Cache], fold: Fold
    ) -> None:
        make().save(MODEL, CUT, fold)
        assert same(make().load(MODEL, CUT), fold)
        assert make().load(MODEL, 2e20) is None
        assert make().load("unpooled", CUT) is None

    def test_one_without_cases_too(self, make: Callable[..., Cache], fold: Fold) -> None:
        make().save(MODEL, CUT, Fold(pd.DataFrame(), fold.fits))
        assert same(make().load(MODEL, CUT), Fold(pd.DataFrame(), fold.fits))

    def test_what_was_asked_is_part_of_the_key(
        self, make: Callable[..., Cache], settings: FitSettings, fold: Fold
    ) -> None:
        make().save(MODEL, CUT, fold)
        others = (
            make(settings=replace(settings, pooling="none")),
            make(seed=1),
            make(by="params"),
        )
        assert [other.load(MODEL, CUT) for other in others] == [None] * 3

    @pytest.mark.parametrize("package", ["bayescale", "jax", "jaxlib", "numpyro"])
    def test_so_are_versions(
        self,
        make: Callable[..., Cache],
        fold: Fold,
        monkeypatch: pytest.MonkeyPatch,
        package: str,
    ) -> None:
        make().save(MODEL, CUT, fold)
        known = caching.version
        monkeypatch.setattr(
            caching, "version", lambda name: "another" if name == package else known(name)
        )
        assert make().load(MODEL, CUT) is None

    def test_so_is_the_code_of_the_package(
        self,
        make: Callable[..., Cache],
        fold: Fold,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        make().save(MODEL, CUT, fold)
        monkeypatch.setattr(caching, "source_digest", lambda: "other code")
        assert make().load(MODEL, CUT) is None


def cut_a_row(kept: bytes) -> bytes:
    return kept.replace(b"\\n", b"", 1)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda kept: b"",
    "half": lambda kept: kept[: len(kept) // 2],
    "without a digest": lambda kept: kept.partition(b"\n")[2],
    "a row less": cut_a_row,
    "another number": lambda kept: kept.replace(b"0.33", b"0.34", 1),
    "no text": lambda kept: b"\xff\xfe" + kept,
}


class TestDamage:
    @pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
    def test_a_fold_that_was_altered_was_not_kept(
        self,
        folder: Path,
        make: Callable[..., Cache],
        fold: Fold,
        damage: Callable[[bytes], bytes],
    ) -> None:
        make().save(MODEL, CUT, fold)
        (path,) = folder.rglob("*.fold")
        damaged = damage(path.read_bytes())
        assert damaged != path.read_bytes()
        path.write_bytes(damaged)
        assert make().load(MODEL, CUT) is None
        make().save(MODEL, CUT, fold)
        assert same(make().load(MODEL, CUT), fold)

    def test_nor_was_that_of_another_cut_under_its_name(
        self, folder: Path, make: Callable[..., Cache], fold: Fold
    ) -> None:
        make().save(MODEL, CUT, fold)
        (path,) = folder.rglob("*.fold")
        path.rename(path.with_name(path.name.replace("1e+20", "2e+20")))
        assert make().load(MODEL, 2e20) is None

    def test_what_cannot_be_read_was_not_kept(
        self, folder: Path, make: Callable[..., Cache], fold: Fold
    ) -> None:
        make().save(MODEL, CUT, fold)
        (path,) = folder.rglob("*.fold")
        path.unlink()
        path.mkdir()
        assert make().load(MODEL, CUT) is None

    def test_a_cache_that_cannot_be_written_is_told_once_and_is_none(
        self, folder: Path, make: Callable[..., Cache], fold: Fold
    ) -> None:
        cache = make()
        folder.rmdir()
        folder.write_text("no folder")
        with pytest.warns(RuntimeWarning, match="nothing is kept in the cache"):
            cache.save(MODEL, CUT, fold)
        cache.save(MODEL, 2e20, fold)
        assert cache.load(MODEL, CUT) is None
        cache.clear()
        assert folder.read_text() == "no folder"

    def test_nor_is_one_that_cannot_be_made(
        self, make: Callable[..., Cache], fold: Fold, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/backtests")
        with pytest.warns(RuntimeWarning, match="nothing is kept in the cache"):
            cache = make()
        cache.save(MODEL, CUT, fold)
        assert cache.load(MODEL, CUT) is None
