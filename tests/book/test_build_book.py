"""The book's builder: what it runs, what it throws away, and how it says that a chapter failed."""

import importlib.util
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from diffranet_utils.core.errors import DiffranetError, MissingDataError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def builder(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("build_book", ROOT / "tools" / "build_book.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(
        sys.modules, "build_book", module
    )  # so that its functions reach the worker processes
    spec.loader.exec_module(module)
    for name, path in (
        ("ROOT", tmp_path),
        ("BUILD", tmp_path / "build"),
        ("STAGING", tmp_path / "build" / "book"),
    ):
        monkeypatch.setattr(module, name, path)
    for folder in ("notebooks", "build/book/notebooks"):
        (tmp_path / folder).mkdir(parents=True)
    return module


def write_notebook(root, name, *sources):
    cells = [
        new_code_cell('PRESET = "none"', metadata={"tags": ["parameters"]}),
        *map(new_code_cell, sources),
    ]
    metadata = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    nbformat.write(
        new_notebook(cells=cells, metadata=metadata), root / "notebooks" / f"{name}.ipynb"
    )


def test_a_failing_chapter_is_named_with_its_cell_and_error(builder, tmp_path):
    write_notebook(tmp_path, "99_broken", "x = 1", "x / 0  # fails")
    with pytest.raises(DiffranetError) as caught:
        builder.execute("99_broken", "smoke")
    message = str(caught.value)
    assert "notebooks/99_broken.ipynb failed in cell 3" in message
    assert "ZeroDivisionError" in message and "x / 0  # fails" in message


def test_a_chapter_whose_kernel_dies_is_named(builder, tmp_path):
    write_notebook(tmp_path, "96_dead", "import os; os._exit(1)")
    with pytest.raises(DiffranetError, match="notebooks/96_dead.ipynb: Kernel died"):
        builder.execute("96_dead", "smoke")


def test_a_chapter_gets_the_preset_and_leaves_its_source_alone(builder, tmp_path):
    write_notebook(tmp_path, "98_whole", "print(PRESET)")
    before = (tmp_path / "notebooks" / "98_whole.ipynb").read_bytes()
    builder.execute("98_whole", "workshop")
    made = nbformat.read(tmp_path / "build" / "book" / "notebooks" / "98_whole.ipynb", 4)
    assert made.cells[-1].outputs[0].text == "workshop\n"
    assert (tmp_path / "notebooks" / "98_whole.ipynb").read_bytes() == before


def test_a_copy_is_as_its_reader_would_have_run_it(builder, tmp_path):
    write_notebook(tmp_path, "98_whole", "print(PRESET)")
    builder.execute("98_whole", "workshop")
    path = tmp_path / "build" / "book" / "notebooks" / "98_whole.ipynb"
    made = nbformat.read(path, 4)
    assert [cell.source for cell in made.cells] == ['PRESET = "workshop"', "print(PRESET)"]
    assert "papermill" not in path.read_text() and str(tmp_path) not in path.read_text()


def test_results_of_older_code_are_thrown_away(builder, tmp_path, monkeypatch):
    results = tmp_path / "build" / "results" / "smoke"
    results.mkdir(parents=True)
    builder.drop_stale_results("smoke")
    assert not results.exists(), "results of unknown code"
    results.mkdir(parents=True)
    builder.drop_stale_results("smoke")
    assert results.exists()
    monkeypatch.setattr(builder, "code_fingerprint", lambda: "newer")
    builder.drop_stale_results("smoke")
    assert not results.exists()


def test_a_listed_notebook_that_is_missing_is_named(builder):
    toc = {"parts": [{"chapters": [{"file": "book/setup"}, {"file": "notebooks/97_nowhere"}]}]}
    with pytest.raises(MissingDataError, match="97_nowhere"):
        builder.chapters(toc)


NAMES = ["00_a", "12_b", "20_data", "31_c", "32_d", "40_net", "50_real", "51_gap", "60_scores"]


def test_chapters_from_which_most_work_hangs_come_first(builder, monkeypatch):
    seconds = {
        "00_a": 9,
        "12_b": 8,
        "20_data": 50,
        "31_c": 7,
        "32_d": 30,
        "40_net": 39,
        "50_real": 20,
        "60_scores": 5,
    }
    monkeypatch.setattr(builder, "benchmark", lambda name: {"chapters_s": seconds})
    # 51 is unknown and counts as 60: 65 seconds with the scorecard, one more than 40 and what waits
    # for it
    order = ["20_data", "32_d", "51_gap", "40_net", "50_real", "00_a", "12_b", "31_c", "60_scores"]
    assert builder.in_order_of_need(sorted(order)) == order
    monkeypatch.setattr(builder, "benchmark", lambda name: None)
    assert builder.in_order_of_need([]) == [] and builder.in_order_of_need(NAMES)[0] == "20_data"


@pytest.mark.parametrize(
    ("name", "needs"),
    [("00_a", []), ("12_b", []), ("20_data", []), ("31_c", ["20_data"]),
        ("51_gap", ["20_data", "32_d"]),
     ("52_more", ["20_data", "31_c", "32_d", "40_net"]), ("60_scores", NAMES[:-1])],
)  # fmt: skip
def test_chapters_wait_for_those_that_they_read(builder, name, needs):
    assert builder.reads(name, NAMES) == needs


def test_all_chapters_run_and_a_failure_stops_the_rest(builder, tmp_path, capsys):
    for name in ("00_one", "20_two", "30_three"):
        write_notebook(tmp_path, name, f"print('{name}')")
    builder.execute_all(["00_one", "20_two", "30_three"], "smoke")
    assert [line[:7] for line in capsys.readouterr().out.splitlines()] == [
        "[ 1/3] ",
        "[ 2/3] ",
        "[ 3/3] ",
    ]
    write_notebook(tmp_path, "20_two", "1 / 0")
    (tmp_path / "build" / "book" / "notebooks" / "30_three.ipynb").unlink()
    with pytest.raises(DiffranetError, match="20_two.ipynb failed in cell 2: ZeroDivisionError"):
        builder.execute_all(["00_one", "20_two", "30_three"], "smoke")
    assert not (tmp_path / "build" / "book" / "notebooks" / "30_three.ipynb").exists()
