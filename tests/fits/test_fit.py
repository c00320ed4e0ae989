"""fit: what a fit may see, and its seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from bayescale.data.ladder import Ladder
from bayescale.errors import DataError
from bayescale.fits.fit import fit, fit_many
from bayescale.fits.record import Fit
from bayescale.fits.settings import make_settings
from bayescale.inference.nuts import Sampler
from helpers.checkpoints import checkpoints
from helpers.fits import quick, same_draws, small


class TestSeed:
    def test_same_seed_same_draws(self, small_fit: Fit) -> None:
        assert same_draws(quick(small()), small_fit)

    def test_another_seed_other_draws(self, small_fit: Fit) -> None:
        assert not same_draws(quick(small(), seed=1), small_fit)


class TestWhatAFitSees:
    @pytest.mark.parametrize(
        "change",
        [
            lambda f: f.assign(loss=f["loss"].where(f["role"].isin(["fit", "link"]), 9.0)),
            lambda f: f.assign(
                accuracy=f["accuracy"].where(f["role"].isin(["fit", "link"]), 0.123)
            ),
            lambda f: f.assign(accuracy=f["accuracy"].where(f["role"].isin(["fit", "link"]))),
            lambda f: f.assign(
                params=f["params"].where(f["role"].isin(["fit", "link"]), 1e15),
                tokens=f["tokens"].where(f["role"].isin(["fit", "link"]), 7.0),
            ),
            lambda f: f.assign(flops=f["flops"].where(f["role"].isin(["fit", "link"]))),
            lambda f: f[f["role"].isin(["fit", "link"])],
        ],
        ids=["losses", "accuracies", "no accuracies", "sizes", "no flops", "no rows at all"],
    )
    def test_targets_and_held_out_runs_are_invisible(
        self, small_fit: Fit, change: Callable[[pd.DataFrame], pd.DataFrame]
    ) -> None:
        assert set(small_fit.ladder.runs["role"]) == {"fit", "target", "held_out"}
        assert same_draws(quick(small(change)), small_fit)

    def test_runs_of_role_fit_are_seen(self, small_fit: Fit) -> None:
        change = small(
            lambda f: f.assign(loss=f["loss"].where(f["role"] != "fit", 1.01 * f["loss"]))
        )
        assert not same_draws(quick(change), small_fit)

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
            posterior = fit(ladder, blocks=blocks, chains=2, draws=500).accuracies
            assert posterior is not None
            assert (
                np.isfinite(posterior["observed_data"].to_dataset()["accuracy"].to_numpy()).sum()
                == 8 * blocks
            )
            middle = posterior["posterior"].to_dataset()["middle"].to_numpy().ravel()
            width[blocks] = float(np.ptp(np.quantile(middle, [0.05, 0.95])))
        assert width[20] > 0.7 * width[1]


class TestCases:
    def test_ladders_of_the_same_runs_and_other_figures_are_told_apart(
        self, ladder: Ladder
    ) -> None:
        rows = ladder.with_role("fit").frame
        twice = [
            Ladder.from_frame(
                rows.assign(loss=rows["loss"] * by),
                tasks=ladder.task_table.reset_index(),
                law="compute",
            )
            for by in (1.0, 2.0)
        ]
        plain = {
            "law": None,
            "link": None,
            "via": None,
            "pooling": "partial",
            "discrepancy": "prior",
            "noise": "normal",
            "blocks": None,
            "priors": None,
        }
        fits = fit_many(make_settings(twice[0], **plain), Sampler(chains=2, draws=60), twice)
        one, two = (fitted.losses["posterior"]["L0"].mean() for fitted in fits)
        assert float(two / one) == pytest.approx(2.0, rel=0.05)
