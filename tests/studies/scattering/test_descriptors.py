"""Descriptors without a network, against scikit-image and counts by hand."""

import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops

from diffranet_utils.studies.scattering.descriptors import (
    DESCRIPTORS,
    cooccurrence,
    pair_entropy,
)

ANGLES = np.deg2rad([0, 45, 90, 135])


def test_cooccurrence_equals_scikit_image():
    image = np.random.default_rng(2).integers(0, 40, (30, 24), dtype=np.uint8)
    matrix = graycomatrix(image, [3], ANGLES, symmetric=True, normed=True)
    names = ("contrast", "homogeneity", "ASM", "energy", "correlation")
    theirs = [graycoprops(matrix, name).mean() for name in names]
    shares = [matrix[:, :, 0, k] for k in range(4)]
    entropy = np.mean([-(p[p > 0] * np.log2(p[p > 0])).sum() for p in shares])
    assert cooccurrence(image[None], 3)[0] == pytest.approx([*theirs, entropy], rel=1e-5)


def test_entropy_of_pairs_by_hand():
    image = np.array([[0, 1], [0, 1]], np.uint8)  # to the right: (0, 1) twice, both ways
    assert pair_entropy(image, 0, 1) == pytest.approx(1.0)
    assert pair_entropy(image, 1, 0) == pytest.approx(1.0)  # (0, 0) and (1, 1)
    assert pair_entropy(image, 1, -1) == pytest.approx(1.0)  # (1, 0), both ways


def test_every_descriptor_gives_a_row_an_image():
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    for name, n_columns in (("histogram", 7), ("glcm", 6), ("lbp", 26)):
        table = DESCRIPTORS[name](images)
        assert table.shape == (3, n_columns) and np.isfinite(table).all()
