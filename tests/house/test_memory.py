"""Many fits of different shapes in one process: its memory maps and its memory stay bounded."""

import json
import subprocess
import sys

import pytest

FITS = 16
# A limit that a few fits reach, and what one fit may add before the next one looks.
LIMIT, ONE_FIT = 3500, 1500
CODE = """
import json, sys
from pathlib import Path
import numpy as np, pandas as pd
import bayescale as bs
from bayescale.inference import batch
batch.MAX_MAPS = int(sys.argv[2])
bs.setup(chains=2)
seen = []
for i in range(int(sys.argv[1])):
    n = np.geomspace(1e8, 1e9, 4 + i)
    loss = 1.8 + 1.3 * (n / 1e8) ** -0.3 * np.exp(0.003 * np.sin(7 * np.arange(4 + i)))
    names = [f"r{k}" for k in range(4 + i)]
    rows = {"run": names, "params": n, "tokens": 20 * n, "task": "c4", "loss": loss}
    fit = bs.fit(bs.Ladder.from_frame(pd.DataFrame(rows), law="compute"), chains=2, draws=20)
    bs.forecast(fit, bs.Target(7e9, 1e12))
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    seen.append((len(batch.MAPS.read_text().splitlines()), pages * 4096 / 1e6))
print(json.dumps(seen))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory maps are counted in /proc")
def test_fits_of_many_shapes_leave_no_trace() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(FITS), str(LIMIT)],
        capture_output=True,
        text=True,
        check=True,
    )
    maps, megabytes = zip(*json.loads(done.stdout), strict=True)
    assert max(maps) < LIMIT + ONE_FIT
    assert min(maps[5:]) < 0.8 * LIMIT, "programs were dropped"
    assert megabytes[-1] < megabytes[FITS // 4] + 300
