"""Copies for a class: no solution is left, everything else is, in plain Markdown, and no work is
overwritten.
"""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location(
        "student_copies", ROOT / "tools" / "student_copies.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_exercises_stay_and_solutions_go(tool, path):
    whole, copy = nbformat.read(path, 4), tool.without_solutions(nbformat.read(path, 4))
    text = "\n".join(cell.source for cell in copy.cells)
    asked = sum(cell.source.count("**Exercise ") for cell in whole.cells)
    assert text.count("**Exercise ") == asked >= 2
    assert "{dropdown} Solution" not in text and "**At a glance**\n\n- **Read:**" in text
    assert not any("solution" in cell.metadata.get("tags", []) for cell in copy.cells)
    assert "## Limits" in text and "## Further reading" in text
    nbformat.validate(copy)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_only_plain_markdown_is_left(tool, path):
    copy = tool.without_solutions(nbformat.read(path, 4))
    text = "\n".join(cell.source for cell in copy.cells if cell.cell_type == "markdown")
    assert not re.search(r"\{[a-z:]+\}`|^:::|^:class:", text, re.M)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a {term}`shot` of\nmany", "a shot of\nmany"),
        ("{term}`Bragg spots\n<Bragg spot>`", "Bragg spots"),
        ("{func}`spot_features <diffranet_utils.features.spots.spot_features>`", "`spot_features`"),
        ("{cite}`diffranet2019`", "[Souza et al. 2019]"),
        ("{cite}`breiman2001,bergstra2012`", "[Breiman 2001; Bergstra and Bengio 2012]"),
        (":::{admonition} Note\n:class: tip\none\n:::\nafter", "**Note**\n\none\n\nafter"),
        ("plain `code` and $x < y$, $z > 1$", "plain `code` and $x < y$, $z > 1$"),
    ],
)
def test_roles_and_boxes_become_words(tool, written, read):
    assert tool.plain_markdown(written) == read


def test_work_in_a_copy_is_kept(tool, tmp_path):
    assert tool.write_copies(tmp_path) == []
    assert tool.write_copies(tmp_path) == []
    worked_in, fresh = (tmp_path / path.name for path in CHAPTERS[:2])
    before = fresh.read_text(encoding="utf-8")
    worked_in.write_text("my answers", encoding="utf-8")
    fresh.unlink()
    assert tool.write_copies(tmp_path) == [worked_in.name]
    assert worked_in.read_text(encoding="utf-8") == "my answers"
    assert fresh.read_text(encoding="utf-8") == before
