"""JAX set up before anything else touches it, and fixtures that several test files share."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale import runtime
from bayescale.backtests.backtest import backtest
from bayescale.backtests.record import Backtest
from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from helpers.backtests import HELD
from helpers.fits import CHAINS, DRAWS, quick, small
from helpers.shared import Shared, shared_folder

runtime.setup(chains=CHAINS)

TASKS = ["hellaswag", "arc_easy"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public result files: ``BAYESCALE_SHARED_DATA``, or ``../shared/data`` from the
    project's root; the test skips where neither is there.
    """
    named = os.environ.get("BAYESCALE_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(
            "the public result files are not here (set BAYESCALE_SHARED_DATA to their folder)"
        )
    return folder


@pytest.fixture(scope="session")
def shared(worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    return Shared(shared_folder(worker_id, tmp_path_factory))


@pytest.fixture(scope="session")
def four_tasks() -> Ladder:
    """Four tasks of the ladder of 2024, and C4."""
    return load_dataset("ladder2024").where(task=[*TASKS, "piqa", "mmlu", "c4"])


@pytest.fixture(scope="session")
def ladder_fit(shared: Shared, four_tasks: Ladder) -> Fit:
    """Two short chains by the paper's law, each task through its own loss."""
    settings = {"law": "chinchilla", "via": None}
    return shared.fit("ladder", lambda: fit(four_tasks, **settings, chains=CHAINS, draws=DRAWS))


@pytest.fixture(scope="session")
def default_fit(shared: Shared, four_tasks: Ladder) -> Fit:
    """Two short chains with the default settings."""
    return shared.fit("default", lambda: fit(four_tasks, chains=CHAINS, draws=DRAWS))


@pytest.fixture(scope="session")
def gadre_fit(shared: Shared) -> Fit:
    """Two short chains on the embedded runs of Gadre et al., the paper's law taken as true."""
    return shared.fit(
        "gadre",
        lambda: fit(
            load_dataset("gadre2024").where(task=["average46"]),
            discrepancy="none",
            chains=CHAINS,
            draws=DRAWS,
        ),
    )


@pytest.fixture(scope="session")
def small_fit(shared: Shared) -> Fit:
    return shared.fit("small", lambda: quick(small()))


@pytest.fixture(scope="session")
def ladder() -> Ladder:
    return load_dataset("ladder2024").where(task=[*TASKS, "c4"])


@pytest.fixture(scope="session")
def loss_ladder() -> Ladder:
    """The ladder's C4 losses alone."""
    rows = load_dataset("ladder2024").frame.query("task == 'c4'").drop(columns="accuracy")
    return Ladder.from_frame(rows, law="compute")


@pytest.fixture(scope="session")
def held(shared: Shared, loss_ladder: Ladder) -> Backtest:
    """The ladder's C4 losses at two cuts."""
    return shared.record("held", lambda: backtest(loss_ladder, **HELD))


@pytest.fixture(scope="session")
def unequal() -> Ladder:
    g, rows = np.random.default_rng(2), []
    sizes = [(n, 20 * n * m) for n in np.geomspace(2e7, 2e9, 8) for m in (1, 4)]
    for corpus, most in (("long", 99), ("short", 13)):
        for i, (n, d) in enumerate(sizes[:most][::-1]):
            c4 = 1.8 + 1.3 * (6 * n * d / 1e18) ** -0.16 * np.exp(0.003 * g.standard_normal())
            row = {"run": f"{corpus}-{i}", "corpus": corpus, "params": n, "tokens": d}
            rows.append({**row, "task": "c4", "loss": c4})
            if 6 * n * d > 4e18:
                rows.append(
                    {
                        **row,
                        "task": "quiz",
                        "loss_name": "c4",
                        "loss": c4,
                        "accuracy": 0.25 + 0.5 * np.exp(-(c4 - 1.8)),
                    }
                )
    return Ladder.from_frame(
        pd.DataFrame(rows).assign(loss_name="c4"),
        tasks=pd.DataFrame({"task": ["quiz"], "chance": [0.25], "items": [2000]}),
        law="compute",
    )
