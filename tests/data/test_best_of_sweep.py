"""The best run of each configuration, and how optimistic that choice is."""

import numpy as np
import pandas as pd
import pytest

from bayescale.data.best_of_sweep import best_of_sweep
from bayescale.data.ladder import Ladder
from bayescale.errors import DataError


def sweep(losses: list[list[float]]) -> Ladder:
    """One configuration for each list of losses."""
    rows = [
        {"run": f"{i}-{j}", "params": 1e8 * 2**i, "tokens": 2e9 * 2**i, "task": "c4", "loss": loss}
        for i, of_configuration in enumerate(losses)
        for j, loss in enumerate(of_configuration)
    ]
    return Ladder.from_frame(pd.DataFrame(rows))


def test_the_lowest_loss_of_each_configuration_stays() -> None:
    best = best_of_sweep(sweep([[3.2, 3.0, 3.4], [2.8], [2.6, 2.5]]))
    assert list(best.runs.index) == ["0-1", "1-0", "2-1"]
    assert "left out: 0-0, 0-2, 2-0" in best.notes[-1]


def test_the_optimism_is_that_of_the_lowest_of_normal_losses() -> None:
    """E of the lowest of 3 standard normals is -0.846; the note rounds Blom's approximation."""
    note = best_of_sweep(sweep([[3.2, 3.0, 3.4], [2.8, 2.9]])).notes[-1]
    lowest = np.random.default_rng(0).normal(size=(100_000, 3)).min(1).mean()
    stated = float(note.split("about ")[1].split(" ")[0])
    assert stated == pytest.approx(-lowest, abs=0.06)


def test_roles_are_kept_apart() -> None:
    ladder = sweep([[3.2, 3.0]]).with_role_of(["0-1"], "held_out")
    assert best_of_sweep(ladder) is ladder


def test_without_a_sweep_nothing_changes() -> None:
    ladder = sweep([[3.2], [3.0]])
    assert best_of_sweep(ladder) is ladder


def test_an_unknown_loss_is_an_error() -> None:
    with pytest.raises(DataError, match="one of c4"):
        best_of_sweep(sweep([[3.2, 3.0]]), "pile")
