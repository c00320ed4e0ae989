"""Short fits of two tasks, and their draws side by side."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import xarray as xr

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.fits.fit import fit
from bayescale.fits.load import load_fit
from bayescale.fits.record import Fit
from bayescale.inference.posterior import Posterior
from bayescale.models.stages import Stages

# chains and draws of the fits that most tests share
CHAINS, DRAWS = 2, 300


def small(frame: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame) -> Ladder:
    """Two tasks of the ladder, one corpus, no C4; `frame` may alter its rows."""
    whole = load_dataset("ladder2024", tasks=["hellaswag", "arc_easy"]).where(
        task=["hellaswag", "arc_easy"]
    )
    return Ladder.from_frame(
        frame(whole.frame),
        tasks=whole.task_table.reset_index(),
        law="compute",
        conventions=whole.conventions,
    )


def quick(ladder: Ladder, seed: int = 0, draws: int = 50) -> Fit:
    return fit(ladder, pooling="none", discrepancy="none", chains=2, draws=draws, seed=seed)


def trees(fitted: Fit) -> dict[str, xr.DataTree]:
    assert fitted.accuracies is not None
    return {"losses": fitted.losses, "accuracies": fitted.accuracies}


def with_trees(fitted: Fit, losses: xr.DataTree, accuracies: xr.DataTree | None) -> Fit:
    """The fit with other posteriors."""
    accuracy = None if accuracies is None else Posterior(accuracies)
    return replace(fitted, posteriors=Stages(Posterior(losses), accuracy))


def same_draws(one: Fit, other: Fit) -> bool:
    return all(
        tree["posterior"].to_dataset().equals(trees(other)[name]["posterior"].to_dataset())
        for name, tree in trees(one).items()
    )


def round_trip(fitted: Fit, folder: Path) -> Fit:
    fitted.save(folder / "a.fit")
    return load_fit(folder / "a.fit")
