"""Spot statistics: brute force, closed forms, and what they must not depend on."""

import numpy as np
import pytest
from scipy import ndimage

from diffranet_utils.core.errors import InputError
from diffranet_utils.features import spots as sf

SIZE = 256


def noise(seed, level=40.0, sigma=3.0):
    return np.random.default_rng(seed).normal(level, sigma, (SIZE, SIZE))


def grey(image):
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def with_spots(image, n, height, sigma_px=1.0):
    slow, fast = np.meshgrid(np.arange(-3, 4), np.arange(-3, 4), indexing="ij")
    spot = height * np.exp(-(slow**2 + fast**2) / (2 * sigma_px**2))
    image = image.astype(float)
    for k in range(n):
        r, c = 20 + 30 * (k // 8), 20 + 30 * (k % 8)
        image[r - 3 : r + 4, c - 3 : c + 4] += spot
    return image


def features(image, mask=None):
    mask = np.ones(image.shape, bool) if mask is None else mask
    return dict(
        zip(
            sf.NAMES, sf.spot_features(np.where(mask, image, 0).astype(np.uint8), mask), strict=True
        )
    )


def test_deviation_by_brute_force():
    image, mask = (
        grey(with_spots(noise(1), 6, 40)),
        np.random.default_rng(2).random((SIZE, SIZE)) < 0.8,
    )
    z, sigma = sf.standardise(image, mask)
    calm = mask.copy()
    for _ in range(sf.CLIPS):  # the box is cut at the edges and at masked pixels
        box = np.ones((sf.BOX, sf.BOX))
        n, s, q = (ndimage.convolve(np.where(calm, x, 0.0), box, mode="constant") for x in (
            np.ones(image.shape), image.astype(float), image.astype(float) ** 2))  # fmt: skip
        deviation = image - s / n
        calm &= deviation**2 <= 9 * np.maximum(q / n - (s / n) ** 2, sf.ROUNDING**2)
    n, s, q = (ndimage.convolve(np.where(calm, x, 0.0), box, mode="constant") for x in (
        np.ones(image.shape), image.astype(float), image.astype(float) ** 2))  # fmt: skip
    wanted = np.sqrt(np.maximum(q / n - (s / n) ** 2, sf.ROUNDING**2))
    np.testing.assert_allclose(sigma, wanted, rtol=1e-3)
    np.testing.assert_allclose(z, np.where(mask, (image - s / n) / wanted, 0), atol=2e-3)


def test_noise_shows_no_wide_peak():
    found = features(grey(noise(3)))
    assert found["wide peaks 4"] == found["wide pits 4"] == found["cells with peaks"] == 0
    assert found["kurtosis"] == pytest.approx(3, abs=0.3) and found["skewness"] == pytest.approx(
        0, abs=0.05
    )
    assert found["upper tail"] == pytest.approx(
        np.log1p(1350), abs=0.5
    )  # a normal variate exceeds 3 in 0.135 %


@pytest.mark.parametrize("n", [1, 12, 40])
def test_spots_are_counted(n):
    found = features(grey(with_spots(noise(4), n, 40)))
    wanted = pytest.approx(np.log1p(n / (SIZE**2 / 1e6)), rel=1e-6)
    assert found["wide peaks 6"] == found["wide peaks 8"] == wanted
    assert found["cells with peaks"] == pytest.approx(n / 64, abs=0.02)
    assert found["fullest cell"] == pytest.approx(1 / n, abs=0.1)


def test_pits_are_counted_apart():
    found = features(grey(255 - with_spots(noise(4, 215), 12, 40)))
    assert (
        found["wide pits 6"] == pytest.approx(np.log1p(12 / (SIZE**2 / 1e6)))
        and found["wide peaks 6"] == 0
    )
    assert found["peaks less pits"] < 0


def test_a_hot_pixel_is_no_wide_peak():
    image = noise(5)
    image[100, 100] += 100
    found = features(grey(image))
    assert found["peaks 12"] > 0 and found["wide peaks 4"] == 0


def test_exposure_does_not_matter():
    rng = np.random.default_rng(6)
    slope = np.linspace(1, 1.3, SIZE)[None] * np.ones((SIZE, 1))
    weak, strong = (
        features(
            np.sqrt(with_spots(rng.poisson(slope * level), 30, 14 * np.sqrt(level))).astype(
                np.uint8
            )
        )
        for level in (100, 3000)
    )
    for name in ("wide peaks 5", "wide peaks 6", "noise", "cells with peaks"):
        assert weak[name] == pytest.approx(strong[name], abs=0.25), name
    assert strong["grey level"] > weak["grey level"] + 1


def test_a_gap_is_missing_not_black():
    image, mask = grey(with_spots(noise(7), 6, 40)), np.ones((SIZE, SIZE), bool)
    mask[150:170], mask[:, 200:207] = False, False
    whole, holed = features(image), features(image, mask)
    assert holed["wide pits 4"] == 0 and holed["wide peaks 6"] == pytest.approx(
        whole["wide peaks 6"], abs=0.2
    )


def test_point_spread_shows_in_the_noise():
    blurred = ndimage.gaussian_filter1d(noise(8, 100, 12), 1.0, axis=1)
    found = features(grey(blurred))
    assert found["along rows"] == pytest.approx(
        np.exp(-1 / 4), abs=0.08
    )  # of a Gaussian filter at lag 1
    assert abs(found["along columns"]) < 0.1


def test_images_without_content_are_finite():
    for image in (np.zeros((64, 64), np.uint8), np.full((64, 64), 255, np.uint8)):
        assert np.isfinite(sf.spot_features(image, np.ones(image.shape, bool))).all()
    assert not sf.spot_features(np.zeros((64, 64), np.uint8), np.zeros((64, 64), bool)).any()


def test_transformer_and_threads():
    images = np.stack([grey(with_spots(noise(k), 5 * k, 40)) for k in range(4)])
    table = sf.SpotFeatures(2).fit(images).transform(images)
    assert table.shape == (4, len(sf.NAMES))
    np.testing.assert_array_equal(
        table[2], sf.spot_features(images[2], np.ones(images[2].shape, bool))
    )
    with pytest.raises(InputError, match="do not fit"):
        sf.SpotFeatures().transform(images, np.ones((4, 2, 2), bool))
