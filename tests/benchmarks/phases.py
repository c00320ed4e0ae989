"""Says where the time of a fit and a forecast goes, for five sizes of ladders.

    python tests/benchmarks/phases.py [SIZE ...]

Each size runs as a process of its own, twice: with an empty compilation cache and with the one that
the first run filled. The columns are seconds, on all threads together where it says so:

- import: the package and what it needs;
- trace, lower, compile: programs traced, lowered and compiled, or read from the cache (threads
  together), and the number of programs that were compiled or read;
- sample: from the first block of iterations to the last, the slower of both stages;
- fit: the call of `bs.fit` as a whole;
- checks: the sampler's checks;
- forecast: the forecast of two targets, and its table;
- total: the whole process; memory: its largest resident size.

The last column is the total in units of the fixed work of `reference.py`, done beside each run.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()
# name of a size -> (runs, corpora, tasks); None is the embedded ladder
SIZES: dict[str, tuple[int, int, int] | None] = {
    "16 x 9, 8 links": None,
    "26 x 1": (26, 1, 0),
    "8 x 3": (8, 3, 0),
    "88 x 48, 42 links": (88, 6, 7),
    "500 x 1": (500, 1, 0),
}
PHASES = ["import", "trace", "lower", "compile", "programs", "sample", "fit", "checks", "forecast"]
EVENTS = {
    "jaxpr_trace_duration": "trace",
    "jaxpr_to_mlir_module_duration": "lower",
    "backend_compile_duration": "compile",
}


def simulated(runs: int, corpora: int, tasks: int) -> Any:
    """A ladder of that size whose law is true: runs of 1e7 to 2e9 parameters, 5 to 320 tokens each.

    With tasks it has one validation loss as well, and one loss per task.
    """
    import numpy as np

    import bayescale as bs

    rng = np.random.default_rng(0)
    params = np.exp(rng.uniform(np.log(1e7), np.log(2e9), runs))
    tokens = params * np.exp(rng.uniform(np.log(5), np.log(320), runs))
    names = [f"task {i}" for i in range(tasks)] or ["text"]
    made = bs.simulate(
        params=params.tolist(),
        tokens=tokens.tolist(),
        targets=[(7e9, 1.4e11), (1e10, 1e12)],
        corpora=[f"corpus {i}" for i in range(corpora)],
        tasks=names,
        link="logistic" if tasks else None,
        discrepancy="calibrated",
    ).ladder
    if not tasks:
        return made
    # the validation loss: what the first task's loss would be, in other units
    rows = made.frame
    text = rows[rows["task"] == names[0]].drop(columns="accuracy")
    text = text.assign(task="text", loss_name="text", loss=2.5 * text["loss"])
    import pandas as pd

    return bs.Ladder.from_frame(
        pd.concat([rows, text], ignore_index=True),
        tasks=made.task_table.reset_index(),
        law="chinchilla",
    )


def measure(size: str) -> dict[str, float | str]:
    """Seconds of every phase, in this process."""
    import resource
    import threading

    from jax import monitoring

    seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)
    lock = threading.Lock()

    def add(event: str, duration: float, **_: Any) -> None:
        phase = EVENTS.get(event.rpartition("/")[2])
        with lock:
            if phase is not None:
                seconds[phase] += duration
            seconds["programs"] += phase == "compile"

    monitoring.register_event_duration_secs_listener(add)
    import bayescale as bs

    bs.setup()
    wanted = SIZES[size]
    ladder = bs.load_dataset("ladder2024") if wanted is None else simulated(*wanted)
    blocks: dict[str, list[float]] = {}

    def progress(stage: str, share: float) -> None:
        if share > 0:
            blocks.setdefault(stage, []).append(time.perf_counter())

    seconds.update(dict.fromkeys(("trace", "lower", "compile", "programs"), 0.0))
    began = time.perf_counter()
    seconds["import"] = began - STARTED
    fit = bs.fit(ladder, progress=progress)
    fitted = time.perf_counter()
    status = fit.status
    checked = time.perf_counter()
    bs.forecast(fit, ladder.targets()).to_frame()
    ended = time.perf_counter()
    seconds["fit"] = fitted - began
    seconds["sample"] = max(times[-1] - times[0] for times in blocks.values())
    seconds["checks"] = checked - fitted
    seconds["forecast"] = ended - checked
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**seconds, "total": ended - STARTED, "memory, MB": memory, "status": status}


def main() -> None:
    """Print the table."""
    import pandas as pd
    from reference import reference_seconds

    rows = []
    for size in sys.argv[1:] or SIZES:
        with tempfile.TemporaryDirectory() as cache:
            for state in ("empty", "full"):
                unit = reference_seconds()
                done = subprocess.run(
                    [sys.executable, __file__, "--one", size],
                    env={**os.environ, "XDG_CACHE_HOME": str(Path(cache).resolve())},
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
                row = json.loads(done.stdout.splitlines()[-1])
                rows.append({"size": size, "cache": state, **row, "units": row["total"] / unit})
                print(f"{size}, {state} cache: {row['total']:.0f} s", file=sys.stderr, flush=True)
    pd.set_option("display.width", 200)
    print(pd.DataFrame(rows).round(1).to_string(index=False))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        main()
