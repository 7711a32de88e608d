"""Bag of visual words: keypoints where there are marks, a vocabulary from training images alone, a
fixed order.
"""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from diffranet_utils.core.errors import InputError
from diffranet_utils.features import sift


def spots(rng, n_spots, width_px=1.5, size=128):
    """An image of round spots on a dark, even ground."""
    y, x = np.mgrid[:size, :size]
    image = np.full((size, size), 20.0)
    for row, column in rng.uniform(10, size - 10, (n_spots, 2)):
        image += 120 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width_px**2))
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(5)
    return np.array([spots(rng, n) for n in (0, 3, 12, 30, 0, 30)])


def test_images_without_marks_have_no_keypoints(images):
    descriptors, counts = sift.sift_descriptors(images)
    assert counts[0] == counts[4] == 0
    assert 0 < counts[1] < counts[2] < counts[3]
    assert descriptors.shape == (counts.sum(), 128)
    assert descriptors.dtype == np.uint8
    lengths = np.linalg.norm(descriptors.astype(float), axis=1)
    np.testing.assert_allclose(lengths, 512, rtol=0.02)  # OpenCV scales unit vectors by 512


def test_threads_and_repeats_change_nothing(images):
    first, again = sift.sift_descriptors(images), sift.sift_descriptors(images, n_workers=3)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_default_blur_misses_spots_of_one_pixel(rng):
    narrow, wide = (spots(rng, 30, width)[None] for width in (0.4, 1.5))
    settings = {"contrast": sift.OPENCV_CONTRAST, "blur_px": sift.OPENCV_BLUR_PX}
    assert sift.sift_descriptors(narrow, **settings)[1] == [0]
    assert sift.sift_descriptors(wide, **settings)[1] >= [20]
    assert sift.sift_descriptors(narrow)[1] >= [5]


def test_word_counts_by_brute_force(images, rng):
    bag = sift.SiftBag(8).fit(images[:4], rng)
    descriptors, counts = sift.sift_descriptors(images)
    nearest = cdist(descriptors, bag.words_).argmin(axis=1)
    table = bag.transform(images)
    start = np.concatenate([[0], np.cumsum(counts)])
    for k in range(len(images)):
        np.testing.assert_array_equal(
            table[k], np.bincount(nearest[start[k] : start[k + 1]], minlength=8)
        )
    np.testing.assert_array_equal(table[0], 0)
    np.testing.assert_array_equal(table.sum(axis=1), counts)


def test_vocabulary_depends_on_the_generator_alone(images):
    words = [sift.SiftBag(6).fit(images, np.random.default_rng(seed)).words_ for seed in (1, 1, 2)]
    np.testing.assert_array_equal(words[0], words[1])
    assert not np.array_equal(words[0], words[2])


def test_transform_leaves_the_vocabulary_and_other_rows_alone(images, rng):
    bag = sift.SiftBag(6).fit(images[1:4], rng)
    words = bag.words_.copy()
    together = bag.transform(images)
    np.testing.assert_array_equal(bag.transform(images[::-1]), together[::-1])
    np.testing.assert_array_equal(bag.words_, words)


def test_works_in_a_pipeline(images):
    model = make_pipeline(sift.SiftBag(4, seed=3), LogisticRegression()).fit(
        images, [0, 0, 1, 1, 0, 1]
    )
    np.testing.assert_array_equal(model.predict(images)[[0, 3, 4, 5]], [0, 1, 0, 1])


def test_vocabulary_sample_is_capped(images, rng, monkeypatch):
    seen = {}

    class Means:
        def __init__(self, n, **_):
            self.cluster_centers_ = np.zeros((n, 128), np.float32)

        def fit(self, x):
            seen["x"] = x
            return self

    monkeypatch.setattr(sift, "MAX_DESCRIPTORS", 10)
    monkeypatch.setattr(sift, "MiniBatchKMeans", Means)
    descriptors = sift.sift_descriptors(images)[0]
    sift.SiftBag(2).fit_descriptors(descriptors, rng)
    assert seen["x"].shape == (10, 128)
    assert {tuple(row) for row in seen["x"]} <= {
        tuple(row) for row in descriptors.astype(np.float32)
    }


def test_keypoints_of_one_image_are_capped_strongest_first(images, monkeypatch):
    everything = sift.sift_descriptors(images[3:4])[0]
    monkeypatch.setattr(sift, "MAX_KEYPOINTS", 5)
    np.testing.assert_array_equal(sift.sift_descriptors(images[3:4])[0], everything[:5])


def test_too_few_keypoints_for_the_vocabulary(images, rng):
    with pytest.raises(InputError, match="0 keypoints cannot make 10 words, which need 100"):
        sift.SiftBag(10).fit(images[:1], rng)
    with pytest.raises(InputError, match="uint8"):
        sift.sift_descriptors(images.astype(float))
