"""The rendered set: built by the common builder, resumed, its truth made again from the
manifest.
"""

import dataclasses

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.core.files import read_json
from diffranet_utils.data.build import build_dataset
from diffranet_utils.data.verify import verify
from diffranet_utils.studies.drops import dataset, imagers, readers
from diffranet_utils.studies.drops.presets import PRESETS, DataSet


@pytest.fixture(scope="module")
def recipe():
    sizes = DataSet(n_train=4, n_validation=1, n_test=2, shares="equal")
    return dataset.recipe(dataclasses.replace(PRESETS["smoke"], dataset=sizes, n_workers=1))


@pytest.fixture(scope="module")
def root(tmp_path_factory, recipe):
    folder = tmp_path_factory.mktemp("drops")
    build_dataset(folder, recipe, seed=7)
    return folder


def test_an_interrupted_build_goes_on_with_the_same_bytes(root, recipe, tmp_path):
    lost = root / dataset.rows_of(root, "train").path[1]
    before, manifest = lost.read_bytes(), (root / "manifest.csv").read_bytes()
    lost.unlink()
    build_dataset(root, recipe, seed=7)
    assert read_json(root / "card.json")["made"] == 1
    assert lost.read_bytes() == before
    assert (root / "manifest.csv").read_bytes() == manifest


def test_a_damaged_picture_is_found_and_made_again(root, recipe):
    path = root / dataset.rows_of(root, "test").path[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    report = verify(root, lambda name: recipe, repair=True)
    assert report.damaged == report.repaired and len(report.damaged) == 1
    assert path.read_bytes() == whole


def test_truth_again_from_the_manifest(root):
    rows = dataset.rows_of(root, "train")
    row = next(rows.itertuples())
    drop = dataset.truth_of(row)
    assert drop.jpeg == (root / row.path).read_bytes()
    assert (drop.imager, drop.variety, drop.label) == (row.imager, row.variety, row.label)
    assert drop.crystals.sum() == row.crystals_px and drop.grains.sum() == row.grains_px


def test_entries_are_read_like_any_other_set(root):
    entries = dataset.entries_of(root, "train").entries
    read = list(readers.pictures(entries, left_out=[]))
    assert len(read) == 4
    assert [entry.label for entry, _ in read] == dataset.rows_of(root, "train").label.tolist()


def test_imagers_as_in_table_1():
    shares = dataset.imager_shares("table_1")
    assert shares.sum() == pytest.approx(1)
    assert shares[0] == pytest.approx(imagers.TABLE_1_IMAGES["rock_wide"] / 493_214)
    assert np.allclose(dataset.imager_shares("equal"), 0.2)
    with pytest.raises(InputError):
        dataset.imager_shares("all")
