"""The baselines that every forecast is scored beside."""

import numpy as np
import pytest

from bayescale.backtests.baselines import largest_run_draws
from bayescale.backtests.record import (
    LARGEST_RUN,
    NO_DISCREPANCY,
    OURS,
    POINT_FITS,
    UNPOOLED,
    Backtest,
)
from bayescale.data.datasets import load_dataset
from bayescale.models.inputs import accuracy_data, loss_data


class TestCases:
    @pytest.mark.slow
    def test_models_are_ours_and_the_baselines(self, with_baselines: Backtest) -> None:
        assert set(with_baselines.cases["model"]) == {
            OURS,
            NO_DISCREPANCY,
            UNPOOLED,
            POINT_FITS,
            LARGEST_RUN,
        }
        assert set(with_baselines.folds["model"]) == set(with_baselines.cases["model"])


def test_the_largest_run_gives_its_own_figures() -> None:
    ladder = load_dataset("ladder2024")
    targets = ladder.targets("target")
    corpora = [str(target.corpus) for target in targets]
    draws = largest_run_draws(loss_data(ladder), accuracy_data(ladder, None), targets, corpora)
    largest = ladder.frame.query("run == '1B-10xC' and task == 'mmlu'").iloc[0]
    for target in targets:
        assert np.shape(draws["loss", target.label, "mmlu"]) == (1,)
        assert draws["loss", target.label, "mmlu"][0] == pytest.approx(largest["loss"])
        assert draws["accuracy", target.label, "mmlu"][0] == largest["accuracy"]
