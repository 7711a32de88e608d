"""Copies for a class: no solution is left, everything else is."""

import importlib.util
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("student_copies", ROOT / "tools" / "student_copies.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_exercises_stay_and_solutions_go(tool, path):
    whole, copy = nbformat.read(path, 4), tool.without_solutions(nbformat.read(path, 4))
    text = "\n".join(cell.source for cell in copy.cells)
    asked = sum(cell.source.count("**Exercise ") for cell in whole.cells)
    assert text.count("**Exercise ") == asked >= 2
    assert "{dropdown} Solution" not in text and ":::{admonition} At a glance" in text
    assert not any("solution" in cell.metadata.get("tags", []) for cell in copy.cells)
    assert "## Limits" in text and "## Further reading" in text
    nbformat.validate(copy)
