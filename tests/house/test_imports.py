"""What an import does: no figures, no switch of JAX, and nothing computes in 32-bit after it."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

CODE = """
import importlib, json, pkgutil, sys
import jax, numpyro
before = dict(jax.config.values)
import bayescale as bs
import bayescale.data.readers, bayescale.data.datasets
slow = [name for name in ("matplotlib", "arviz", "arviz_stats") if name in sys.modules]
calls = (
    lambda: bs.fit(bs.load_dataset("ladder2024")),
    lambda: bs.simulate(params=[1e8, 2e8, 4e8], tokens=[2e9, 4e9, 8e9]),
)
told = []
for call in calls:
    try:
        call()
    except bs.SettingError as error:
        told.append(str(error))
for module in pkgutil.walk_packages(bs.__path__, "bayescale."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
after = jax.config.values
changed = [name for name in after if before.get(name) != after[name]]
print(json.dumps({"slow": slow, "told": told, "changed": changed}))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What a fresh interpreter finds, in which `bayescale.setup` was not called."""
    environment = {k: v for k, v in os.environ.items() if k != "JAX_ENABLE_X64"}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, env=environment, check=True
    )
    return json.loads(done.stdout)


def test_importing_leaves_figures_and_checks_of_the_sampler_until_they_are_used(
    found: dict[str, Any],
) -> None:
    assert found["slow"] == []


def test_importing_every_module_switches_nothing_in_jax(found: dict[str, Any]) -> None:
    assert found["changed"] == []


def test_without_setup_fit_and_simulate_raise_a_setting_error_that_names_64_bit_and_setup(
    found: dict[str, Any],
) -> None:
    assert len(found["told"]) == 2
    for line in found["told"]:
        assert line.startswith("64-bit: must be on")
        assert "got JAX in 32-bit; call bayescale.setup() first" in line
