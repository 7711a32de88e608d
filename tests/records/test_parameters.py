"""Parameters of chapters: what is changed is checked, and marks the files of the run."""

import ast
from pathlib import Path

import nbformat
import pytest

from diffranet_utils.cli.registry import study_of
from diffranet_utils.core.errors import InputError
from diffranet_utils.records import parameters, provenance
from diffranet_utils.studies.diffranet.study import STUDY

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WRONG = {
    "40_deepfreak": {"topology": 99, "epochs": 0, "learning_rate": float("nan"), "width": 2.5},
    "10_bragg_scattering": {"station": "moon", "crystal": "nowhere.pdb", "wavelength_A": -1},
    "32_hyperopt_search": {"classifiers": "knn", "extractors": [], "n_evaluations": "many"},
    "41_bohb_search": {"eta": 1, "min_epochs": 9},
    "50_real_frames": {"frames": "/no/such/folder", "models": "oracle"},
    "60_scorecard": {"topology": 9},
}


@pytest.mark.parametrize(
    ("chapter", "name", "value"),
    [(c, name, value) for c, wrong in WRONG.items() for name, value in wrong.items()],
)
def test_what_cannot_be_is_refused_by_name_in_one_line(chapter, name, value, tmp_path):
    with pytest.raises(InputError) as refusal:
        provenance.start_run(STUDY, "smoke", 1, tmp_path, tmp_path, chapter, **{name: value})
    message = str(refusal.value)
    assert chapter in message and len(message.splitlines()) == 1
    assert name in message or str(value) in message


def test_a_changed_run_never_passes_for_the_presets(tmp_path):
    plain = provenance.start_run(
        STUDY, "smoke", 1, tmp_path, tmp_path, "40_deepfreak", topology=None, epochs=3
    )
    assert plain.changes == {} and plain == provenance.start_run(
        STUDY, "smoke", 1, tmp_path, tmp_path, "40_deepfreak"
    )
    run = provenance.start_run(
        STUDY, "smoke", 1, tmp_path, tmp_path, "40_deepfreak", width=4, topology=10
    )
    assert run.changes == {"topology": 10, "width": 4} and run.preset.network.epochs == 3
    record = provenance.save_result("40_deepfreak", run, {})
    assert record["changes"] == run.changes
    assert [path.name for path in tmp_path.rglob("*.json")] == [
        "40_deepfreak+topology=10+width=4.json"
    ]
    assert "topology 10, width 4" in str(run)
    assert (
        run.as_preset().preset is STUDY.preset("smoke")
        and run.record_path("32_hyperopt_search").stem[-1] == "h"
    )


def test_only_a_changed_data_set_has_a_folder_of_its_own(tmp_path):
    data = provenance.start_run(
        STUDY, "smoke", 1, tmp_path, tmp_path, "20_dataset", n_train=5
    ).data_dir
    assert data.parent == tmp_path and data.name != "smoke"
    other = provenance.start_run(
        STUDY, "smoke", 1, tmp_path, tmp_path, "30_texture_features", classifiers="rf"
    )
    assert other.data_dir == tmp_path / "smoke"


def test_typed_settings_are_read_as_they_look():
    read = parameters.from_text(
        ["topology=10", "learning_rate=1e-3", "classifiers=rf,svm", "frames=/a b", "n=[1, 2]"]
    )
    assert read == {
        "topology": 10,
        "learning_rate": 1e-3,
        "classifiers": ["rf", "svm"],
        "frames": "/a b",
        "n": [1, 2],
    }
    with pytest.raises(InputError):
        parameters.from_text(["topology"])


def test_marks_are_short_safe_and_different():
    paths = [{"frames": f"/data/{'x' * 80}/{k}"} for k in range(3)]
    marks = {parameters.mark(changes) for changes in paths}
    assert len(marks) == 3 and all(len(m) <= parameters.MAX_MARK and "/" not in m for m in marks)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("[0-9]*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_hands_its_parameters_on(path, tmp_path):
    """The cell of parameters and the call that starts the run, executed as they stand: names must
    fit the chapter's.
    """
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    literals = next(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    space = {"STUDY": study_of(path.stem), "provenance": provenance}
    exec(literals, space)
    space |= {"DATA_DIR": str(tmp_path), "RESULTS_DIR": str(tmp_path)}
    source = next(cell.source for cell in cells if "run = provenance.start_run(" in cell.source)
    starts = [
        node
        for node in ast.parse(source).body
        if ast.unparse(node).startswith("run = provenance.start_run(")
    ]
    exec(compile(ast.Module(starts, []), path.name, "exec"), space)
    assert space["run"].changes == {} and space["run"].preset is space["STUDY"].preset("smoke")
    call = next(node for node in ast.walk(starts[0]) if isinstance(node, ast.Call))
    handed = {keyword.arg: keyword.value.id for keyword in call.keywords}
    unset = {name for name, value in space.items() if value is None and name.isupper()}
    assert set(handed.values()) == unset and all(
        name.upper() == value.upper() for name, value in handed.items()
    )
