"""Rendered drops: repeatable, exact in their class, true in their masks, in the looks' range."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.drops import render
from diffranet_utils.studies.drops.imagers import IMAGERS
from diffranet_utils.studies.drops.labels import CLASSES, VARIETIES

CASES = [(label, variety) for label in CLASSES for variety in VARIETIES[label]]


def pairs(varieties, n_imagers):
    """Each variety with some of the imagers, turn by turn, so that all imagers and all varieties
    occur.
    """
    chosen = [
        (IMAGERS[(k + 2 * j) % len(IMAGERS)], v)
        for k, v in enumerate(varieties)
        for j in range(n_imagers)
    ]
    return [
        pytest.param(imager, variety, id=f"{imager.name}-{variety}") for imager, variety in chosen
    ]


SMALLEST = min(IMAGERS, key=lambda imager: imager.width * imager.height)
VISIBLE = 8
"""Grey levels of 255 that a crystal must change, after noise and compression."""


def rendered(seed, imager, label, variety=None, **options):
    return render.render_drop(np.random.default_rng(seed), imager, label, variety, **options)


def difference(seed, imager, label, variety):
    """Return the picture with its contents and how far they change it, grey levels."""
    full = rendered(seed, imager, label, variety)
    bare = rendered(seed, imager, label, variety, empty=True)
    grey = [cv2.cvtColor(p.picture, cv2.COLOR_RGB2GRAY).astype(int) for p in (full, bare)]
    return full, np.abs(grey[0] - grey[1])


@pytest.mark.parametrize(
    ("imager", "label"), [(imager, CLASSES[k % len(CLASSES)]) for k, imager in enumerate(IMAGERS)]
)
def test_same_seed_same_bytes(imager, label):
    first, second = rendered(3, imager, label), rendered(3, imager, label)
    assert first.variety == second.variety
    assert np.array_equal(first.picture, second.picture)
    assert np.array_equal(first.crystals, second.crystals)
    assert first.picture.shape == (imager.height, imager.width, 3)
    assert first.picture.dtype == np.uint8
    assert not np.array_equal(first.picture, rendered(4, imager, label).picture)


@pytest.mark.parametrize(("imager", "variety"), pairs(VARIETIES["crystals"], 2))
def test_crystals_are_visible_in_the_final_picture(imager, variety):
    full, change = difference(1, imager, "crystals", variety)
    assert full.crystals.sum() >= 30
    assert np.percentile(change[full.crystals], 95) >= VISIBLE
    # what changed lies where the truth says, but for blur, blocks of JPEG and refraction
    near = cv2.dilate(full.crystals.astype(np.uint8), np.ones((33, 33)))
    assert change[near == 0].max(initial=0) <= 25
    assert change[full.crystals].mean() > 4 * change[near == 0].mean()


@pytest.mark.parametrize(("imager", "variety"), pairs(VARIETIES["precipitate"], 1))
def test_precipitate_is_visible_and_in_the_drop(imager, variety):
    full, change = difference(1, imager, "precipitate", variety)
    assert full.grains.sum() >= 200
    assert np.percentile(change[full.grains], 95) >= VISIBLE
    assert full.drop[full.grains].mean() > 0.98


def test_a_faint_skin_is_made_visible():
    """A drop whose film was drawn too thin to be seen."""
    old = next(imager for imager in IMAGERS if imager.name == "rock_old")
    assert rendered(1059, old, "precipitate", "skin").grains.sum() >= 200


@pytest.mark.parametrize("label,variety", CASES)
def test_truth_is_of_its_class(label, variety):
    drop = rendered(11, SMALLEST, label, variety)
    assert CLASSES[drop.label] == label and drop.variety == variety
    assert drop.crystals.any() == (label == "crystals")
    assert drop.grains.any() == (label == "precipitate")
    assert drop.drop.any() == (variety != "no_drop")


def sharpness(picture):
    """Return the curvature of the sharpest half per cent of a picture, noise smoothed away."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    curved = cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1.5), cv2.CV_32F)
    return np.percentile(np.abs(curved), 99.5)


def test_failures_look_like_failures():
    normal = rendered(5, IMAGERS[0], "clear", "plain").picture
    assert rendered(5, IMAGERS[0], "other", "dark").picture.mean() < 0.4 * normal.mean()
    bright = rendered(5, IMAGERS[0], "other", "overexposed").picture
    assert (bright.min(-1) >= 250).mean() > 0.2
    assert sharpness(rendered(5, IMAGERS[0], "other", "out_of_focus").picture) < (
        0.3 * sharpness(normal)
    )


def test_grey_imager_is_grey():
    imager = next(imager for imager in IMAGERS if not imager.colour)
    picture = rendered(1, imager, "precipitate").picture
    assert (picture[..., 0] == picture[..., 2]).all()


def test_unknown_class_or_variety():
    with pytest.raises(InputError):
        rendered(0, IMAGERS[0], "ice")
    with pytest.raises(InputError):
        rendered(0, IMAGERS[0], "clear", "needles")


@pytest.mark.skipif("DIFFRANET_DROPS" not in os.environ, reason="DIFFRANET_DROPS names no drops")
def test_levels_are_like_those_of_real_drops():
    """Mean, spread and dark share of the four real pictures lie within the rendered range."""

    def measure(picture):
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        return np.array([grey.mean(), grey.std(), (grey < 40).mean()])

    ours = np.array(
        [measure(rendered(k, IMAGERS[0], "clear").picture[..., ::-1]) for k in range(24)]
    )
    for path in sorted(Path(os.environ["DIFFRANET_DROPS"]).glob("*.jp*g")):
        real = measure(cv2.imread(str(path)))
        assert (real >= ours.min(0) * 0.85).all() and (real <= ours.max(0) * 1.15).all()
