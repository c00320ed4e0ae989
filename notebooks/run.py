"""Run every notebook of this folder from top to bottom: ``python notebooks/run.py [--write]``; with
``--write`` the outputs are kept in the file.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

for path in sorted(Path(__file__).parent.glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=1200,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    for cell in notebook.cells:
        # times of day, which would change the file at every run
        cell.metadata.pop("execution", None)
        # warnings with the paths of one machine
        cell.get("outputs", [])[:] = [
            o for o in cell.get("outputs", []) if o.get("name") != "stderr"
        ]
    if "--write" in sys.argv[1:]:
        nbformat.write(notebook, path)
    print(f"{path.name}: {len(notebook.cells)} cells ran")
