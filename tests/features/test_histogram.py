"""Histogram features against closed forms, scipy and scikit-image."""

import numpy as np
import pytest
from scipy import stats
from skimage.measure import shannon_entropy

from diffranet_utils.core.errors import InputError
from diffranet_utils.features.histogram import NAMES, histogram_features


def named(image):
    return dict(zip(NAMES, histogram_features(image[None])[0], strict=True))


def test_agrees_with_moments_and_entropy_of_other_libraries(rng):
    image = np.clip(rng.gamma(2.0, 20.0, (64, 48)), 0, 255).astype(np.uint8)
    features, grey = named(image), image.ravel() / 255
    assert features["average"] == pytest.approx(grey.mean())
    assert features["variance"] == pytest.approx(grey.var())
    assert features["skewness"] == pytest.approx(stats.skew(grey))
    assert features["kurtosis"] == pytest.approx(stats.kurtosis(grey, fisher=False))
    assert features["entropy"] == pytest.approx(shannon_entropy(image))


def test_half_black_and_half_white():
    image = np.zeros((4, 4), np.uint8)
    image[:2] = 255
    assert list(named(image).values()) == pytest.approx([0.5, 1, 0.5, 0.25, 0, 1, 0.2])


def test_one_grey_value_gives_finite_numbers():
    features = histogram_features(np.full((2, 8, 8), 51, np.uint8))
    assert features[0] == pytest.approx([0.2, 0, 1, 0, 0, 0, 0], abs=1e-9)


def test_arrangement_does_not_matter(rng):
    image = rng.integers(0, 255, (1, 16, 16)).astype(np.uint8)
    assert histogram_features(image[:, ::-1, :]) == pytest.approx(histogram_features(image))


@pytest.mark.parametrize("images", [np.zeros((4, 4), np.uint8), np.zeros((1, 4, 4)), None])
def test_other_arrays_are_refused(images):
    with pytest.raises(InputError):
        histogram_features(images)
