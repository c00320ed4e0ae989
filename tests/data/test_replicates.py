"""Reruns of a configuration: which runs repeat which, and what the fit makes of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayescale.data.datasets import load_dataset
from bayescale.data.replicates import configurations, with_reruns
from bayescale.errors import DataError
from bayescale.fits.fit import fit
from helpers.checkpoints import checkpoints


class TestReruns:
    def test_one_configuration_has_one_label(self) -> None:
        runs = load_dataset("ladder2024").runs
        label = configurations(runs)
        pairs = [(run, run.removesuffix("-rerun")) for run in runs.index if run.endswith("-rerun")]
        assert len(pairs) == 5
        assert all(label[a] == label[b] for a, b in pairs)
        assert label.nunique() == len(runs) - len(pairs)

    def test_they_join_the_fit_and_no_other_run_does(self) -> None:
        before = load_dataset("ladder2024")
        after = with_reruns(before)
        joined = set(after.with_role("fit").runs.index) - set(before.with_role("fit").runs.index)
        assert joined == {f"{size}-1xC-rerun" for size in ("190M", "370M", "760M", "1B")}
        assert set(before.with_role("fit").runs.index) <= set(after.with_role("fit").runs.index)

    def test_without_any_it_is_an_error(self) -> None:
        with pytest.raises(
            DataError, match="reruns: must be held-out runs with the N and D of a fitted run"
        ):
            with_reruns(checkpoints(0.0, 0.01))

    @pytest.mark.slow
    def test_noise_between_seeds_is_that_of_the_pairs(self) -> None:
        ladder = with_reruns(load_dataset("ladder2024"))
        fitted = fit(ladder, discrepancy="calibrated", chains=2, draws=500)
        posterior = fitted.losses["posterior"].to_dataset().isel(corpus=0)
        seeds = (
            (posterior["sigma"] * np.sqrt(1 - posterior["common"]))
            .sel(loss_name="hellaswag")
            .to_numpy()
        )
        rows = ladder.with_role("fit").frame.query("task == 'hellaswag'").set_index("run")["loss"]
        differences = [
            np.log(rows[f"{s}-1xC-rerun"] / rows[f"{s}-1xC"])
            for s in ("190M", "370M", "760M", "1B")
        ]
        # what four pairs say by themselves
        lower, upper = np.sqrt(
            np.sum(np.square(differences)) / 2 / stats.chi2.ppf([0.995, 0.005], 4)
        )
        assert lower < np.median(seeds) < upper

    def test_any_order_of_unique_tokens_is_told_apart(self) -> None:
        runs = pd.DataFrame(
            {
                "corpus": "a",
                "params": 1e8,
                "tokens": 4e9,
                "unique_tokens": [1e9, 2e9, 1e9, np.nan, 4e9, 9e9],
            }
        )
        assert list(configurations(runs)) == [0, 1, 0, 3, 3, 3]

    def test_steps_within_one_percent_do_not_chain(self) -> None:
        runs = pd.DataFrame(
            {
                "corpus": "a",
                "params": 1e8,
                "tokens": 1e9 * 1.009 ** np.arange(4),
                "unique_tokens": np.nan,
            }
        )
        assert list(configurations(runs)) == [0, 0, 2, 2]
