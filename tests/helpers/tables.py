"""Small run tables, and what every message about them has in common."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.data.ladder import Ladder
from bayescale.errors import BayescaleError


def write(folder: Path, text: str | bytes, name: str = "runs.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


TASKS = pd.DataFrame({"task": ["mmlu", "piqa"], "chance": [0.25, 0.5], "items": [14042, 1838]})


def table() -> pd.DataFrame:
    """Four runs on two corpora, two tasks each and a declared series without accuracies."""
    runs = [
        ("a", 1e8, 2e9, "web", "fit"),
        ("b", 2e8, 4e9, "web", "fit"),
        ("c", 4e8, 8e9, "code", "link"),
        ("d", 8e9, 1e12, "web", "target"),
    ]
    rows = []
    for i, (run, params, tokens, corpus, role) in enumerate(runs):
        common = {"run": run, "params": params, "tokens": tokens, "corpus": corpus, "role": role}
        rows += [
            {**common, "task": t, "loss": 1.2 - 0.1 * i + 0.3 * j, "accuracy": 0.5 + 0.05 * i}
            for j, t in enumerate(TASKS["task"])
        ]
        rows.append({**common, "task": "c4", "loss": 3.0 - 0.2 * i, "accuracy": np.nan})
    return pd.DataFrame(rows)


def ladder(frame: pd.DataFrame | None = None, tasks: pd.DataFrame | None = TASKS) -> Ladder:
    return Ladder.from_frame(table() if frame is None else frame, tasks=tasks)


def put(column: str, value: object, row: int = 3) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The table with one cell changed."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype(object)
        frame.loc[row, column] = value
        return frame

    return change


def assert_one_line(error: BayescaleError, *words: str) -> None:
    text = str(error)
    assert "\n" not in text
    assert text.count("; ") >= 2, "what: rule; got; way out"
    for word in words:
        assert word in text
