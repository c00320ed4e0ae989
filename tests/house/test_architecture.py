"""The folders and their order, the size of files and functions, and imports without effects."""

import ast
from pathlib import Path

import pytest

import bayescale

ROOT = Path(bayescale.__file__).parent
FLOORS = [
    ("errors",),
    ("checks",),
    ("validation",),
    ("files",),
    ("runtime",),
    ("data",),
    ("models", "point_fits"),
    ("inference",),
    ("extrapolation",),
    ("fits",),
    ("forecasts",),
    ("backtests", "decisions"),
    ("papers",),
    ("plots",),
    ("reports",),
    ("cli",),
]
STAGES = [stage for floor in FLOORS for stage in floor]
FLOOR_OF = {stage: level for level, floor in enumerate(FLOORS) for stage in floor}
FILES = sorted(ROOT.rglob("*.py"))
DOOR = ("__init__", "__main__")
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60


def stage_of(path: Path) -> str:
    """The folder of a file, or the file's own name where it lies at the root of the package."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imported(tree: ast.AST) -> set[str]:
    """Modules of the package that any import statement below `tree` names."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    ours = [name for name in names if name.split(".")[0] == "bayescale"]
    return {name if name in MODULES else name.rpartition(".")[0] for name in ours}


def at_run_time(tree: ast.Module) -> ast.Module:
    """The module without what only the type checker imports."""
    kept = [s for s in tree.body if not is_for_the_type_checker(s)]
    return ast.Module(body=kept, type_ignores=[])


def is_for_the_type_checker(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"


def upward(stage: str, modules: set[str]) -> set[str]:
    """The modules that a file of `stage` must not import: not its own folder, and not below it."""
    stages = {module: module.split(".")[1] for module in modules if module != "bayescale"}
    return {m for m, s in stages.items() if s != stage and FLOOR_OF[s] >= FLOOR_OF[stage]}


def late(tree: ast.Module) -> set[str]:
    """Modules of the package that a function imports; figures may wait, for Matplotlib is slow."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = set().union(*(imported(f) for f in functions)) if functions else set()
    return {module for module in found if not module.startswith("bayescale.plots")}


def circles(graph: dict[str, set[str]]) -> list[str]:
    """A module on every circle of imports."""
    found: list[str] = []
    state: dict[str, int] = {}

    def walk(module: str) -> None:
        state[module] = 1
        for other in sorted(graph.get(module, ())):
            if state.get(other) == 1:
                found.append(f"{module} -> {other}")
            elif other not in state:
                walk(other)
        state[module] = 2

    for module in graph:
        if module not in state:
            walk(module)
    return found


INSIDE = [path for path in FILES if stage_of(path) not in DOOR]
NAME = {"ids": lambda path: str(path.relative_to(ROOT))}


@pytest.mark.parametrize("path", INSIDE, **NAME)
def test_files_import_only_from_their_folder_and_from_below(path: Path) -> None:
    assert stage_of(path) in STAGES, "a new folder needs its place in FLOORS"
    tree = at_run_time(ast.parse(path.read_text("utf-8")))
    assert upward(stage_of(path), imported(tree)) == set()


@pytest.mark.parametrize("path", INSIDE, **NAME)
def test_no_function_imports_the_package(path: Path) -> None:
    assert late(ast.parse(path.read_text("utf-8"))) == set()


def test_only_the_command_line_loads_modules_by_their_names() -> None:
    """So that no import hides from these rules; `load` is what Ctrl-C and --help need it for.

    `runtime` names the module that unpacks compiled programs, which is not one of the package.
    """
    by_name = [
        str(path.relative_to(ROOT))
        for path in FILES
        if any(word in path.read_text("utf-8") for word in ("importlib.import", "__import__"))
    ]
    assert by_name == ["cli/__init__.py", "runtime.py"]


def test_no_imports_go_in_a_circle() -> None:
    trees = {m: at_run_time(ast.parse(path.read_text("utf-8"))) for m, path in MODULES.items()}
    graph = {m: imported(tree) - {m} for m, tree in trees.items()}
    assert circles(graph) == []


@pytest.mark.parametrize(
    ("stage", "code", "found"),
    [
        ("data", "from bayescale.models.laws import Law", {"bayescale.models.laws"}),
        ("data", "from bayescale.models import laws", {"bayescale.models.laws"}),
        ("data", "import bayescale.models.laws", {"bayescale.models.laws"}),
        ("data", "def f():\n    from bayescale.models.laws import Law", {"bayescale.models.laws"}),
        (
            "models",
            "from bayescale.point_fits.solver import solve",
            {"bayescale.point_fits.solver"},
        ),
        ("checks", "from bayescale.files import check_folder", {"bayescale.files"}),
        ("models", "from bayescale.models.laws import Law\nimport numpy.linalg", set()),
        ("forecasts", "from bayescale.fits.record import Fit", set()),
    ],
)
def test_the_order_is_read_right(stage: str, code: str, found: set[str]) -> None:
    assert upward(stage, imported(ast.parse(code))) == found


def test_late_imports_and_circles_are_seen() -> None:
    inside = "class A:\n    def f(self):\n        from bayescale.fits.archive import save_fit"
    assert late(ast.parse(inside)) == {"bayescale.fits.archive"}
    assert late(ast.parse("def f():\n    from bayescale.plots import plot_law")) == set()
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["c -> a"]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("path", FILES, **NAME)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and stage_of(path) != "cli":
            doc = ast.get_docstring(node, clean=False) or ""
            lines = node.end_lineno - node.lineno + 1 - len(doc.splitlines())  # type: ignore[operator]
            assert lines <= MOST_LINES_OF_A_FUNCTION, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", INSIDE, **NAME)
def test_every_file_has_its_tests(path: Path) -> None:
    place = path.relative_to(ROOT)
    if path.stem.startswith("_") or stage_of(path) in ("cli", "papers"):
        pytest.skip("the commands and the papers are tested as a whole")
    assert (Path(__file__).parents[1] / place.parent / f"test_{path.stem}.py").is_file()
