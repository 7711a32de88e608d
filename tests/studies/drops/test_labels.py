"""Classes, shares, imagers and label noise against the paper's tables."""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.drops import imagers, label_noise, labels


def test_table_2_adds_up_to_the_collection():
    """493,214 pictures, as the abstract of the data has it."""
    assert sum(map(sum, labels.TABLE_2.values())) == 493_214
    assert sum(imagers.TABLE_1_IMAGES.values()) == 493_214
    assert labels.class_shares()[labels.CLASSES.index("crystals")] == pytest.approx(
        63_304 / 493_214
    )


def test_drawn_labels_have_the_shares():
    drawn = labels.draw_labels(np.random.default_rng(0), 40_000)
    seen = np.bincount(drawn, minlength=4) / drawn.size
    assert seen == pytest.approx(labels.class_shares(), abs=0.01)


def test_five_imagers_with_different_pictures():
    assert len({imager.name for imager in imagers.IMAGERS}) == 5
    assert all(min(imager.width, imager.height) >= 599 for imager in imagers.IMAGERS)
    assert imagers.imager_named("oil_home").under_oil
    with pytest.raises(InputError):
        imagers.imager_named("telescope")


def test_noise_rate_is_the_papers():
    matrix = label_noise.noise_matrix()
    assert matrix.sum(1) == pytest.approx(1)
    wrong = labels.class_shares() @ (1 - np.diag(matrix))
    assert wrong == pytest.approx(0.05 * 0.426)


def test_noise_is_drawn_from_the_matrix_and_keeps_the_truth():
    true = np.repeat(np.arange(4), 50_000)
    noisy = label_noise.with_noise(np.random.default_rng(1), true, 0.1)
    assert np.array_equal(noisy.true, true)
    counts = np.zeros((4, 4))
    np.add.at(counts, (noisy.true, noisy.given), 1)
    assert counts / 50_000 == pytest.approx(label_noise.noise_matrix(0.1), abs=0.012)
    assert np.array_equal(noisy.wrong, noisy.true != noisy.given)


def test_no_noise_and_too_much():
    true = np.arange(4)
    assert not label_noise.with_noise(np.random.default_rng(0), true, 0.0).wrong.any()
    with pytest.raises(InputError):
        label_noise.noise_matrix(0.5)
