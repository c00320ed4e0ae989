"""The run table and the task table as files."""

import pytest

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
