"""fit: what a fit may see, and its seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from bayescale.errors import DataError
from bayescale.fits.fit import fit, fit_many
from bayescale.fits.record import Fit
from bayescale.fits.settings import make_settings
from bayescale.inference.nuts import Sampler
from helpers.checkpoints import checkpoints
from helpers.fits import quick, same_draws, small

# of a fit without pooling and without a past, as `quick` makes it
PLAIN = {
    "law": None,
    "link": None,
    "via": None,
    "pooling": "none",
    "discrepancy": "none",
    "noise": "normal",
    "blocks": None,
    "priors": None,
}


def seen(frame: pd.DataFrame) -> pd.Series:
    return frame["role"].isin(["fit", "link"])


class TestSeed:
    def test_same_seed_same_draws(self, small_fit: Fit) -> None:
        assert same_draws(quick(small()), small_fit)

    @pytest.mark.slow
    def test_another_seed_other_draws(self, small_fit: Fit) -> None:
        assert not same_draws(quick(small(), seed=1), small_fit)


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "other losses": lambda f: f.assign(loss=f["loss"].where(seen(f), 9.0)),
    "other accuracies": lambda f: f.assign(accuracy=f["accuracy"].where(seen(f), 0.123)),
    "no accuracies": lambda f: f.assign(accuracy=f["accuracy"].where(seen(f))),
    "other sizes": lambda f: f.assign(
        params=f["params"].where(seen(f), 1e15), tokens=f["tokens"].where(seen(f), 7.0)
    ),
    "no flops": lambda f: f.assign(flops=f["flops"].where(seen(f))),
    "no rows at all": lambda f: f[seen(f)],
}


def with_other_fitted_runs(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(loss=frame["loss"].where(frame["role"] != "fit", 1.01 * frame["loss"]))


def with_twice_the_losses(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(loss=2 * frame["loss"])


@pytest.fixture(scope="module")
def changed() -> dict[str, Fit]:
    """Fits of ladders with other rows, by what is changed."""
    changes = [lambda f: f, *CHANGES.values(), with_other_fitted_runs, with_twice_the_losses]
    ladders = [small(change) for change in changes]
    settings = make_settings(small(), **PLAIN)
    fits = fit_many(settings, Sampler(chains=2, draws=50), ladders)
    return dict(
        zip(["nothing", *CHANGES, "losses of fitted runs", "twice the losses"], fits, strict=True)
    )


class TestWhatAFitSees:
    @pytest.mark.parametrize("change", CHANGES)
    def test_targets_and_held_out_runs_are_invisible(
        self, changed: dict[str, Fit], change: str
    ) -> None:
        assert set(changed["nothing"].ladder.runs["role"]) == {"fit", "target", "held_out"}
        assert same_draws(changed[change], changed["nothing"])

    def test_runs_of_role_fit_are_seen(self, changed: dict[str, Fit]) -> None:
        assert not same_draws(changed["losses of fitted runs"], changed["nothing"])

    def test_ladders_of_the_same_runs_and_other_figures_are_told_apart(
        self, changed: dict[str, Fit]
    ) -> None:
        one, two = (
            changed[name].losses["posterior"]["L0"].mean()
            for name in ("nothing", "twice the losses")
        )
        assert float(two / one) == pytest.approx(2.0, rel=0.05)

    def test_the_ladder_is_kept_as_given(self, small_fit: Fit) -> None:
        assert small_fit.ladder == small()


class TestForecastRefuses:
    def test_too_few_runs(self) -> None:
        few = small(lambda f: f[f["run"].isin(f.loc[f["role"] == "fit", "run"].unique()[:2])])
        with pytest.raises(DataError, match="needs at least 3 fitted runs; got 2"):
            fit(few)


def test_the_two_steps_share_no_random_numbers(ladder_fit: Fit) -> None:
    """Their draws are paired in a forecast, so they must be independent: each standardised draw of
    one against every one of the other.
    """
    assert ladder_fit.accuracies is not None
    prior = [
        np.log(tree["prior"][name].values.reshape(-1, tree["prior"][name][0, 0].size))
        for tree, name in ((ladder_fit.losses, "L0"), (ladder_fit.accuracies, "slope"))
    ]
    posterior = [
        tree["posterior"][name].values.reshape(-1, tree["posterior"][name][0, 0].size)
        for tree, name in ((ladder_fit.losses, "sigma"), (ladder_fit.accuracies, "noise_ratio"))
    ]
    for one, other in (prior, posterior):
        k, draws = one.shape[1], one.shape[0]
        correlation = np.corrcoef(one.T, other.T)[:k, k:]
        assert np.abs(correlation).max() < 5 / np.sqrt(draws)


class TestBlocks:
    @pytest.mark.slow
    def test_many_blocks_do_not_pretend_to_be_many_runs(self) -> None:
        """With noise that a run's checkpoints share, the link's interval stays as wide as the runs
        make it, whatever the number of blocks.
        """
        ladder = checkpoints(shared=0.02, own=0.005)
        width = {}
        for blocks in (1, 20):
            posterior = fit(
                ladder, blocks=blocks, discrepancy="calibrated", chains=2, draws=500
            ).accuracies
            assert posterior is not None
            assert (
                np.isfinite(posterior["observed_data"].to_dataset()["accuracy"].to_numpy()).sum()
                == 8 * blocks
            )
            middle = posterior["posterior"].to_dataset()["middle"].to_numpy().ravel()
            width[blocks] = float(np.ptp(np.quantile(middle, [0.05, 0.95])))
        assert width[20] > 0.7 * width[1]
