"""A fit that has not settled is an error, and the bootstrap shows the noise of the runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayescale.data.datasets import load_dataset
from bayescale.errors import FitError
from bayescale.point_fits.bhagia2024 import bhagia_loss, bhagia_single_step
from bayescale.point_fits.solver import Problem, bootstrap, optima, solve
from helpers.curves import KNOWN


class TestNotSettled:
    """The released single step of openbookqa drifts along a ridge without an end."""

    def problem(self) -> Problem:
        """From the first released start alone: each start drifts as far."""
        runs = load_dataset("ladder2024").where(role="fit", task="openbookqa").frame
        problem = bhagia_single_step(
            runs["params"].to_numpy(), runs["tokens"].to_numpy(), runs["accuracy"].to_numpy(), 0.25
        )
        return replace(problem, starts=problem.starts[:1])

    def test_is_an_error_with_the_optimisers_message(self) -> None:
        with pytest.raises(
            FitError, match=r"must converge; got .* a second optimiser still gains"
        ) as caught:
            solve(self.problem())
        assert "iterations" in caught.value.got

    @pytest.mark.slow
    def test_is_a_row_without_figures_among_optima(self) -> None:
        rows = optima(self.problem(), 2)
        assert rows["message"].str.contains("second optimiser").all()
        assert rows[["objective", "alpha", "E"]].isna().all(axis=None)


def test_optima_agree_where_the_runs_determine_the_curve() -> None:
    build, _, y = KNOWN["bhagia loss"]

    def some_optima(starts: int) -> pd.DataFrame:
        noise = 0.002 * np.random.default_rng(0).standard_normal(16)
        return optima(build(y * np.exp(noise)), starts, seed=1)

    rows = some_optima(6)
    converged = rows[rows["message"].eq("")]
    assert len(converged) >= 4
    assert np.ptp(converged["alpha"]) < 1e-4
    assert rows.head(2).equals(some_optima(2))


def test_residual_bootstrap_of_a_known_noise() -> None:
    """At a run in the middle its spread is that of noise and fit: one to two sds of a residual."""
    rng = np.random.default_rng(3)
    N, D = 10 ** rng.uniform(8, 9.5, 40), 10 ** rng.uniform(9.5, 11, 40)
    loss = (1.7 + 400 * N**-0.34 + 400 * D**-0.28) * np.exp(0.01 * rng.standard_normal(40))
    fit = solve(bhagia_loss(N, D, loss))
    drawn = bootstrap(fit, (np.array([1e9]), np.array([2e10])), 80, rng)
    assert drawn.shape == (80, 1)
    assert 0.008 < np.log(drawn).std() < 0.02
