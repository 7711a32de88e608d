"""Crops and colours, against the standard library's colour conversions."""

import colorsys

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.drops import preprocess


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_centre_crop_by_hand():
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    assert np.array_equal(preprocess.centre_crop(picture, 2), picture[1:3, 2:4])
    means = picture[:, 1:5].reshape(2, 2, 2, 2, 3).mean(axis=(1, 3))
    assert np.abs(preprocess.centre_crop(picture, 2, side=4) - means).max() <= 0.5


def test_random_crops_reach_every_place(picture):
    rng = np.random.default_rng(1)
    corners = {tuple(preprocess.random_crop(rng, picture, 39)[0, 0]) for _ in range(800)}
    assert corners == {tuple(picture[y, x]) for y in range(2) for x in range(22)}


def test_too_small(picture):
    with pytest.raises(InputError):
        preprocess.random_crop(np.random.default_rng(0), picture, 41)
    with pytest.raises(InputError):
        preprocess.centre_crop(picture, 20, side=50)


@pytest.mark.parametrize("turn,factor", [(0.2, 1.0), (-0.13, 1.0), (0.0, 0.5), (0.0, 1.5)])
def test_hue_and_saturation(picture, turn, factor):
    crop = picture[:6, :6].astype(np.float32) / 255
    ours = preprocess.change_saturation(preprocess.change_hue(crop, turn), factor)
    for got, pixel in zip(ours.reshape(-1, 3), crop.reshape(-1, 3), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*map(float, pixel))
        wanted = colorsys.hsv_to_rgb((h + turn) % 1, min(1, s * factor), v)
        assert got == pytest.approx(wanted, abs=2e-5)


def test_contrast_and_brightness_keep_mean_and_spread(picture):
    crop = picture.astype(np.float32) / 255
    stretched = preprocess.change_contrast(crop, 1.5)
    assert stretched.mean((0, 1)) == pytest.approx(crop.mean((0, 1)), abs=1e-5)
    assert stretched.std((0, 1)) == pytest.approx(1.5 * crop.std((0, 1)), rel=1e-4)
    assert preprocess.change_brightness(crop, 0.1) - crop == pytest.approx(0.1, abs=1e-6)


def test_nothing_distorted_is_the_crop_up_to_flips(picture):
    still = preprocess.Distortion(0.0, (1, 1), 0.0, (1, 1))
    crop = picture[:20, :20]
    flips = [crop[::-a, ::-b].astype(np.float32) / 255 for a in (1, -1) for b in (1, -1)]
    rng, seen = np.random.default_rng(3), set()
    for _ in range(40):
        result = preprocess.distorted(rng, crop, still)
        seen.add(int(np.argmin([np.abs(result - flip).max() for flip in flips])))
        assert min(np.abs(result - flip).max() for flip in flips) < 1e-5
    assert seen == {0, 1, 2, 3}


def test_training_crop_repeats_and_stays_in_range(picture):
    first, second = (
        preprocess.training_crop(np.random.default_rng(5), picture, 30) for _ in range(2)
    )
    assert np.array_equal(first, second)
    assert first.shape == (30, 30, 3) and first.dtype == np.float32
    assert first.min() >= 0 and first.max() <= 1
