"""What an import loads: figures and the sampler wait until they are used."""

import subprocess
import sys


def test_importing_bayescale_leaves_matplotlib_alone() -> None:
    code = "import sys, bayescale, bayescale.fits.fit, bayescale.forecasts.forecast; print([m for m in sys.modules if m == 'matplotlib'])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_importing_the_readers_is_light() -> None:
    code = "import sys, bayescale.data.readers, bayescale.data.datasets; print([m for m in ('matplotlib', 'arviz', 'arviz_stats') if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )
