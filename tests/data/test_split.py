"""The data set: layout, reproducible bytes, resuming after a kill, reading back."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diffranet_utils.core import cache
from diffranet_utils.core.errors import DiffranetError, InputError, MissingDataError
from diffranet_utils.core.ownership import owned
from diffranet_utils.data import split
from diffranet_utils.data.build import build_dataset
from diffranet_utils.data.pgm import read_image
from diffranet_utils.data.split import load_manifest
from diffranet_utils.instrument.geometry import Detector
from diffranet_utils.records import provenance
from diffranet_utils.studies.diffranet import dataset, presets
from diffranet_utils.studies.diffranet.dataset import recipe
from diffranet_utils.studies.diffranet.stations import DIFFRANET

# A small station, so that a test takes seconds: few domains, a coarse table, 96 x 96 pixels at the
# same angles.
STATION = replace(
    DIFFRANET, name="tiny", detector=Detector(96, 96, 0.9173, 80.0),
    crystal=replace(DIFFRANET.crystal, n_domains=5, d_min_A=4.0),
)  # fmt: skip
TINY = replace(
    presets.get("smoke"),
    dataset=presets.DataSet(station=STATION, n_train=14, n_validation=5, n_test=6),
)


def resized(preset, section="dataset", **changes):
    """A preset with other parameters of one section."""
    return replace(preset, **{section: replace(getattr(preset, section), **changes)})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("built")
    build_dataset(root, recipe(TINY), 7, workers=1)
    return root


def digest(root):
    files = sorted(p for p in Path(root).rglob("*.pgm"))
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def test_layout_manifest_and_card_agree(built):
    manifest = load_manifest(built)
    assert manifest.groupby("split").size().to_dict() == TINY.dataset.split_sizes
    assert digest(built) == dict(zip(manifest.path, manifest.sha256, strict=True))
    for row in manifest.itertuples():
        assert row.path == f"synthetic/{row.split}/{row.label}/{row.id}.pgm"
    card = json.loads((built / "card.json").read_text())
    assert sum(sum(counts.values()) for counts in card["counts"].values()) == len(manifest)


def test_images_are_those_of_their_seed(built):
    row = load_manifest(built).query("split == 'validation'").iloc[3]
    shot = dataset.make_image(STATION, 7, "validation", 3)
    assert np.array_equal(read_image(built / row.path), shot.image)
    assert row.label == shot.label and row.n_visible == shot.truth["n_visible"]


def test_pgm_is_read_by_an_independent_library(built):
    from PIL import Image

    path = next(built.rglob("*.pgm"))
    assert np.array_equal(np.asarray(Image.open(path)), read_image(path))


def test_bytes_do_not_depend_on_workers_or_size(built, tmp_path):
    build_dataset(
        tmp_path, recipe(resized(TINY, n_train=12, n_validation=2, n_test=1)), 7, workers=2
    )
    smaller, larger = digest(tmp_path), digest(built)
    assert len(smaller) == 15 and all(larger[name] == value for name, value in smaller.items())


def test_another_seed_makes_other_images(built, tmp_path):
    build_dataset(
        tmp_path, recipe(resized(TINY, n_train=2, n_validation=1, n_test=1)), 8, workers=1
    )
    assert not set(digest(tmp_path).values()) & set(digest(built).values())


def test_a_folder_of_another_set_is_refused(built):
    with pytest.raises(InputError, match="another seed"):
        build_dataset(built, recipe(TINY), 8)


def test_images_of_another_seed_are_not_thrown_away(tmp_path):
    small = resized(TINY, n_train=2, n_validation=1, n_test=1)
    run = provenance.Run(small, 8, tmp_path / "data", tmp_path)
    dataset.ensure_dataset(run)
    before = digest(run.data_dir)
    with pytest.raises(InputError, match="holds images of seed 8: give seed 9 another data folder"):
        dataset.ensure_dataset(replace(run, seed=9))
    assert digest(run.data_dir) == before


def test_split_arrays_equal_the_files(built):
    split = dataset.load_split(built, "test")
    assert split.images.shape == (6, 96, 96) and split.images.dtype == np.uint8
    rows = load_manifest(built).query("split == 'test'")
    assert split.labels.tolist() == rows.label.tolist() and split.ids == rows.id.tolist()
    assert all(
        np.array_equal(split.images[k], read_image(built / path))
        for k, path in enumerate(rows.path)
    )


def test_ensure_builds_once_and_again_for_new_code(tmp_path, monkeypatch):
    preset = resized(TINY, n_train=2, n_validation=1, n_test=1)
    run = provenance.Run(preset, 7, tmp_path / "data", tmp_path / "results")
    root = dataset.ensure_dataset(run)
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*.pgm")}
    dataset.ensure_dataset(run)
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*.pgm")} == before
    monkeypatch.setattr(dataset, "code_fingerprint", lambda *names: "changed")
    dataset.ensure_dataset(run)
    assert all(p.stat().st_mtime_ns > stamp for p, stamp in before.items())


def test_a_finished_set_is_read_where_nothing_can_be_written(built, tmp_path, monkeypatch):
    """Also its derived files are found again; root may write everywhere, so the check is told."""
    monkeypatch.setattr(cache, "_can_write", lambda folder: tmp_path in folder.parents)
    monkeypatch.setattr(split, "owned", None)
    monkeypatch.setenv("DIFFRANET_CACHE", str(tmp_path / "cache"))
    for file in built.glob("*.npy"):
        file.unlink()
    before = sorted(built.rglob("*"))
    (tmp_path / "cache").mkdir()
    assert split.ensure_dataset(built, recipe(TINY), 7) == built
    first, again = (dataset.load_split(built, "test") for _ in range(2))
    assert np.array_equal(first.images, again.images)
    assert sorted(built.rglob("*")) == before
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 1


def test_a_second_builder_leaves_and_changes_nothing(built):
    with owned(built):
        before = {path: path.stat().st_mtime_ns for path in built.rglob("*")}
        with pytest.raises(InputError, match=str(os.getpid())):
            build_dataset(built, recipe(TINY), 7)
        assert dataset.load_split(built, "test").ids  # reading needs no permission
        assert {p: s for p in before if (s := p.stat().st_mtime_ns) != before[p]}.keys() <= {built}


def test_what_is_missing_or_damaged_is_named(built, tmp_path):
    with pytest.raises(MissingDataError, match="diffranet dataset"):
        dataset.load_split(tmp_path, "train")
    with pytest.raises(InputError, match="Unknown split"):
        dataset.load_split(built, "holdout")
    broken = tmp_path / "x.pgm"
    broken.write_bytes(next(built.rglob("*.pgm")).read_bytes()[:100])
    with pytest.raises(DiffranetError, match="x.pgm"):
        read_image(broken)


def test_a_read_only_folder_stops_with_one_line(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(DiffranetError, match="Cannot write"):
        build_dataset(blocked, recipe(TINY), 7)
