"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public result files: ``BAYESCALE_SHARED_DATA``, or ``../shared/data`` from the project's root; the test skips where neither is there."""
    named = os.environ.get("BAYESCALE_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the public result files are not here (set BAYESCALE_SHARED_DATA to their folder)")
    return folder
