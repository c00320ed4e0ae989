"""Without setup() JAX computes in 32-bit, and nothing here may then compute at all."""

import os
import subprocess
import sys

CODE = """
import bayescale as bs
calls = (
    lambda: bs.fit(bs.load_dataset("ladder2024")),
    lambda: bs.simulate(params=[1e8, 2e8, 4e8], tokens=[2e9, 4e9, 8e9]),
)
for call in calls:
    try:
        call()
    except bs.SettingError as error:
        print(error)
"""


def test_without_setup_fit_and_simulate_raise_a_setting_error_that_names_64_bit_and_setup() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "JAX_ENABLE_X64"}
    told = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, env=environment, check=True
    ).stdout.splitlines()
    assert len(told) == 2
    for line in told:
        assert line.startswith("64-bit: must be on")
        assert "got JAX in 32-bit; call bayescale.setup() first" in line
