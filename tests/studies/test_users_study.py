"""A user's first study, three classes and one chapter, runs on shared code that knows nothing of
it.
"""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.figures import plots
from diffranet_utils.records import chapters, provenance
from diffranet_utils.records.tables import result_table
from tests.studies.shapes.study import STUDY, Shape


def start(folder, **changes):
    return provenance.start_run(
        STUDY, "tiny", 3, folder / "data", folder / "results", "01_shapes", **changes
    )


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    return folder, chapters.run_chapter("01_shapes", start(folder))


def test_images_lie_in_class_folders_as_the_manifest_says(record):
    root = record[0] / "data" / "tiny"
    rows = pd.read_csv(root / "manifest.csv")
    assert rows.groupby("split").size().to_dict() == {"test": 24, "train": 36, "validation": 18}
    assert {path.parent.name for path in root.glob("synthetic/*/*/*.pgm")} == {
        str(int(shape)) for shape in Shape
    }


def test_record_has_three_classes_and_tells_them_apart(record):
    folder, made = record
    kept = json.loads((folder / "results" / "tiny" / "01_shapes.json").read_text())
    assert kept["values"] == made["values"] and kept["preset"] == "tiny" and kept["seed"] == 3
    matrix = np.array(made["details"]["confusion"])
    assert (
        matrix.shape == (3, 3) and matrix.sum() == made["values"]["shapes_test_accuracy"]["n"] == 24
    )
    assert (
        made["values"]["shapes_test_accuracy"]["value"] == np.trace(matrix) / 24 > 0.7
    )  # a third by chance
    assert (
        made["values"]["rings_hit_accuracy"]["value"]
        >= made["values"]["shapes_test_accuracy"]["value"]
    )
    assert (
        len(made["details"]["history"]) == 2
        and 0 <= made["values"]["network_test_accuracy"]["value"] <= 1
    )


def test_tables_and_figures_take_its_classes(record):
    _, made = record
    table = result_table(made, STUDY)
    assert table.loc["Forest on shapes, test"].iloc[-1].startswith("90.0")
    _, (left, right) = plt.subplots(1, 2)
    plots.confusion(left, made["details"]["confusion"], STUDY.class_names)
    plots.class_bars(
        right, made["details"]["recall"], dict(zip(STUDY.class_names, "rgb", strict=True))
    )
    assert [text.get_text() for text in left.get_yticklabels()] == ["dots", "bars", "rings"]
    assert len(right.patches) == 3


def test_its_parameters_change_and_mark_the_record(tmp_path):
    run = start(tmp_path, epochs=1)
    assert run.preset.sizes.epochs == 1 and run.record_path("01_shapes").name != "01_shapes.json"
    with pytest.raises(InputError):
        start(tmp_path, epochs="many")
    with pytest.raises(InputError):
        start(tmp_path, topology=3)
