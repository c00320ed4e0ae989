"""Reruns of a configuration and blocks of checkpoints: who repeats whom, and noise that the cells
of a group have in common.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.replicates import configurations, with_reruns
from bayescale.errors import DataError, SettingError
from bayescale.fits.fit import fit
from bayescale.models.inputs import accuracy_data, loss_data
from bayescale.models.links import LINKS
from bayescale.models.noise import from_earlier
from bayescale.models.series import accuracy_model


def checkpoints(shared: float, own: float, runs: int = 8, steps: int = 40, seed: int = 0) -> Ladder:
    """Runs with `steps` checkpoints each, whose accuracies have a part of their noise in common."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, size in enumerate(np.geomspace(1e8, 1e9, runs)):
        final, common = 1.5 + 400 * size**-0.34, shared * rng.standard_normal()
        for step in range(1, steps + 1):
            loss = final + 0.3 * np.exp(-step / 8)
            accuracy = (
                0.25 + 0.7 / (1 + np.exp(3 * (loss - 1.8))) + common + own * rng.standard_normal()
            )
            rows.append(
                {
                    "run": f"r{i}",
                    "params": size,
                    "tokens": 20 * size,
                    "task": "a",
                    "step": step,
                    "loss": loss,
                    "accuracy": accuracy,
                }
            )
    return Ladder.from_frame(
        pd.DataFrame(rows), tasks=pd.DataFrame({"task": ["a"], "chance": [0.25], "items": [2000]})
    )


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

    def test_the_law_sees_them_as_one_group(self) -> None:
        data = loss_data(with_reruns(load_dataset("ladder2024")))
        first = np.asarray(data.layout.first)
        assert first.shape == data.runs.shape
        for row, names in zip(first, data.runs, strict=True):
            for cell, start in enumerate(row):
                assert names[cell].removesuffix("-rerun") == names[start].removesuffix("-rerun")
        assert (first != np.arange(first.shape[1])).sum() == 4 * len(data.runs)

    @pytest.mark.slow
    def test_noise_between_seeds_is_that_of_the_pairs(self) -> None:
        ladder = with_reruns(load_dataset("ladder2024"))
        posterior = fit(ladder, chains=2, draws=500).losses["posterior"].to_dataset().isel(corpus=0)
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
                "unique_tokens": [1e9, 2e9, 1e9, np.nan, 4e9],
            }
        )
        assert list(configurations(runs)) == [0, 1, 0, 3, 3]

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


class TestBlocks:
    def test_are_means_of_the_later_half(self) -> None:
        ladder = checkpoints(0.0, 0.01)
        data = accuracy_data(ladder, None, 5)
        assert data is not None
        rows = ladder.frame.query("run == 'r0' and step > 20")
        expected = rows["accuracy"].to_numpy().reshape(5, 4).mean(1)
        np.testing.assert_allclose(np.asarray(data.layout.y)[0, :5], expected, rtol=1e-12)
        assert data.layout.y.shape == (1, 40)
        z, deviation = (np.asarray(v).reshape(8, 5) for v in data.layout.x)
        np.testing.assert_allclose(deviation, z - z[:, -1:], atol=1e-12)

    def test_blocks_of_two_runs_are_two_runs(self) -> None:
        with pytest.raises(DataError, match="needs at least 3 fitted runs"):
            accuracy_data(checkpoints(0.0, 0.01, runs=2), None, 5)

    @pytest.mark.parametrize("blocks", [0, -1, 2.5, True])
    def test_their_number_is_a_whole_one(self, blocks: object) -> None:
        with pytest.raises(SettingError, match="blocks: must be a whole number, 1 or more"):
            accuracy_data(checkpoints(0.0, 0.01), None, blocks)  # type: ignore[arg-type]

    def test_a_ladder_with_a_past_weighs_it_by_finished_runs(self) -> None:
        ladder = checkpoints(0.005, 0.005, runs=16)
        fitted = fit(ladder, law="compute", blocks=3, via=None, chains=2, draws=60)
        assert set(fitted.past["quantity"]) == {"loss", "accuracy"}
        assert np.isfinite(fitted.past["lpd"].astype(float)).all()

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


@pytest.mark.parametrize("common", [0.05, 0.5, 0.9])
def test_cells_of_a_group_have_the_density_of_one_covariance(common: float) -> None:
    first = np.array([0, 0, 0, 3, 4, 4])
    residual = np.random.default_rng(0).standard_normal(6)
    mean, sd = from_earlier(jnp.asarray(residual), jnp.asarray(first), jnp.asarray(common))
    covariance = np.where(first[:, None] == first, common, 0.0) + (1 - common) * np.eye(6)
    assert stats.norm(np.asarray(mean), np.asarray(sd)).logpdf(residual).sum() == pytest.approx(
        stats.multivariate_normal(cov=covariance).logpdf(residual)
    )


def test_draws_have_that_covariance() -> None:
    data = accuracy_data(checkpoints(0.0, 0.01), None, 3)
    assert data is not None
    model = accuracy_model(LINKS["logistic"], data.groups, grouped=True)
    middle = {
        "lo": -1.1,
        "hi": 3.5,
        "middle": -0.5,
        "slope": 0.0,
        "within": 0.0,
        "common": np.log(3.0),
        "noise_ratio": 0.0,
    }
    real = {k: jnp.full(1, v) for k, v in middle.items()}
    draws = np.asarray(
        jax.vmap(lambda key: model.draw(key, real, data.layout, None))(
            jax.random.split(jax.random.key(0), 20_000)
        )
    )[:, 0]
    correlation = np.corrcoef(draws.T)
    assert correlation[0, 1] == pytest.approx(0.75, abs=0.02)
    assert correlation[0, 3] == pytest.approx(0.0, abs=0.03)
