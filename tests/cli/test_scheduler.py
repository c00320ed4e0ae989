"""The option --scheduler where there is no cluster; tests/fits/test_executors.py has a real one."""

import socket
import sys
from pathlib import Path

import pytest

from bayescale.cli import scheduler
from helpers.command import run_here


def free_address() -> str:
    """An address of this machine at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("address", ["", "nowhere", "carrier-pigeon://1"])
def test_where_nothing_answers_it_is_one_line(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = address or free_address()
    monkeypatch.setattr(scheduler, "PATIENCE", 0.5)
    output = tmp_path / "b.csv"
    outcome = run_here("backtest", "--scheduler", address, "--csv", output)
    assert (outcome.status, outcome.out) == (2, "")
    assert "--scheduler: must be the address of a Dask scheduler that runs" in outcome.err
    assert address in outcome.err
    assert "Traceback" not in outcome.err
    assert not output.exists()


def test_where_the_package_is_missing_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    outcome = run_here("backtest", "--scheduler", "tcp://127.0.0.1:8786")
    assert outcome.status == 2
    assert "pip install 'bayescale[cluster]'" in outcome.err.replace("\n", " ")
