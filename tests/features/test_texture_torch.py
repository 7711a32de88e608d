"""The tensor version of the co-occurrence features beside the compiled loops and scikit-image."""

import numpy as np
import pytest
import torch
from skimage.feature import graycomatrix, graycoprops

from diffranet_utils.core.errors import InputError
from diffranet_utils.features import texture as features
from diffranet_utils.features import texture_torch as glcm_torch
from diffranet_utils.features.store import FeatureStore

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
    ),
]


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(7)
    frames = rng.poisson(rng.uniform(1, 60, (5, 1, 1)), (5, 40, 37)).clip(0, 255)
    frames[3] = 0
    frames[4, ::5, ::3] = 255
    return frames.astype(np.uint8)


@pytest.mark.parametrize("device", DEVICES)
def test_same_table_as_the_compiled_loops(images, device):
    found = glcm_torch.glcm_features(images, device=device)
    np.testing.assert_allclose(found, features.glcm_features(images), rtol=1e-5, atol=1e-9)


def test_same_as_scikit_image(images):
    found = glcm_torch.glcm_features(images, [1, 4], [0, 135], device="cpu").reshape(5, 6, 4)
    for image, row in zip(images, found, strict=True):
        matrix = graycomatrix(image, [1, 4], np.deg2rad([0, 135]), symmetric=True, normed=True)
        for name, values in zip(features.PROPERTIES, row, strict=True):
            np.testing.assert_allclose(
                values, graycoprops(matrix, name).ravel(), rtol=1e-6, atol=1e-9
            )


def test_batches_do_not_mix(images, monkeypatch):
    whole = glcm_torch.glcm_features(images, device="cpu")
    monkeypatch.setattr(glcm_torch, "BATCH", 2)
    np.testing.assert_allclose(glcm_torch.glcm_features(images, device="cpu"), whole, rtol=1e-9)


def test_an_offset_longer_than_the_image_counts_nothing():
    assert glcm_torch.count_pairs(torch.zeros(1, 4, 4, dtype=torch.int64), 8, 0).sum() == 0


@pytest.mark.parametrize(
    "images", [np.zeros((4, 4), np.uint8), np.zeros((1, 4, 4)), np.zeros((0, 4, 4), np.uint8)]
)
def test_what_is_no_stack_of_images_is_refused(images):
    with pytest.raises(InputError, match="give \\(n, rows, columns\\) uint8"):
        glcm_torch.glcm_features(images, device="cpu")


def test_a_store_counts_on_the_gpu_where_it_is_asked_to(images, monkeypatch, tmp_path):
    here = FeatureStore(images, tmp_path).glcm()
    whole = glcm_torch.glcm_features
    monkeypatch.setattr(
        glcm_torch, "glcm_features", lambda stack: whole(stack, device="cpu")
    )  # no GPU needed here
    monkeypatch.setenv("DIFFRANET_GPU", "1")
    np.testing.assert_allclose(FeatureStore(images, tmp_path).glcm(), here, rtol=1e-5, atol=1e-9)
    assert (
        len(list(tmp_path.glob("glcm-gpu-*.npy"))) == 1
        and len(list(tmp_path.glob("glcm-*.npy"))) == 2
    )
