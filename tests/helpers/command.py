"""The command line as a person uses it, and the tables that the tests give it."""

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from bayescale import cli

SIZES = [
    (1e7, 2e8),
    (1e7, 2e9),
    (5e7, 1e9),
    (5e7, 1e10),
    (2e8, 4e9),
    (2e8, 4e10),
    (8e8, 2e10),
    (8e8, 1e11),
]
TASKS = {"piqa": (0.5, 1838, 0.5), "mmlu": (0.25, 2000, 0.6)}
CHOICES = [
    "--law",
    "compute",
    "--link",
    "exponential",
    "--via",
    "c4",
    "--pooling",
    "complete",
    "--chains",
    "2",
]


class Told(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


class Files(NamedTuple):
    runs: Path
    tasks: Path


class Full(NamedTuple):
    """The one long run: what it told, the folder that it wrote to, and the seconds that it took by
    the clock on the wall.
    """

    told: Told
    folder: Path
    seconds: float


def run_table() -> pd.DataFrame:
    """Eight runs on each of two corpora around L = 1.8 + 1.2 (C / 1e18)^-0.15, a target and a
    held-out run; C4 is declared without accuracies.
    """
    rng, rows = np.random.default_rng(5), []
    for corpus, level in (("web", 1.0), ("code", 1.05)):
        for i, (n, d, role) in enumerate(
            [*((n, d, "fit") for n, d in SIZES), (7e9, 1e12, "target"), (3e9, 1e11, "held_out")]
        ):
            own = {"run": f"{corpus}-{i}", "corpus": corpus, "params": n, "tokens": d, "role": role}
            curve = level * (1.8 + 1.2 * (6 * n * d / 1e18) ** -0.15)
            c4 = curve * np.exp(0.01 * rng.normal())
            rows.append({**own, "task": "c4", "loss": c4})
            for task, (chance, items, share) in TASKS.items():
                p = min(0.95, chance + (1 - chance) * 0.5 * np.exp(-2.2 * (c4 - 2.3)))
                rows.append(
                    {
                        **own,
                        "task": task,
                        "loss": share * curve * np.exp(0.01 * rng.normal()),
                        "accuracy": rng.binomial(items, p) / items,
                    }
                )
    return pd.DataFrame(rows)


def in_a_process(*words: object) -> Told:
    done = subprocess.run(
        [sys.executable, "-m", "bayescale", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Told(done.returncode, done.stdout, done.stderr)


def here(*words: object) -> Told:
    """The command in this process: no seconds go into starting another."""
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        patch.setattr(sys, "argv", ["bayescale", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
    return Told(int(left.value.code or 0), out.getvalue(), err.getvalue())


def parse(text: str) -> dict[str, Any]:
    """JSON by the letter: neither NaN nor Infinity, and nothing around it."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)
