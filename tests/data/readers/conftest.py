"""Both papers' public files, read once."""

from pathlib import Path

import pytest

from bayescale.data.ladder import Ladder
from bayescale.data.readers import read_checkpoints, read_gadre


@pytest.fixture(scope="session")
def gadre(shared_data: Path) -> Ladder:
    return read_gadre(shared_data / "gadre2024" / "raw")


@pytest.fixture(scope="session")
def checkpoints(shared_data: Path) -> Ladder:
    return read_checkpoints(shared_data / "ladder2024" / "raw")
