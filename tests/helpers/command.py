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

from bayescale.cli.group import run_command

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


class Outcome(NamedTuple):
    """How a command ended: its exit status, and what it printed on stdout and stderr."""

    status: int
    out: str
    err: str


class Files(NamedTuple):
    """Paths of a run table and of its task table."""

    runs: Path
    tasks: Path


class Written(NamedTuple):
    """How a command ended, the folder that it wrote to, and the seconds that it took."""

    outcome: Outcome
    folder: Path
    seconds: float


def run_table() -> pd.DataFrame:
    """Eight runs on each of two corpora, with a target and a held-out run each.

    Losses lie around L = 1.8 + 1.2 (C / 1e18)^-0.15; the C4 loss is declared without accuracies.
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


def run_in_process(*words: object) -> Outcome:
    """Run the command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bayescale", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def run_here(*words: object) -> Outcome:
    """Run the command in this process, which saves the time to start another."""
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        patch.setattr(sys, "argv", ["bayescale", *map(str, words)])
        status = run_command()
    return Outcome(status, out.getvalue(), err.getvalue())


def parse(text: str) -> dict[str, Any]:
    """The value of a text that is JSON by the letter: without NaN, Infinity or other text."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)
