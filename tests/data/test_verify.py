"""Verify and repair, shards, the published layout, and splits for PyTorch."""

import shutil

import numpy as np
import pytest
import skimage.io
from torch.utils.data import DataLoader

from diffranet_utils.core.errors import DiffranetError, InputError, MissingDataError
from diffranet_utils.data import loaders, shards
from diffranet_utils.data.build import build_dataset
from diffranet_utils.data.pgm import read_image
from diffranet_utils.data.split import load_manifest
from diffranet_utils.data.verify import verify
from diffranet_utils.studies.diffranet import dataset
from diffranet_utils.studies.diffranet.dataset import recipe
from tests.data.test_split import TINY, digest


def recipe_of_tiny(name):
    return recipe(TINY)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("original")
    build_dataset(root, recipe(TINY), 7, workers=1)
    return root


@pytest.fixture
def copy(original, tmp_path):
    return shutil.copytree(original, tmp_path / "copy")


def test_a_sound_set_is_sound(original):
    report = verify(original, recipe_of_tiny)
    assert (
        report.sound
        and report.n == 25
        and report.lines() == ["25 images, 0 damaged or missing, 0 foreign files"]
    )


def test_damage_is_named_and_only_that_is_repaired(original, copy):
    paths = sorted(load_manifest(copy).path)
    flipped, cut, gone = (copy / path for path in paths[:3])
    content = bytearray(flipped.read_bytes())
    content[5000] ^= 1
    flipped.write_bytes(content)
    cut.write_bytes(cut.read_bytes()[:100])
    gone.unlink()
    untouched = (copy / paths[3]).stat().st_mtime_ns
    report = verify(copy, recipe_of_tiny)
    assert not report.sound
    assert sorted(report.damaged) == paths[:2] and report.missing == [paths[2]]
    repaired = verify(copy, recipe_of_tiny, repair=True)
    assert repaired.sound and sorted(repaired.repaired) == paths[:3]
    assert digest(copy) == digest(original) and (copy / paths[3]).stat().st_mtime_ns == untouched


def test_foreign_files_are_named_and_kept(copy):
    stranger = copy / "synthetic" / "train" / "3" / "holiday.png"
    stranger.write_bytes(b"x")
    report = verify(copy, recipe_of_tiny, repair=True)
    assert (
        not report.sound
        and report.foreign == ["synthetic/train/3/holiday.png"]
        and stranger.exists()
    )


def test_a_damaged_manifest_comes_back_from_the_journal(original, copy):
    path = copy / "manifest.csv"
    path.write_bytes(path.read_bytes()[:500])
    assert not verify(copy, recipe_of_tiny).manifest_ok
    assert verify(copy, recipe_of_tiny, repair=True).sound
    assert path.read_bytes() == (original / "manifest.csv").read_bytes()


def test_an_unfinished_set_is_named(tmp_path):
    with pytest.raises(MissingDataError, match="diffranet dataset"):
        verify(tmp_path, recipe_of_tiny)


def test_shards_hold_the_set_and_repeat(original, tmp_path):
    one, two = (shards.write_shards(original, tmp_path / name, per_shard=10) for name in "ab")
    assert [p.name for p in one] == [
        "train-000000.tar",
        "train-000001.tar",
        "validation-000000.tar",
        "test-000000.tar",
    ]
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]
    found = list(shards.read_shards(one))
    manifest = load_manifest(original)
    assert [row["id"] for _, row in found] == manifest.id.tolist()
    assert all(np.array_equal(image, read_image(original / row["path"])) for image, row in found)
    one[0].write_bytes(one[0].read_bytes()[:5000])
    with pytest.raises(DiffranetError, match="train-000000"):
        list(shards.read_shards(one[:1]))


@pytest.fixture
def unpacked(original, tmp_path):
    """The published layout: class folders of PNG images, synthetic and real, no manifest."""
    root = tmp_path / "diffranet"
    split = dataset.load_split(original, "test")
    for k, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
        for folder in (f"synthetic/test/{label}", f"real_raw/validation/{1 + (label > 2)}"):
            (root / folder).mkdir(parents=True, exist_ok=True)
            skimage.io.imsave(
                root / folder / f"{k:03d}.png", np.asarray(image), check_contrast=False
            )
    return root


def test_the_published_layout_is_read(original, unpacked):
    ours, theirs = dataset.load_split(original, "test"), dataset.load_split(unpacked, "test")
    order = np.argsort(ours.labels, kind="stable")
    assert np.array_equal(theirs.images, ours.images[order]) and np.array_equal(
        theirs.labels, ours.labels[order]
    )
    real = dataset.load_split(unpacked, "real_raw/validation")
    assert np.array_equal(np.sort(real.labels), np.sort(1 + (ours.labels > 2)))
    assert len(list(unpacked.glob("*.npy"))) == 2
    dataset.load_split(unpacked, "test")
    assert len(list(unpacked.glob("*.npy"))) == 2  # packed once


@pytest.mark.parametrize(
    ("spoil", "split", "error", "word"),
    [
        (lambda root: None, "train", MissingDataError, "synthetic/train"),
        (lambda root: None, "real_blurred/test", InputError, "real_blurred"),
        (lambda root: (root / "synthetic/test/cats").mkdir(), "test", InputError, "cats"),
        (
            lambda root: shutil.rmtree(root / "real_raw/validation/1"),
            "real_raw/validation",
            None,
            "",
        ),
        (
            lambda root: (root / "synthetic/test/3/bad.png").write_bytes(b"no image"),
            "test",
            DiffranetError,
            "bad.png",
        ),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(unpacked, spoil, split, error, word):
    spoil(unpacked)
    if error is None:
        assert set(dataset.load_split(unpacked, split).labels.tolist()) == {2}
        return
    with pytest.raises(error, match=word):
        dataset.load_split(unpacked, split)


def test_torch_sees_the_same_images(original):
    split = dataset.load_split(original, "validation")
    images, classes = next(iter(DataLoader(loaders.SplitDataset(split), batch_size=5)))
    assert images.shape == (5, 1, 96, 96) and np.array_equal(images[:, 0].numpy(), split.images)
    all_images, all_classes = loaders.on_device(split, "cpu")
    assert (
        np.array_equal(all_images.numpy(), split.images)
        and classes.tolist() == all_classes.tolist()
    )
    assert all_classes.tolist() == (split.labels - 1).tolist()
