"""What an import loads: figures and the sampler's checks wait until they are used."""

import json
import subprocess
import sys


def loaded(modules: list[str], watched: list[str]) -> list[str]:
    """Which of the `watched` packages a fresh interpreter has loaded after importing `modules`."""
    code = (
        f"import json, sys, {', '.join(modules)}\n"
        f"print(json.dumps([m for m in {watched} if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


def test_importing_bayescale_leaves_matplotlib_alone() -> None:
    modules = ["bayescale", "bayescale.fits.fit", "bayescale.forecasts.forecast"]
    assert loaded(modules, ["matplotlib"]) == []


def test_importing_the_readers_is_light() -> None:
    modules = ["bayescale.data.readers", "bayescale.data.datasets"]
    assert loaded(modules, ["matplotlib", "arviz", "arviz_stats"]) == []
