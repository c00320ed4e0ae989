"""Run every notebook of this folder from top to bottom: ``python notebooks/run.py [--write]``.

With ``--write`` the outputs are kept in the file. Without it chains are short, the backtest has one
cut and each candidate is refitted twice: every cell must run, and the assertions of `MUST_HOLD`
must pass at the end of their notebook. They rest on analyses that keep their full settings.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient

SHORT = """
import functools
import bayescale as bs

def with_few_refits(*args, _value=bs.value_of_information, **settings):
    return _value(*args, **settings | {"refits": 2})

bs.fit = functools.partial(bs.fit, chains=2, draws=200)
bs.backtest = functools.partial(bs.backtest, cuts=[1e21], chains=2, draws=200)
bs.value_of_information = with_few_refits
"""

MUST_HOLD = {
    "02-gadre.ipynb": """
assert set(table["M"]) == {"80", "160", "320", "640", "all"}
error = table[table["M"] == "all"].set_index("fitted")["absolute error"]
assert error["M 20 and 40 only"] < error["all, normal noise"]
""",
    "03-bhagia.ipynb": """
pairs = alternatives[~means]
routes = ["own loss", "C4 loss", "compute only", "single step"]
assert pairs.groupby("route").size().to_dict() == dict.fromkeys(routes, 16)
assert (pairs["lower"] < pairs["upper"]).all()
assert pairs["checks"].ne("fail").all()
""",
}


def run(path: Path, write: bool) -> str:
    """Run one notebook; what became of it, in a line."""
    notebook = nbformat.read(path, as_version=4)
    cells = list(notebook.cells)
    checked = nbformat.v4.new_code_cell(MUST_HOLD.get(path.name, ""))
    notebook.cells = [*([] if write else [nbformat.v4.new_code_cell(SHORT)]), *cells, checked]
    NotebookClient(
        notebook,
        timeout=1200,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    notebook.cells = cells
    for cell in cells:
        # times of day, which would change the file at every run
        cell.metadata.pop("execution", None)
        # warnings with the paths of one machine
        cell.get("outputs", [])[:] = [
            o for o in cell.get("outputs", []) if o.get("name") != "stderr"
        ]
    if write:
        nbformat.write(notebook, path)
    return f"{path.name}: {len(cells)} cells ran"


if __name__ == "__main__":
    # two at once: much of the time goes to compiling, which takes one core
    with ThreadPoolExecutor(2) as pool:
        paths = sorted(Path(__file__).parent.glob("*.ipynb"))
        for line in pool.map(lambda path: run(path, "--write" in sys.argv[1:]), paths):
            print(line, flush=True)
