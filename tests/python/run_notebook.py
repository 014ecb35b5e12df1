"""Runs notebooks from top to bottom, each in its own folder, and fails with the first cell that fails.

usage: run_notebook.py NOTEBOOK…
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

for path in map(Path, sys.argv[1:]):
    notebook = nbformat.read(path, as_version=4)
    stored = [cell["id"] for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
    if stored:
        sys.exit(f"{path.name}: outputs are stored in the cells {', '.join(stored)}; clear them before you commit")
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    print(f"{path.name}: {sum(cell.cell_type == 'code' for cell in notebook.cells)} cells")
