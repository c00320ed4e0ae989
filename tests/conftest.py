"""JAX set up before anything else touches it, and fixtures that several test files share."""

import os
from pathlib import Path

import pytest

import bayescale.inference.nuts
from bayescale.data.datasets import load_dataset
from bayescale.fits.fit import Fit, fit

CHAINS, DRAWS = 2, 300

bayescale.runtime.setup(chains=CHAINS)


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
def ladder_fit() -> Fit:
    """Two short chains on the embedded ladder of 2024, the paper's law taken as true."""
    return fit(
        load_dataset("ladder2024"),
        law="chinchilla",
        via=None,
        discrepancy="none",
        chains=CHAINS,
        draws=DRAWS,
    )


@pytest.fixture(scope="session")
def default_fit() -> Fit:
    """Two short chains on the embedded ladder of 2024 with the default settings."""
    return fit(load_dataset("ladder2024"), chains=CHAINS, draws=DRAWS)


@pytest.fixture(scope="session")
def gadre_fit() -> Fit:
    """Two short chains on the embedded runs of Gadre et al., the paper's law taken as true."""
    return fit(load_dataset("gadre2024"), discrepancy="none", chains=CHAINS, draws=DRAWS)
