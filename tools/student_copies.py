"""Write the notebooks without their solutions into ``student/``, for a class: `make student`."""

import re
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
SOLUTION = re.compile(r"^:::\{dropdown\} Solution.*?^:::\n?", re.M | re.S)


def without_solutions(notebook):
    """Drop the cells tagged as solutions, and their explanations from the text."""
    cells = [cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])]
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = SOLUTION.sub("", cell.source).strip("\n")
    notebook.cells = [cell for cell in cells if cell.source]
    return notebook


def main():
    """Copy every chapter; the folder lies beside ``notebooks``, so that relative paths hold."""
    folder = ROOT / "student"
    folder.mkdir(exist_ok=True)
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        nbformat.write(without_solutions(nbformat.read(path, 4)), folder / path.name)
    print(f"The notebooks without solutions are in {folder}")


if __name__ == "__main__":
    main()
