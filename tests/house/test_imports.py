"""What an import does: nothing slow before it is needed, no switch of JAX, and nothing computes in
32-bit after it.
"""

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bayescale
from bayescale.cli import load
from bayescale.cli.commands import COMMANDS

# seconds of processor time, from the start of Python
IMPORT, FIRST_LINE = 1.5, 2.0
SLOW = ("jax", "numpyro", "arviz", "arviz_stats", "pandera", "matplotlib", "scipy", "pandas")
FIGURES = """
import json, sys, time
print(json.dumps([time.process_time(), [name for name in {slow} if name in sys.modules]]))
"""
SWITCHES = """
import importlib, json, pkgutil, sys
import jax, numpyro
before = dict(jax.config.values)
import bayescale as bs
public = [getattr(bs, name) for name in bs.__all__]
late = ("matplotlib", "arviz", "arviz_stats", "scipy.stats")
slow = [name for name in late if name in sys.modules]
calls = (
    lambda: bs.fit(bs.load_dataset("ladder2024")),
    lambda: bs.simulate(params=[1e8, 2e8, 4e8], tokens=[2e9, 4e9, 8e9]),
    lambda: bs.load_fit("no such file"),
    lambda: bs.forecast(None, bs.Target(params=1e9, tokens=2e10)),
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


def last_line(code: str) -> Any:
    """The JSON on the last line that code prints in a fresh Python, where JAX has its defaults."""
    environment = {k: v for k, v in os.environ.items() if k != "JAX_ENABLE_X64"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What a fresh interpreter finds, in which `bayescale.setup` was not called."""
    return last_line(SWITCHES)


class TestTime:
    def test_importing_is_fast_and_loads_nothing_slow(self) -> None:
        seconds, slow = last_line("import bayescale\n" + FIGURES.format(slow=SLOW))
        assert seconds < IMPORT
        assert slow == []

    @pytest.mark.parametrize("option", ["--help", "--version"])
    def test_the_command_line_answers_fast_without_anything_slow(self, option: str) -> None:
        code = (
            f"from bayescale.cli.group import run_command\nassert run_command(['{option}']) == 0\n"
        )
        seconds, slow = last_line(code + FIGURES.format(slow=SLOW))
        assert seconds < FIRST_LINE
        assert slow == []

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            ("BayescaleError, FileError", []),
            ("Ladder, Target, load_dataset, read_csv", ["pandera", "pandas"]),
            ("setup", ["jax"]),
        ],
    )
    def test_a_name_loads_what_it_needs(self, names: str, expected: list[str]) -> None:
        _, slow = last_line(f"from bayescale import {names}\n" + FIGURES.format(slow=SLOW))
        assert slow == expected

    def test_figures_and_checks_of_the_sampler_wait_until_they_are_used(
        self, found: dict[str, Any]
    ) -> None:
        assert found["slow"] == []


class TestNames:
    def test_no_public_name_is_that_of_a_module_which_would_take_its_place(self) -> None:
        modules = {path.stem for path in Path(bayescale.__file__).parent.iterdir()}
        assert modules.isdisjoint(bayescale.__all__)

    def test_every_name_comes_from_the_stub_and_is_listed(self) -> None:
        stub = Path(bayescale.__file__).with_suffix(".pyi").read_text("utf-8")
        places = {
            alias.asname: (node.module, alias.name)
            for node in ast.parse(stub).body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        assert sorted(places) == bayescale.__all__ == dir(bayescale)
        for name, (module, original) in places.items():
            place = importlib.import_module(f"bayescale.{module}")
            assert getattr(bayescale, name) is getattr(place, original)
            assert name == original, "a type checker would see another name than Python"

    def test_an_unknown_name_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="nothing"):
            bayescale.nothing  # noqa: B018

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_has_a_place_and_the_first_line_of_its_docstring(self, name: str) -> None:
        command = COMMANDS[name]
        function = load(command.place)
        assert function.__name__ == name
        assert (function.__doc__ or "").splitlines()[0] == command.help


def test_importing_every_module_switches_nothing_in_jax(found: dict[str, Any]) -> None:
    assert found["changed"] == []


def test_without_setup_nothing_computes_and_a_setting_error_names_64_bit_and_setup(
    found: dict[str, Any],
) -> None:
    assert len(found["told"]) == 4
    for line in found["told"]:
        assert line.startswith("64-bit: must be on")
        assert "got JAX in 32-bit; call bayescale.setup() first" in line
