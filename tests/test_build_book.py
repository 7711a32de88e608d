"""The builder: what it refuses, what it reports, and what it throws away."""

import importlib.util
from pathlib import Path

import nbformat
import pytest

from diffranet_utils.errors import DiffranetError, MissingDataError

ROOT = Path(__file__).parent.parent


@pytest.fixture
def builder(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("build_book", ROOT / "tools" / "build_book.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, path in (("ROOT", tmp_path), ("BUILD", tmp_path / "build"), ("STAGING", tmp_path / "build" / "book")):
        monkeypatch.setattr(module, name, path)
    for folder in (tmp_path / "notebooks", tmp_path / "build" / "book" / "notebooks"):
        folder.mkdir(parents=True)
    return module


def write(builder, name, *sources):
    cells = [nbformat.v4.new_code_cell('PRESET = "smoke"', metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), builder.ROOT / "notebooks" / f"{name}.ipynb")


def test_a_failing_cell_is_named_with_its_error(builder):
    write(builder, "10_a", "x = 1", "y = 0\nx / y")
    with pytest.raises(DiffranetError) as failure:
        builder.execute("10_a", "smoke")
    first, *code = str(failure.value).splitlines()
    assert first == "notebooks/10_a.ipynb failed in cell 3: ZeroDivisionError: division by zero"
    assert code == ["    y = 0", "    x / y"]


def test_the_preset_reaches_the_notebook_and_the_source_stays(builder):
    write(builder, "10_a", "print(PRESET)", "import os; print(os.path.basename(os.getcwd()))")
    before = (builder.ROOT / "notebooks" / "10_a.ipynb").read_bytes()
    builder.execute("10_a", "workshop")
    done = nbformat.read(builder.STAGING / "notebooks" / "10_a.ipynb", 4)
    assert [cell.outputs[0].text.strip() for cell in done.cells if cell.outputs] == ["workshop", "notebooks"]
    assert (builder.ROOT / "notebooks" / "10_a.ipynb").read_bytes() == before


def test_listed_notebooks_must_exist(builder):
    toc = {"parts": [{"chapters": [{"file": "book/page"}, {"file": "notebooks/10_a"}, {"file": "notebooks/11_b"}]}]}
    write(builder, "10_a")
    with pytest.raises(MissingDataError, match="11_b"):
        builder.chapters(toc)
    write(builder, "11_b")
    assert builder.chapters(toc) == ["10_a", "11_b"]


def test_results_of_older_code_are_dropped(builder, monkeypatch):
    results = builder.BUILD / "results" / "smoke"
    builder.drop_stale_results("smoke")
    results.mkdir(parents=True)
    (results / "20_dataset.json").write_text("{}")
    builder.drop_stale_results("smoke")
    assert (results / "20_dataset.json").exists()
    monkeypatch.setattr(builder, "code_fingerprint", lambda: "changed")
    builder.drop_stale_results("smoke")
    assert not results.exists()
