"""Texture features against scikit-image, hand-sized arrays and symmetry."""

import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from diffranet_utils.core.errors import InputError
from diffranet_utils.features import texture as features
from diffranet_utils.features.store import FeatureStore

HARALICK = np.array(
    [[0, 0, 1, 1], [0, 0, 1, 1], [0, 2, 2, 2], [2, 2, 3, 3]], np.uint8
)  # of the 1973 paper


@pytest.fixture(scope="module")
def images():
    """Four kinds of image: read noise, background with a slope, spots that saturate, all grey
    values.
    """
    rng = np.random.default_rng(3)
    slope = np.linspace(100, 900, 70)[:, None] * np.ones(64)
    spots = slope.copy()
    spots[rng.integers(0, 70, 40), rng.integers(0, 64, 40)] += rng.exponential(30_000, 40)
    counts = [
        rng.normal(10, 3, slope.shape),
        rng.poisson(slope),
        rng.poisson(spots),
        rng.integers(0, 65025, slope.shape),
    ]
    return np.sqrt(np.clip(counts, 0, 65025)).astype(np.uint8)


def scikit_image_features(image, distances, angles_deg):
    matrix = graycomatrix(image, distances, np.deg2rad(angles_deg), symmetric=True, normed=True)
    return np.concatenate([graycoprops(matrix, name).ravel() for name in features.PROPERTIES])


def test_glcm_equals_scikit_image(images):
    ours = features.glcm_features(images)
    theirs = [
        scikit_image_features(image, features.DISTANCES, features.ANGLES_DEG) for image in images
    ]
    assert ours.shape == (4, 120)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (7, 8), (8, 7), (3, 300)])
def test_glcm_equals_scikit_image_where_offsets_leave_the_image(shape, rng):
    image = rng.integers(0, 5, shape, dtype=np.uint8)
    ours = features.glcm_features(image[None], (1, 3, 8), (0, 45, 135, 225))
    np.testing.assert_allclose(
        ours[0], scikit_image_features(image, (1, 3, 8), (0, 45, 135, 225)), atol=1e-12
    )


def test_glcm_of_a_constant_image():
    ours = features.glcm_features(np.full((1, 8, 8), 200, np.uint8), (1,), (0,))
    np.testing.assert_array_equal(ours[0], [0, 0, 1, 1, 1, 1])


def test_glcm_by_hand():
    """Horizontal neighbours of the 4 x 4 example: 12 pairs, 24 entries of the symmetric matrix."""
    contrast, dissimilarity, homogeneity, asm, energy, _ = features.glcm_features(
        HARALICK[None], (1,), (0,)
    )[0]
    # Pairs: (0,0) 2, (0,1) 2, (1,1) 2, (0,2) 1, (2,2) 3, (2,3) 1, (3,3) 1
    assert contrast == pytest.approx((2 * 1 + 1 * 4 + 1 * 1) / 12)
    assert dissimilarity == pytest.approx((2 * 1 + 1 * 2 + 1 * 1) / 12)
    assert homogeneity == pytest.approx((8 + 3 / 2 + 1 / 5) / 12)
    assert asm == pytest.approx((4**2 + 4**2 + 6**2 + 2**2 + 2 * (2**2 + 1**2 + 1**2)) / 24**2)
    assert energy == pytest.approx(asm**0.5)


@pytest.mark.parametrize("size", [64, 512])
def test_uint32_counts_and_sums_do_not_overflow(size):
    image = np.full((size, size), 255, np.uint8)
    image[: size // 2] = 254
    ours = features.glcm_features(image[None], (1,), (0, 90))
    np.testing.assert_allclose(ours[0], scikit_image_features(image, (1,), (0, 90)), rtol=1e-9)


def test_diagonal_distances_one_and_two_are_the_same_pair():
    assert features.pair_offset(1, 45) == features.pair_offset(2, 45) == (1, 1)
    assert features.pair_offset(5, 135) == (4, -4)
    assert features.pair_offset(2, 180) == (0, 2)


def test_glcm_subset_is_columns_of_the_full_table(images):
    distances, angles = (1, 5, 8), (0, 90, 135)
    columns = features.glcm_columns(distances, angles)
    np.testing.assert_array_equal(
        features.glcm_features(images)[:, columns],
        features.glcm_features(images, distances, angles),
    )
    assert [features.glcm_names()[k] for k in columns] == features.glcm_names(distances, angles)


@pytest.mark.parametrize("points", features.POINTS)
@pytest.mark.parametrize("radius", features.RADII)
def test_lbp_codes_equal_scikit_image(images, points, radius):
    for image in images:
        theirs = local_binary_pattern(image, points, radius, "uniform")
        np.testing.assert_array_equal(features.lbp_codes(image, points, radius), theirs)


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (5, 3)])
def test_lbp_codes_of_images_smaller_than_the_circle(shape, rng):
    image = rng.integers(0, 4, shape, dtype=np.uint8)
    np.testing.assert_array_equal(
        features.lbp_codes(image, 16, 3), local_binary_pattern(image, 16, 3, "uniform")
    )


def test_lbp_by_hand():
    """Centre 5 of a 3 x 3 image, four neighbours from the right, anticlockwise: 7, 1, 5, 2 against
    5.
    """
    image = np.array([[0, 1, 0], [5, 5, 7], [0, 2, 0]], np.uint8)
    assert (
        features.lbp_codes(image, 4, 1)[1, 1] == 5
    )  # 1 0 1 0 changes three times: not uniform, points + 1
    image[0, 1] = 9
    assert features.lbp_codes(image, 4, 1)[1, 1] == 3  # 1 1 1 0 changes once: three ones


def test_lbp_radius_zero_is_one_constant_code(images):
    table = features.lbp_features(images, 8, 0)
    np.testing.assert_array_equal(table, np.tile(np.eye(10)[8], (4, 1)))


def test_lbp_histogram_has_a_fixed_length_and_sums_to_one(images):
    table = features.lbp_features(np.zeros((2, 16, 16), np.uint8), 24, 3)
    assert table.shape == (2, 26)
    np.testing.assert_allclose(features.lbp_features(images, 24, 3).sum(axis=1), 1)


def test_threads_change_nothing(images):
    many = np.concatenate([images] * 3)
    np.testing.assert_array_equal(
        features.glcm_features(many, n_workers=3), features.glcm_features(many)
    )
    np.testing.assert_array_equal(
        features.lbp_features(many, 8, 2, 3), features.lbp_features(many, 8, 2)
    )


def test_transformers_work_in_a_pipeline(images):
    for transformer in (features.GlcmFeatures((1,), (0,)), features.LbpFeatures(8, 1)):
        model = make_pipeline(transformer, LogisticRegression()).fit(images, [0, 0, 1, 1])
        assert model.predict(images).shape == (4,)


def test_store_extracts_once_and_notices_other_images(images, tmp_path, monkeypatch):
    store = FeatureStore(images, tmp_path)
    first = store.lbp(8, 1), store.glcm((2,), (45,))
    monkeypatch.setattr(features, "lbp_features", lambda *a: pytest.fail("extracted twice"))
    monkeypatch.setattr(features, "glcm_features", lambda *a, **k: pytest.fail("extracted twice"))
    again = FeatureStore(images.copy(), tmp_path)
    np.testing.assert_array_equal(again.lbp(8, 1), first[0])
    np.testing.assert_array_equal(again.glcm((2,), (45,)), first[1])
    changed = images.copy()
    changed[0, 0, 0] ^= 1
    with pytest.raises(pytest.fail.Exception):
        FeatureStore(changed, tmp_path).lbp(8, 1)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".npy", ".npy"]


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: features.glcm_features(np.zeros((4, 4), np.uint8)), r"shape \(4, 4\)"),
        (lambda: features.glcm_features(np.zeros((1, 4, 4))), "float64"),
        (lambda: features.glcm_features(np.zeros((0, 4, 4), np.uint8)), "no image"),
        (lambda: features.glcm_features(np.zeros((1, 4, 4), np.uint8), (), (0,)), "at least one"),
        (lambda: features.glcm_columns((3,), (0,)), r"\(3,\)"),
        (lambda: features.lbp_features(np.zeros((1, 4, 4), np.uint8), 0, 1), "0 points"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InputError, match=words):
        call()
