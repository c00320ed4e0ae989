"""The run table and the task table as files, and a saved fit that commands take with --fit."""

from pathlib import Path

import pytest

from bayescale.fits.record import Fit
from helpers.command import TASKS, Files, run_table


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("mine")
    run_table().to_csv(folder / "runs.csv", index=False)
    (folder / "tasks.csv").write_text(
        "task,chance,items\n"
        + "".join(f"{t},{chance},{items}\n" for t, (chance, items, _) in TASKS.items())
    )
    return Files(folder / "runs.csv", folder / "tasks.csv")


@pytest.fixture(scope="session")
def saved(default_fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default fit of four tasks as a file."""
    path = tmp_path_factory.mktemp("saved") / "ladder.fit"
    default_fit.save(path)
    return path


@pytest.fixture
def no_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler that must not be reached."""

    def sample(*_: object, **__: object) -> None:
        raise AssertionError("it sampled first")

    monkeypatch.setattr("bayescale.fits.fit.sample_stages", sample)
