"""Ladders of checkpoints with noise that the test chooses."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescale.data.ladder import Ladder


def checkpoints(shared: float, own: float, runs: int = 8, steps: int = 40, seed: int = 0) -> Ladder:
    """Runs with `steps` checkpoints each, whose accuracies have a part of their noise in common."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, size in enumerate(np.geomspace(1e8, 1e9, runs)):
        final, common = 1.5 + 400 * size**-0.34, shared * rng.standard_normal()
        for step in range(1, steps + 1):
            loss = final + 0.3 * np.exp(-step / 8)
            accuracy = (
                0.25 + 0.7 / (1 + np.exp(3 * (loss - 1.8))) + common + own * rng.standard_normal()
            )
            rows.append(
                {
                    "run": f"r{i}",
                    "params": size,
                    "tokens": 20 * size,
                    "task": "a",
                    "step": step,
                    "loss": loss,
                    "accuracy": accuracy,
                }
            )
    return Ladder.from_frame(
        pd.DataFrame(rows), tasks=pd.DataFrame({"task": ["a"], "chance": [0.25], "items": [2000]})
    )
