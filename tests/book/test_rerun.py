"""The page on rerunning chapters, and chapters run with every parameter changed."""

import re
import shlex
from pathlib import Path

import papermill
import pytest
import yaml

from diffranet_utils.cli.registry import study_of
from diffranet_utils.records import provenance

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "book" / "rerun.md").read_text(encoding="utf-8")
COMMON = {"PRESET", "SEED", "DATA_DIR", "RESULTS_DIR"}
MODEL = """\
CRYST1   38.000   38.000   46.000  90.00  90.00  90.00 P 41 21 2     8
ATOM      1  CA  ALA A   1      10.000  11.000  12.000  1.00 20.00           C
ATOM      2  N   ALA A   1      11.200  12.100  13.500  1.00 20.00           N
ATOM      3  O   ALA A   1       8.300   9.900  14.100  1.00 20.00           O
ATOM      4  S   CYS A   2       5.700  15.200  10.300  1.00 20.00           S
END
"""

#: Every parameter of these chapters, away from the preset's value; they make their images
#: themselves.
CHANGED = {
    "00_quickstart": {"STATION": "pilatus", "N_TRAIN": 30, "N_TEST": 20, "DISTANCES": [1, 4],
        "ANGLES_DEG": [0, 90]},
    "10_bragg_scattering": {"STATION": "pilatus", "CRYSTAL": "model.pdb", "WAVELENGTH_A": 1.2},
    "11_background_and_detector": {
        "EDGE_UM": 20.0, "STATION": "pilatus", "CRYSTAL": "model.pdb", "WAVELENGTH_A": 1.2,
    },
}  # fmt: skip


def papermill_calls():
    """Notebook and parameters of each papermill call on the page."""
    calls = []
    for block in re.findall(r"```bash\n(.*?)```", PAGE, flags=re.S):
        words = shlex.split(block.replace("\\\n", " ").replace("$width", "8"))
        for start in (k for k, word in enumerate(words) if word == "papermill"):
            values, k = {}, start + 3
            while k < len(words) and words[k] in ("-p", "-y"):
                if words[k] == "-p":
                    values[words[k + 1]], k = yaml.safe_load(words[k + 2].rstrip(";")), k + 3
                else:
                    values, k = values | yaml.safe_load(words[k + 1]), k + 2
            calls.append((words[start + 1], values))
    return calls


def test_the_page_shows_three_runs():
    assert len(papermill_calls()) == 3 and re.search(r"\bfor \w+ in \d+ \d+ \d+", PAGE)


@pytest.mark.parametrize("path, values", papermill_calls())
def test_calls_on_the_page_name_parameters_and_values_that_can_be(path, values, tmp_path):
    known = papermill.inspect_notebook(str(ROOT / path))
    assert values and set(values) <= set(known)
    chapter = Path(path).stem
    changes = {name.lower(): value for name, value in values.items()}
    run = provenance.start_run(
        study_of(chapter), "smoke", 1, tmp_path, tmp_path, chapter, **changes
    )
    assert set(run.changes) == set(changes)


@pytest.mark.parametrize("chapter", CHANGED)
def test_a_chapter_runs_with_every_parameter_changed(chapter, tmp_path):
    path = ROOT / "notebooks" / f"{chapter}.ipynb"
    assert set(CHANGED[chapter]) | COMMON == set(papermill.inspect_notebook(str(path)))
    (tmp_path / "model.pdb").write_text(MODEL)
    values = CHANGED[chapter] | {
        "DATA_DIR": str(tmp_path / "data"),
        "RESULTS_DIR": str(tmp_path / "results"),
    }
    if "CRYSTAL" in values:
        values["CRYSTAL"] = str(tmp_path / "model.pdb")
    papermill.execute_notebook(
        str(path),
        str(tmp_path / "executed.ipynb"),
        values,
        kernel_name="python3",
        cwd=ROOT,
        progress_bar=False,
    )
    (record,) = (tmp_path / "results" / "smoke").glob(f"{chapter}+*.json")
    assert "station=pilatus" in record.name
