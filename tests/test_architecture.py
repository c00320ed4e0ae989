"""The order of the modules, their size, and that importing the package has no side effects."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bayescale

ROOT = Path(bayescale.__file__).parent
ORDER = [
    "errors",
    "checks",
    "names",
    "schema",
    "ladder",
    "replicates",
    "readers",
    "datasets",
    "parameters",
    "laws",
    "links",
    "priors",
    "models",
    "layouts",
    "modes",
    "geometry",
    "sampling",
    "scoring",
    "verdicts",
    "diagnosing",
    "posteriors",
    "folds",
    "predicting",
    "discrepancy",
    "rolling",
    "preparing",
    "stacking",
    "fits",
    "fitting",
    "saving",
    "placing",
    "parts",
    "forecasting",
    "influence",
    "updating",
    "simulating",
    "point_fits",
    "baselines",
    "baseline_forecasts",
    "keeping",
    "backtests",
    "backtesting",
    "costing",
    "valuing",
    "preferring",
    "preposterior",
    "candidates",
    "evidence",
    "sensitivity",
    "deciding",
    "requiring",
    "frontiers",
    "reproducing",
    "stating",
    "plots",
    "reports",
    "showing",
    "cli",
]
INSIDE_A_FUNCTION = {("fits", "saving"), ("fits", "updating")}  # Fit.save: saving knows Fit, so it comes after
FILES = sorted(ROOT.rglob("*.py"))
LONGEST = 300


def module_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported(tree: ast.AST) -> set[str]:
    """Modules of the package that any import statement below `tree` names."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("bayescale.")}


def forbidden(module: str, tree: ast.Module) -> set[str]:
    """What `module` imports though it does not stand above it."""
    above = set(ORDER[: ORDER.index(module) + 1])
    found = set()
    for statement in tree.body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            continue  # names for the type checker, which nothing imports at run time
        for part in statement.body if isinstance(statement, ast.ClassDef) else [statement]:
            excepted = {name for of, name in INSIDE_A_FUNCTION if of == module and isinstance(part, ast.FunctionDef)}
            found |= imported(part) - above - excepted
    return found


@pytest.mark.parametrize("path", [p for p in FILES if module_of(p) not in ("__init__", "__main__")], ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_import_only_from_above(path: Path) -> None:
    assert module_of(path) in ORDER, "a new module wants its place in the order"
    assert forbidden(module_of(path), ast.parse(path.read_text("utf-8"))) == set()


@pytest.mark.parametrize(
    ("module", "code", "found"),
    [
        ("laws", "from bayescale.models import Layout", {"models"}),
        ("laws", "from bayescale import models", {"models"}),
        ("laws", "import bayescale.models", {"models"}),
        ("laws", "def f():\n    from bayescale.models import Layout", {"models"}),
        ("fits", "from bayescale.saving import save_fit", {"saving"}),
        ("fits", "class A:\n    def f(self):\n        from bayescale.saving import save_fit", set()),
        ("fits", "def f():\n    from bayescale.saving import save_fit", set()),
        ("models", "from bayescale.laws import Law\nimport numpy.linalg", set()),
    ],
)
def test_the_order_is_read_right(module: str, code: str, found: set[str]) -> None:
    assert forbidden(module, ast.parse(code)) == found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


def test_importing_switches_nothing_in_jax() -> None:
    modules = ["bayescale", *(f"bayescale.{m}" for m in ORDER if (ROOT / f"{m}.py").exists() or (ROOT / m).is_dir())]
    code = f"""
import importlib, jax
import numpyro
before = dict(jax.config.values)
for name in {modules}:
    importlib.import_module(name)
after = dict(jax.config.values)
print({{key: (before.get(key), after[key]) for key in after if before.get(key) != after[key]}})
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "{}"
